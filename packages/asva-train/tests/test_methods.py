"""AVSyncD, I2VD and the audio windows: what learns, what is dropped, what counts; and the pipelines made of them."""

import json
import re

import numpy as np
import pytest
import torch
import yaml
from fixtures.fake_gpu import learn_on_fake_gpu

from asva_train import Run, RunError, load_recipe, make_task
from asva_train.assemble import assemble
from asva_train.components import read_component
from asva_train.draws import generator_at
from asva_train.run_order import collate
from asva_unet.losses import Question, dropped

COMMON = {
    "data.height": 32,
    "data.width": 32,
    "data.num_frames": 12,
    "data.fps": 6,
    "data.workers": 0,
    "loop.max_steps": 2,
    "loop.batch_size": 1,
    "loop.log_every": 1,
    "loop.mixed_precision": "no",
}
AVSYNCD = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [16, 16],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 16,
    "audio_cross_attention_dim": 16,
    "attention_head_dim": 2,
    "prediction_type": "residual",
}
WINDOW = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [32, 32],
    "attention_levels": [False, True],
    "layers_per_block": 1,
    "attention_head_dim": 16,
    "cross_attention_dim": 16,
    "norm_num_groups": 8,
    "init_attention": False,
    "audio_cross_attention": False,
    "frame_index_embedding": False,
    "dropout": 0.0,
    "prediction_type": "residual",
}
BEATS = {
    "embed_dim": 16,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_pos": 4,
    "conv_pos_groups": 2,
}
SPECIAL = {
    "avsyncd": {"models.avsyncd_unet": AVSYNCD},
    "i2vd": {"models.i2vd_unet": AVSYNCD},
    "audio-window": {
        "models.audio_window_unet": WINDOW | {"audio_window_attention": True, "audio_window_dim": 16},
        "models.beats": BEATS,
        "taps": {"imagebind": [0], "beats": [0, 1]},
        "train": ["beats"],
        "radius": 1.5,
    },
}


@pytest.fixture
def task(small_model, tmp_path):
    """``task("avsyncd", ...)`` on the small model."""

    def make(name, folder=tmp_path, **overrides):
        fields = COMMON | {"base": str(small_model)} | SPECIAL[name] | overrides
        return make_task(load_recipe(f"tiny-{name}", fields), folder)

    return make


def _batch(task, count=1):
    batch = collate([task.view(task.source[index], generator_at(0, index)) for index in range(count)])
    return batch


def _train(task, folder):
    run = Run(task, folder, device="cpu")
    seen = []
    run.train(seen.append)
    return run, seen


@pytest.mark.parametrize("name", SPECIAL)
def test_a_trained_method_becomes_a_pipeline_that_samples(task, name, small_model, tmp_path):
    from asva_unet import ImageResampler

    towers = {"dim": 16, "embedding_dim": 16, "output_dim": 16, "depth": 1, "heads": 2, "dim_head": 8}
    ImageResampler(1, 2, **towers).save_pretrained(tmp_path / "image_projector")  # the small model's is of 48 frames
    made = task(name)
    run, seen = _train(made, tmp_path)
    assert [progress.step for progress in seen] == [1, 2] and run.num_trainable > 0
    settings = tmp_path / "settings.yaml"
    words = {"family": name, "num_frames": 48, "fps": 24, "height": 64, "width": 64, "vae_sample": "mode"}
    settings.write_text(yaml.safe_dump(words | {"num_inference_steps": 2}), encoding="utf-8")
    changed = []
    output = assemble(tmp_path, tmp_path / "model", settings, base=str(small_model), on_trained=changed.append)
    assert changed == [{"num_frames": 12, "fps": 6, "height": 32, "width": 32}]
    import asva_pipelines as pipelines

    family = pipelines.AudioWindowPipeline if name == "audio-window" else pipelines.AVSyncDPipeline
    pipeline = family.from_pretrained(output, dtype=torch.float32)
    assert not [path for path in output.rglob("*.json") if str(tmp_path) in path.read_text(encoding="utf-8")]
    clip = made.source[0]
    out = pipeline(clip.frames[0], torch.as_tensor(clip.waveform), clip.caption, sample_rate=16000,
                   generator=torch.Generator().manual_seed(0))  # fmt: skip
    assert out.frames.shape == (12, 32, 32, 3) and np.isfinite(out.frames).all()
    assert pipeline.config.fps == 6 and pipeline.config.get("radius", 1.5) == 1.5


def test_the_first_frame_is_clean_and_no_part_of_the_loss(task):
    module = task("avsyncd").module
    given, batch = [], _batch(task("avsyncd"), 2)
    module.unet.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    question = module.question(batch, dropped(module.recipe, 2, generator_at(0)), generator_at(1))
    noise, step = torch.randn(question.latents.shape, generator=generator_at(2)), torch.tensor([900, 10])
    module.losses(question, step, noise)
    assert torch.equal(given[0][:, 0], question.latents[:, 0])
    assert not torch.isclose(given[0][:, 1:], question.latents[:, 1:]).all(-1).any()
    answer = torch.zeros_like(question.latents, requires_grad=True)
    module.losses(Question(question.latents, question.reference, lambda noisy, step: answer), step, noise)[
        "loss"
    ].backward()
    assert not answer.grad[:, 0].any() and answer.grad[:, 1:].any()


def test_one_time_step_for_all_frames_of_a_clip(task):
    module, seen = task("i2vd").module, []
    module.unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    module(_batch(task("i2vd"), 3), generator_at(0))
    assert seen[0].shape == (3,) and len(set(seen[0].tolist())) > 1


def test_a_residual_is_added_to_the_first_frame(task):
    module = task("avsyncd").module
    question = module.question(_batch(task("avsyncd")), dropped(module.recipe, 1, generator_at(0)), generator_at(1))
    target, _ = module.target(question.latents, None, question.reference, torch.tensor(0.5))
    torch.testing.assert_close(target + question.latents[:, :1], question.latents)


@pytest.mark.parametrize(
    ("recipe", "rates"),
    [
        ("avsyncd", {"text": 0.0, "audio": 0.2}),
        ("i2vd", {"text": 0.0}),
        ("audio-window-pretrain", dict.fromkeys(("text", "image", "audio"), 0.05)),
        ("audio-window-finetune", dict.fromkeys(("text", "image", "audio"), 0.05)),
    ],
)
def test_conditions_are_dropped_as_published(recipe, rates):
    drop = dropped(load_recipe(recipe), 40_000, generator_at(0))
    for name, rate in rates.items():
        assert drop[name].float().mean().item() == pytest.approx(rate, abs=0.005)


def test_a_dropped_sound_is_the_null_sound(task):
    from asva_audio import null_feature_tokens, segment_tokens

    avsyncd, window = task("avsyncd").module, task("audio-window").module
    sounds, drop = 0.1 * torch.randn(2, 32000, generator=generator_at(0)), torch.tensor([True, False])
    encoder = avsyncd.part("audio_encoder")
    tokens, mask = avsyncd.audio(sounds, drop)
    null = segment_tokens(encoder, encoder.null_spectrogram())
    torch.testing.assert_close(tokens[:1], null)
    assert mask.shape == (12, tokens.shape[1]) and not torch.allclose(tokens[1:], null, atol=1e-3)
    encoders = {name: window.part(name) for name in ("imagebind", "beats")}
    timed = window.hear(sounds, drop)
    null = null_feature_tokens(encoders, window.part("taps"), seconds=2.0)
    torch.testing.assert_close(timed.tokens[:1], null.tokens)
    assert torch.equal(timed.times, null.times) and not torch.allclose(timed.tokens[1:], null.tokens, atol=1e-3)


def test_the_training_hears_what_the_pipeline_hears(task):
    from asva_audio import frame_times, multi_feature_tokens

    window = task("audio-window").module
    sounds = 0.1 * torch.randn(2, 32000, generator=generator_at(0))
    encoders = {name: window.part(name) for name in ("imagebind", "beats")}
    heard = multi_feature_tokens(encoders, window.part("taps"), sounds)
    tokens, mask = window.audio(sounds, torch.zeros(2, dtype=torch.bool))
    torch.testing.assert_close(tokens, heard.tokens)
    assert torch.equal(mask, heard.mask(frame_times(12, 6.0), 1.5 / 6))


def test_the_encoders_drop_path_is_off_unless_asked_for(task):
    sounds, keep = 0.1 * torch.randn(2, 32000, generator=generator_at(0)), torch.zeros(2, dtype=torch.bool)
    for choice, changes in (("none", False), ("official", True)):
        module = task("avsyncd", encoder_drop_path=choice).module
        module.part("audio_encoder").blocks[0].drop_path = 0.5
        with torch.random.fork_rng():
            torch.manual_seed(1)
            answers = [module.audio(sounds, keep)[0] for _ in range(8)]
        assert any(not torch.equal(answer, answers[0]) for answer in answers) == changes
        module.eval()
        assert torch.equal(module.audio(sounds, keep)[0], module.audio(sounds, keep)[0])


def test_published_recipes_train_the_published_parameters():
    from asva_audio import MultiFeatureEncoder
    from asva_unet import AVSyncDUNet, KeyVIDUNet, audio_window_parameters

    def chosen(recipe, unet):
        patterns = load_recipe(recipe).trainable
        return {name: p for name, p in unet.named_parameters() if any(re.search(pattern, name) for pattern in patterns)}

    with torch.device("meta"):
        avsyncd, taps = AVSyncDUNet(), MultiFeatureEncoder()
        switches = {"audio_cross_attention": False, "frame_index_embedding": False, "audio_window_attention": True}
        window = KeyVIDUNet(**switches)
    new = chosen("avsyncd", avsyncd)
    assert new.keys() == avsyncd.trainable_parameters().keys()
    assert sum(p.numel() for p in new.values()) == 309_836_532
    windows = chosen("audio-window-pretrain", window)
    assert windows.keys() == audio_window_parameters(window).keys() == chosen("audio-window-finetune", window).keys()
    assert sum(p.numel() for p in [*windows.values(), *taps.parameters()]) == pytest.approx(55e6, rel=0.01)


def test_from_stable_diffusion_only_what_is_new_learns(task, tmp_path):
    from diffusers import UNet2DConditionModel

    names = ("down_block_types", "up_block_types", "block_out_channels", "layers_per_block", "norm_num_groups")
    config = {name: AVSYNCD[name] for name in (*names, "cross_attention_dim", "attention_head_dim")}
    UNet2DConditionModel(**config).save_pretrained(tmp_path / "sd" / "unet")
    made = task(
        "avsyncd",
        **{"models": {}, "trainable": ["_temp", "_audio"], "init.avsyncd_unet": str(tmp_path / "sd" / "unet")},
    )
    before = {name: p.clone() for name, p in made.module.unet.named_parameters()}
    run, _ = _train(made, tmp_path)
    new = made.module.unet.trainable_parameters()
    moved = {name for name, p in made.module.unet.named_parameters() if not torch.equal(p, before[name])}
    assert moved and moved <= new.keys()
    assert run.num_trainable == sum(p.numel() for p in new.values())
    assert read_component("avsyncd_unet", tmp_path / "avsyncd_unet").config.prediction_type == "epsilon"


def test_the_paper_s_switches_reach_the_network(task):
    unet = task("avsyncd", first_frame_conv=False, first_frame_attention=False).module.unet
    assert not unet.config.first_frame_conv and not unet.config.first_frame_attention and unet.config.audio
    assert not task("i2vd").module.unet.config.audio


def test_windows_learn_on_a_frozen_dynamicrafter(task, tmp_path):
    from asva_unet import KeyVIDUNet

    KeyVIDUNet(**WINDOW).save_pretrained(tmp_path / "dynamicrafter")
    made = task(
        "audio-window",
        **{
            "models": {},
            "train": [],
            "taps": {"imagebind": [0]},
            "trainable": ["audio_window"],
            "init.audio_window_unet": str(tmp_path / "dynamicrafter"),
        },
    )
    before = {name: p.clone() for name, p in made.module.named_parameters()}
    _train(made, tmp_path)
    moved = {name for name, p in made.module.named_parameters() if not torch.equal(p, before[name])}
    assert any("audio_window_unet" in name for name in moved)
    assert all(".audio_window." in name or "taps" in name for name in moved)
    again = task("audio-window", tmp_path, **_second_stage(tmp_path))
    for name, tensor in again.module.part("taps").state_dict().items():
        assert torch.equal(tensor, made.module.part("taps").state_dict()[name])


def _second_stage(folder):
    init = {f"init.{name}": str(folder / name) for name in ("audio_window_unet", "taps")}
    return {"models": {}, "train": [], "taps": {"imagebind": [0]}, "data.shots": 1, **init}


@pytest.mark.parametrize("taps", [{"imagebind": [1]}, {"imagebind": []}, {"beats": [-1]}])
def test_taps_that_an_encoder_has_not_are_named(task, taps):
    with pytest.raises(RunError, match=r"`taps\.(imagebind|beats)` must name blocks from 0 to"):
        task("audio-window", taps=taps)


def test_a_radius_that_leaves_a_frame_nothing_is_named(task):
    made = task("audio-window", radius=0.1)
    with pytest.raises(ValueError, match="`radius`"):
        made.module(_batch(made), generator_at(0))


def test_a_base_that_is_not_there_is_named(task):
    with pytest.raises(RunError, match="`base` must be a model's folder or name, got nowhere"):
        task("avsyncd", base="nowhere")


class Stop(Exception):
    """Ends a run in the middle."""


def _stop_at_three(progress):
    if progress.step == 3:
        raise Stop


def _forget_a_field(path):
    """As if the run had begun before the field existed."""
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["recipe"]["data"]["shots"]
    path.write_text(json.dumps(record), encoding="utf-8")


def test_a_resumed_run_ends_with_the_same_weights(task, tmp_path):
    fields = {"loop.max_steps": 4, "loop.save_every": 2, "encoder_drop_path": "official"}
    folders = tmp_path / "whole", tmp_path / "parts"
    _train(task("avsyncd", folders[0], **fields), folders[0])
    with pytest.raises(Stop):
        Run(task("avsyncd", folders[1], **fields), folders[1], device="cpu").train(_stop_at_three)
    _forget_a_field(folders[1] / "training" / "avsyncd" / "step-00000002" / "state.json")
    again = Run(task("avsyncd", folders[1], **fields), folders[1], device="cpu")
    assert again.resume() == 2
    again.train()
    whole, parts = (read_component("avsyncd_unet", folder / "avsyncd_unet").state_dict() for folder in folders)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("name", SPECIAL)
def test_the_loss_mixes_no_devices(task, name):
    learn_on_fake_gpu(task(name))
