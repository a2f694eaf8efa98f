"""Diffusion stages: what is trained, on which frames, towards which target; and the pipeline made of the parts."""

import re

import numpy as np
import pytest
import torch
from fixtures.fake_gpu import learn_on_fake_gpu
from torch import nn

from asva_train import Run, RunError, load_recipe, make_task
from asva_train.assemble import assemble
from asva_train.clips import clip_source, motion_at
from asva_train.components import build_component, read_component, start_from
from asva_train.draws import generator_at
from asva_train.run_order import collate
from asva_train.views import clip_view
from asva_unet.losses import CONDITIONS, dropped

UNET = {
    "out_channels": 4,
    "block_out_channels": [32, 32],
    "attention_levels": [False, True],
    "layers_per_block": 1,
    "attention_head_dim": 16,
    "cross_attention_dim": 32,
    "audio_embed_dim": 32,
    "norm_num_groups": 8,
    "init_attention": False,
    "dropout": 0.0,
    "prediction_type": "residual",
}
COMMON = {
    "data.height": 32,
    "data.width": 32,
    "data.workers": 0,
    "loop.max_steps": 2,
    "loop.batch_size": 1,
    "loop.log_every": 1,
    "loop.mixed_precision": "no",
}
VAE = COMMON | {
    "model.block_out_channels": [8, 8],
    "model.down_block_types": ["DownEncoderBlock2D"] * 2,
    "model.up_block_types": ["UpDecoderBlock2D"] * 2,
    "model.latent_channels": 4,
    "model.norm_num_groups": 4,
}
LOCALIZER = COMMON | {"model.audio_encoder": {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}}
KEYFRAME = COMMON | {
    "models.keyframe_unet": {**UNET, "in_channels": 8},
    "models.text_encoder.hidden_size": 32,
    "models.text_encoder.intermediate_size": 32,
    "models.image_encoder.image_size": 32,
    "models.image_projector.dim": 32,
    "models.image_projector.output_dim": 32,
}
INTERP = COMMON | {"models.interp_unet": {**UNET, "in_channels": 9}}
PIPELINE = {
    "num_inference_steps": 1, "interp_num_inference_steps": 1, "height": 32, "width": 32, "selection": "even",
    "interp_fill": "linear", "interp_mask_channel": True, "interp_noise": "none", "interp_injection": False,
}  # fmt: skip


def _train(task, folder, overrides):
    run = Run(make_task(load_recipe(f"tiny-{task}", overrides), folder), folder, device="cpu")
    seen = []
    run.train(seen.append)
    return seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model folder with every part, each trained for two steps."""
    folder = tmp_path_factory.mktemp("model")
    for task, overrides in (("vae", VAE), ("localizer", LOCALIZER), ("keyframe", KEYFRAME)):
        _train(task, folder, overrides)
    _train("interp", folder, INTERP | {"init.interp_unet": str(folder / "keyframe_unet")})
    return folder


def test_the_localizer_shares_its_encoder(folder):
    shared, own = (
        read_component("audio_encoder", folder / "audio_encoder"),
        read_component("localizer", folder / "localizer"),
    )
    for name, tensor in shared.state_dict().items():
        assert torch.equal(tensor, own.encoder.state_dict()[name]), name


def test_only_what_learns_is_moved(folder):
    recipe = load_recipe("tiny-keyframe", KEYFRAME | {"trainable": ["temporal_conv"], "train": ["image_projector"],
                         "init.image_projector": str(folder / "image_projector")})  # fmt: skip
    task = make_task(recipe, folder)
    before = {name: p.clone() for name, p in task.module.named_parameters()}
    frozen = {
        name: p.clone() for part in ("vae", "text_encoder") for name, p in task.module.part(part).named_parameters()
    }
    run = Run(task, folder / "elsewhere", device="cpu")
    run.train()
    moved = {name for name, p in task.module.named_parameters() if not torch.equal(p, before[name])}
    assert any("temporal_conv" in name for name in moved)
    assert all("temporal_conv" in name or "image_projector" in name for name in moved)
    for part in ("vae", "text_encoder"):
        for name, p in task.module.part(part).named_parameters():
            assert torch.equal(p, frozen[name]), name


@pytest.mark.parametrize(("name", "index", "count"), [("keyframe", True, 619_476_816), ("interp", False, 617_426_256)])
def test_the_published_recipe_trains_the_published_parameters(name, index, count):
    from asva_unet import ImageResampler, KeyVIDUNet

    recipe = load_recipe(f"keyvid-{name}")
    with torch.device("meta"):
        unet, projector = KeyVIDUNet(frame_index_embedding=index), ImageResampler()
    chosen = [p for key, p in unet.named_parameters() if any(re.search(pattern, key) for pattern in recipe.trainable)]
    assert sum(p.numel() for p in [*chosen, *projector.parameters()]) == count


def test_the_official_dropout_has_the_published_rates():
    drop = dropped(load_recipe("keyvid-keyframe"), 40_000, torch.Generator().manual_seed(0))
    text, image, audio = drop["text"], drop["image"], drop["audio"]
    for event in (text & ~image & ~audio, text & image, image & audio, audio & ~image & ~text):
        assert event.float().mean().item() == pytest.approx(0.05, abs=0.005)
    assert not (text & audio).any()


def test_keyframe_samples_start_with_the_first_frame_and_rise():
    recipe = load_recipe("tiny-keyframe", KEYFRAME)
    source = clip_source(recipe.data)
    for index in range(12):
        sample = clip_view(source[index], generator_at(0, index), recipe)
        chosen = sample["frame_indices"]
        assert chosen[0] == 0 and len(chosen) == 12 and (np.diff(chosen) > 0).all()
        assert np.array_equal(sample["frames"], source[index].frames[chosen])
        again = clip_view(source[index], generator_at(0, index), recipe)["frame_indices"]
        assert np.array_equal(chosen, again)


def test_interp_samples_know_the_keyframes_of_a_whole_clip():
    recipe = load_recipe("tiny-interp", INTERP)
    sample = clip_view(clip_source(recipe.data)[3], generator_at(0), recipe)
    assert sample["frame_indices"].tolist() == list(range(48)) and sample["known"].sum() == 12


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_interpolator_is_given_true_or_generated_keyframes(folder, share):
    options = {"generated_keyframes": share, "keyframe_noise": 0.0, "init.interp_unet": str(folder / "interp_unet")}
    task = make_task(load_recipe("tiny-interp", INTERP | options), folder)
    batch = collate([task.view(task.source[0], generator_at(0))])
    asked = []

    def add_half(unet, inputs, output):
        asked.append(inputs)
        return type(output)(sample=torch.full_like(output.sample, 0.5))

    if share:
        task.module.part("keyframe_unet").register_forward_hook(add_half)
    question = task.module.question(batch, dict.fromkeys(CONDITIONS, torch.tensor([False])), generator_at(1))
    known = batch["known"][0]
    first = question.latents[0, :1].expand(int(known.sum()), -1, -1, -1)
    expected = first + 0.5 if share else question.latents[0, known]
    torch.testing.assert_close(question.reference[0, known], expected)
    assert not torch.allclose(question.reference[0, known], question.latents[0, known]) == bool(share)
    assert [inputs[-1].tolist() for inputs in asked] == [known.nonzero().T.tolist()] * bool(share)
    assert all(inputs[-2].tolist() == [6] for inputs in asked)


def test_the_generator_in_the_interpolators_training_has_its_own_projector(folder, tmp_path):
    own = read_component("image_projector", folder / "image_projector")
    build_component("image_projector", {k: v for k, v in own.config.items() if k[0] != "_"}, 9).save_pretrained(
        tmp_path / "projector"
    )
    options = {"generated_keyframes": 1.0, "init.interp_unet": str(folder / "interp_unet")}
    options |= {"init.image_projector": str(tmp_path / "projector"), "train": ["image_projector"]}
    task = make_task(load_recipe("tiny-interp", INTERP | options), folder)
    module, asked = task.module, []
    module.part("keyframe_unet").register_forward_hook(lambda unet, inputs, output: asked.append(inputs[3]))
    batch, kept = collate([task.view(task.source[0], generator_at(0))]), torch.tensor([False])
    module.question(batch, dict.fromkeys(CONDITIONS, kept), generator_at(1))
    indices = batch["known"].nonzero()[None, :, 1]
    seen = [
        module.image(batch["frames"][:, 0], kept, indices, name)
        for name in ("keyframe_image_projector", "image_projector")
    ]
    torch.testing.assert_close(asked[0], seen[0])
    assert not torch.allclose(*seen)
    task.export(tmp_path)
    assert (tmp_path / "interp_image_projector").is_dir() and not (tmp_path / "image_projector").is_dir()


@pytest.mark.parametrize("task", ["keyframe", "interp"])
def test_official_samples_are_twelve_frames(task):
    recipe = load_recipe(f"keyvid-{task}", {"data.kind": "synthetic", "data.height": 32, "data.width": 32})
    source = clip_source(recipe.data)
    strides = set()
    for index in range(8):
        sample = clip_view(source[index], generator_at(0, index), recipe)
        assert sample["frames"].shape == (12, 32, 32, 3) and sample["known"].sum() >= 2
        strides.add(int(np.diff(sample["frame_indices"]).max()))
    assert strides == {1, 2} if task == "interp" else 1 in strides


def test_a_folder_of_videos_gives_clips_too(tmp_path):
    from asva_data import write_video

    world = clip_source(load_recipe("tiny-vae", VAE).data)
    for name, index in (("drums/a", 4), ("drums/b", 5), ("red_ball/c", 6)):
        path = tmp_path / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_video(path, world[index].frames, fps=24, waveform=world[index].waveform[None], sample_rate=16000)
    recipe = load_recipe("tiny-keyframe", KEYFRAME | {"data.kind": "folder", "data.root": str(tmp_path)})
    source = clip_source(recipe.data)
    clips = [source[index] for index in range(6)]
    assert [sorted(clip.caption for clip in epoch) for epoch in (clips[:3], clips[3:])] == [
        ["drums", "drums", "red ball"]
    ] * 2
    for clip in clips:
        assert clip.frames.shape == (48, 32, 32, 3) and clip.waveform.shape == (32000,)
        assert (
            clip.motion_curve.shape == (48,) and source.class_names[clip.class_index].replace("_", " ") == clip.caption
        )
    again = clip_source(recipe.data)[4]
    assert np.array_equal(again.frames, clips[4].frames) and np.array_equal(again.waveform, clips[4].waveform)


def test_motion_counts_for_the_frame_where_it_ends():
    recipe = load_recipe("tiny-keyframe").data
    curve = np.array([0.0, 5.0, 0.0])
    assert motion_at(recipe, curve, 4).tolist() == [0.0, 0.0, 5.0, 0.0]
    official = load_recipe("keyvid-keyframe").data
    assert motion_at(official, curve, 4).tolist() == [0.0, 5.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample", "residual"])
def test_targets_give_the_clean_latents_back(folder, kind):
    overrides = KEYFRAME | {"models.keyframe_unet": {**UNET, "in_channels": 8, "prediction_type": kind}}
    loss = make_task(load_recipe("tiny-keyframe", overrides), folder).module
    draw = torch.Generator().manual_seed(0)
    clean, noise, reference = (torch.randn(1, 2, 4, 3, 3, generator=draw) for _ in range(3))
    level = torch.tensor(0.3).view(1, 1, 1, 1, 1)
    noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
    target, _ = loss.target(clean, noise, reference, level)
    restored = {
        "v_prediction": level.sqrt() * noisy - (1 - level).sqrt() * target,
        "epsilon": (noisy - (1 - level).sqrt() * target) / level.sqrt(),
        "sample": target,
        "residual": target + reference,
    }[kind]
    torch.testing.assert_close(restored, clean, rtol=0, atol=1e-5)


def test_a_wider_input_starts_at_zero():
    wide, narrow = nn.Conv2d(3, 4, 1), nn.Conv2d(2, 4, 1)
    start_from(wide, narrow)
    assert torch.equal(wide.weight[:, :2], narrow.weight) and not wide.weight[:, 2:].any()
    with pytest.raises(RunError, match="fit"):
        start_from(nn.Conv2d(3, 5, 1), narrow)


def test_components_follow_their_seed():
    config = {"num_queries": 1, "num_frames": 1, "dim": 8, "embedding_dim": 8, "output_dim": 8, "depth": 1, "heads": 1}
    first, second, other = (build_component("image_projector", config, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_missing_part_is_named(tmp_path):
    with pytest.raises(RunError, match="tokenizer"):
        make_task(load_recipe("tiny-interp", INTERP), tmp_path)


def test_trained_parts_become_a_pipeline(folder, tmp_path):
    import yaml

    from asva_pipelines import KeyVIDPipeline

    settings = tmp_path / "pipeline.yaml"
    settings.write_text(yaml.safe_dump(PIPELINE), encoding="utf-8")
    output = assemble(folder, tmp_path / "model", settings)
    assert not [path for path in output.rglob("*.json") if str(folder) in path.read_text(encoding="utf-8")]
    pipeline = KeyVIDPipeline.from_pretrained(output, torch_dtype=torch.float32)
    clip = clip_source(load_recipe("tiny-vae", VAE).data)[0]
    result = pipeline(clip.frames[0], torch.as_tensor(clip.waveform), sample_rate=16000,
                      generator=torch.Generator().manual_seed(0))  # fmt: skip
    assert result.frames.shape == (48, 32, 32, 3)
    assert not [path for path in output.rglob("*.json") if str(tmp_path.parent) in path.read_text(encoding="utf-8")]
    with pytest.raises(ValueError, match="exist"):
        assemble(folder, tmp_path / "model", settings)


def test_parts_that_do_not_fit_each_other_are_refused(folder, tmp_path):
    """An autoencoder of other latents, a projector of other clips, no localizer: none becomes a pipeline unseen."""
    import shutil

    from diffusers import AutoencoderKL

    from asva_keyframe import MotionLocalizer

    def put(name, part, **overrides):
        other = tmp_path / name
        shutil.copytree(folder, other)
        shutil.rmtree(other / name)
        if part is not None:
            part.save_pretrained(other / name)
        return assemble(other, tmp_path / f"{name}-model", "tiny", overrides=overrides)

    blocks = {
        f"{way}_block_types": (f"{way.title()}{kind}Block2D",) * 2
        for way, kind in (("down", "Encoder"), ("up", "Decoder"))
    }
    with pytest.raises(ValueError, match=r"`vae.latent_channels` must be 4 to fit keyframe_unet.out_channels, got 8"):
        put("vae", AutoencoderKL(**blocks, latent_channels=8, block_out_channels=(8, 8), norm_num_groups=4))
    hearing = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    with pytest.raises(ValueError, match=r"`localizer` must be of 48 frames, as the model is, got 24"):
        put("localizer", MotionLocalizer(hearing, num_frames=24))
    with pytest.raises(RunError, match="`text_encoder` must be in"):
        put("text_encoder", None)
    projector = read_component("image_projector", folder / "image_projector").with_num_frames(12)
    with pytest.raises(ValueError, match=r"`image_projector` must be of 48 frames, as the model is, got 12"):
        put("image_projector", projector)
    assert not list(tmp_path.glob("*-model"))


def test_only_uniform_keyframes_need_no_localizer(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "parts")
    shutil.rmtree(tmp_path / "parts" / "localizer")
    with pytest.raises(RunError, match="`localizer` must be in"):
        assemble(tmp_path / "parts", tmp_path / "model", "tiny")
    assemble(tmp_path / "parts", tmp_path / "model", "tiny", overrides={"selection": "uniform"})
    with pytest.raises(ValueError, match="`published` must be false for audio-window"):
        assemble(folder, tmp_path / "other", "audio-window", overrides={"published": True})


@pytest.mark.parametrize(
    ("task", "fields"), [("vae", VAE), ("localizer", LOCALIZER), ("keyframe", KEYFRAME), ("interp", INTERP)]
)
def test_the_loss_mixes_no_devices(folder, task, fields, monkeypatch):
    for module in ("masking", "anchors"):  # what is fake does not rise
        monkeypatch.setattr(f"asva_interp.{module}.check_indices", lambda *_: None)
    learn_on_fake_gpu(make_task(load_recipe(f"tiny-{task}", fields), folder))
