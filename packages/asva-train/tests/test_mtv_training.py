"""``asva train mtv``: what learns, what is given, what is dropped; exact to resume, and a pipeline at its end."""

import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
import yaml
from fixtures.fake_gpu import learn_on_fake_gpu

from asva_dit.masks import PATTERNS, draw_masks
from asva_dit.training import second_speaker
from asva_pipelines.mtv.parts import read_part
from asva_train import Run, load_recipe, make_task
from asva_train.assemble import assemble
from asva_train.draws import generator_at
from asva_train.mtv_clips import stems_of
from asva_train.run_order import collate

NETWORK = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "in_channels": 8,
    "out_channels": 8,
    "time_embed_dim": 16,
    "text_embed_dim": 16,
    "num_layers": 1,
    "sample_width": 4,
    "sample_height": 4,
    "max_text_seq_length": 24,
    "use_rotary_positional_embeddings": True,
}
CONTROL = {
    "audio_layers": 2,
    "audio_channels": 8,
    "audio_hidden_dim": 16,
    "audio_tokens": 2,
    "audio_dim": 16,
    "interaction_layers": 1,
    "interaction_heads": 2,
}
SMALL = {
    "data": {"kind": "tracks", "height": 32, "width": 32, "num_frames": 25, "fps": 24, "workers": 0},
    "loop.max_steps": 2,
    "loop.batch_size": 1,
    "loop.log_every": 1,
    "loop.ema_decay": None,
    "loop.save_every": 1,
    "models": {
        "mtv_transformer": NETWORK | CONTROL,
        "vae": {"patch_size": 8, "latent_channels": 8},
        "audio_encoder": {"fps": 24, "num_hidden_layers": 2, "hidden_size": 8},
        "text_encoder": {
            "vocab_size": 300,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 24,
            "bos_token_id": 0,
            "eos_token_id": 1,
        },
    },
}


def recipe_of(**changes):
    return load_recipe(
        "tiny-mtv", deepcopy(SMALL) | {name.replace("__", "."): value for name, value in changes.items()}
    )


@pytest.fixture(scope="module", autouse=True)
def few_clips():
    """A fit of the patches on few clips, for speed."""
    import asva_train.tasks.mtv as module

    kept, module._FITTED = module._FITTED, 2
    yield
    module._FITTED = kept


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model folder after two steps."""
    folder = tmp_path_factory.mktemp("mtv") / "run"
    Run(make_task(recipe_of(), folder), folder, device="cpu").train()
    return folder


def batch_of(task, *indices):
    return collate([task.view(task.source[index], generator_at(0)) for index in indices])


def weights(folder):
    return read_part("mtv_transformer", folder / "mtv_transformer").state_dict()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained / "tokenizer", folder / "tokenizer")  # learning one twice may number words otherwise
    run = Run(make_task(recipe_of(), folder), folder, device="cpu")

    def stop(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train(stop)
    again = Run(make_task(recipe_of(), folder), folder, device="cpu")
    assert again.resume() == 1
    again.train()
    first, second = weights(trained), weights(folder)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_parts_become_a_pipeline(trained, tmp_path):
    settings = {"family": "mtv", "num_frames": 25, "height": 32, "width": 32, "fps": 24, "num_inference_steps": 1}
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(settings | {"prediction_type": "residual"}), encoding="utf-8")
    from asva_pipelines import load_pipeline

    model = assemble(trained, tmp_path / "model", path, dtype=torch.float32)
    pipeline = load_pipeline(model, device="cpu")
    task = make_task(recipe_of(), trained)
    clip = task.source[0]
    tracks = dict(zip(("speech", "effects", "music"), torch.as_tensor(clip.stems)[:, None], strict=True))
    out = pipeline(clip.caption, **tracks, image=clip.frames[0], sample_rate=16000, num_frames=30)
    assert out.frames.shape == (30, 32, 32, 3)


def test_the_preview_is_what_the_pipeline_sees_first(trained):
    preview = make_task(recipe_of(), trained).previews()["mtv"]
    assert preview.shape == (25, 64, 32, 3) and preview.dtype == torch.uint8


def test_training_hears_what_the_pipeline_hears(trained):
    from asva_pipelines.mtv.tracks import read_tracks

    task = make_task(recipe_of(), trained)
    clip = task.source[3]
    given = dict(zip(("speech", "effects", "music"), torch.as_tensor(clip.stems)[:, None], strict=True))
    heard = read_tracks(None, given, 16000).mono(25 / 24)
    for place, name in enumerate(given):
        np.testing.assert_allclose(stems_of(clip, "separate")[place], heard[name][0], atol=1e-6)


def test_the_mix_in_all_tracks_is_an_ablation(trained):
    clip = make_task(recipe_of(), trained).source[0]
    mixed = stems_of(clip, "mix")
    shapes = [track / np.abs(track).max() for track in mixed]
    np.testing.assert_allclose(shapes[0], shapes[1], atol=1e-5)
    assert mixed.shape == clip.stems.shape


@pytest.mark.parametrize(
    ("learns", "attention", "others"), [("control", 0, 0), ("attention", 1, 0), ("everything", 1, 1)]
)
def test_what_learns(trained, learns, attention, others):
    task = make_task(recipe_of(learns=learns), trained)
    moves = {name: weight.requires_grad for name, weight in task.module.unet.named_parameters()}
    assert all(moves[name] for name in moves if name.startswith("control.") or ".control." in name)
    assert moves["transformer_blocks.0.attn1.to_q.weight"] == bool(attention)
    assert moves["proj_out.weight"] == moves["transformer_blocks.0.ff.net.2.weight"] == bool(others)


def test_given_frames_count_only_where_the_recipe_says(trained):
    losses = {}
    for given_loss in (True, False):
        task = make_task(recipe_of(given_loss=given_loss, frame_masks={"first": 1.0}), trained)
        loss, clips = task.module.loss, task.module.clips(batch_of(task, 0))
        question = loss.question(clips, draw_masks(task.recipe.frame_masks, 1, 7, generator_at(1)))
        assert question.given.tolist() == [[True] + [False] * 6]
        noise = torch.randn(clips.latents.shape, generator=generator_at(2))
        losses[given_loss] = loss.losses(question, torch.tensor([999]), noise)
        torch.testing.assert_close(question.clips.latents, task.module.encode(batch_of(task, 0)["frames"]))
    assert losses[True]["loss"] != losses[False]["loss"]


def test_v_prediction_is_the_published_target(trained):
    loss = make_task(recipe_of(prediction_type="v_prediction"), trained).module.loss
    clean, noise = torch.ones(1, 2, 1, 1, 1), 2 * torch.ones(1, 2, 1, 1, 1)
    target, weight = loss.target(clean, noise, clean, torch.tensor(0.36).view(1, 1, 1, 1, 1))
    torch.testing.assert_close(target, torch.full_like(clean, 0.6 * 2 - 0.8))
    assert (weight == 1).all() and float(loss.alphas_cumprod[-1]) == 0.0


def test_dropped_conditions_are_zeros(trained):
    task = make_task(recipe_of(), trained)
    clips, lost, kept = task.module.clips(batch_of(task, 0)), torch.tensor([True]), torch.tensor([False])
    without = [task.module.loss.without(clips, drop, drop) for drop in (lost, kept)]
    assert (without[0].text == 0).all() and (without[1].text != 0).any()
    assert all((part == 0).all() for part in without[0].tracks.values())
    assert all((part != 0).any() for part in without[1].tracks.values())


def test_masks_are_drawn_as_often_as_asked():
    shares = {"first": 0.4, "interleaved": 0.3}
    masks = draw_masks(shares, 2000, 13, torch.Generator().manual_seed(0))
    first, interleaved = masks.sum(1) == 1, masks.sum(1) == 7
    assert masks[first][:, 0].all() and masks[interleaved][:, ::2].all()
    assert abs(first.float().mean() - 0.4) < 0.04 and abs(interleaved.float().mean() - 0.3) < 0.04
    for name in PATTERNS:
        mask = draw_masks({name: 1.0}, 1, 13, torch.Generator().manual_seed(1))[0]
        assert 0 < mask.sum() < 13, name


def test_a_base_is_given_a_control_that_says_nothing_yet(trained, tmp_path):
    from diffusers import CogVideoXTransformer3DModel

    base = CogVideoXTransformer3DModel(**NETWORK)
    base.save_pretrained(tmp_path / "cogvideox")
    models = {name: config for name, config in SMALL["models"].items() if name != "mtv_transformer"}
    changes = {"models": models, "init.mtv_transformer": str(tmp_path / "cogvideox"), "control": CONTROL}
    task = make_task(recipe_of(**changes, learns="attention"), tmp_path / "run")
    network = task.module.unet
    assert torch.equal(network.proj_out.weight, base.proj_out.weight) and network.config.audio_dim == 16
    task.export(tmp_path / "out")
    assert (tmp_path / "out" / "control.safetensors").is_file()
    grown = make_task(
        recipe_of(
            **(changes | {"init.mtv_transformer": str(tmp_path / "out" / "mtv_transformer")}),
            **{"control.num_speakers": 2},
        ),
        tmp_path / "run",
    )
    loss = grown.module(batch_of(grown, 0), generator_at(0))["loss"]
    assert grown.module.unet.config.num_speakers == 2 and torch.isfinite(loss)


def test_a_second_speaker_starts_as_the_first(trained):
    one = read_part("mtv_transformer", trained / "mtv_transformer")
    two = second_speaker(one)
    block = two.transformer_blocks[0].control
    assert torch.equal(block.speech[0].to_q.weight, block.speech[1].to_q.weight)
    assert not any(parameter.is_meta for parameter in two.parameters())


def test_stored_tracks_and_a_second_voice_are_heard(trained, tmp_path):
    """The tracks of a folder's sounds lie beside its videos, and a second person's voice with them."""
    from asva_audio import Audio, write_sound
    from asva_data import write_video
    from asva_train.beside import store_stems

    clip = make_task(recipe_of(), trained).source[0]
    home = tmp_path / "videos" / "a_stage"
    home.mkdir(parents=True)
    longer = {"frames": np.tile(clip.frames, (2, 1, 1, 1)), "waveform": np.tile(clip.waveform[None], 2)}
    write_video(home / "0.mkv", **longer, fps=24, sample_rate=16000)
    data = {"kind": "folder", "root": str(tmp_path / "videos"), "stems": "beside", "framing": "inference"}
    fields = {f"data.{name}": value for name, value in data.items()}
    with pytest.raises(ValueError, match=r"`data.stems` must hold .*got no speech.wav in .* `asva data stems`"):
        make_task(load_recipe("tiny-mtv", deepcopy(SMALL) | fields), trained)
    assert store_stems(tmp_path / "videos") == [] and (home / "0" / "stems.json").is_file()
    one = make_task(load_recipe("tiny-mtv", deepcopy(SMALL) | fields), trained)
    for index in range(3):  # the piece of the tracks is that of the sound
        np.testing.assert_allclose(one.source[index].stems.sum(0), one.source[index].waveform, atol=2e-3)
    fields |= {"data.voices": 2, "control.num_speakers": 2, "models": {}, "base": str(trained)}
    two = make_task(load_recipe("tiny-mtv", deepcopy(SMALL) | fields), tmp_path / "run")
    with pytest.raises(ValueError, match=r"speech2.wav"):
        batch_of(two, 0)
    write_sound(home / "0" / "speech2.wav", Audio(torch.as_tensor(clip.stems[1:2]), 16000))
    heard = two.module.audio(batch_of(two, 0)["stems"], 25)["speech_embeds"]
    assert heard.shape[1] == 2 and not torch.equal(heard[:, 0], heard[:, 1]) and heard[:, 1].abs().sum() > 0
    silent = two.module.audio(batch_of(two, 0)["stems"][:, :3], 25)["speech_embeds"]
    assert torch.equal(silent[:, 0], heard[:, 0]) and (silent[:, 1] == 0).all()
    assert torch.isfinite(two.module(batch_of(two, 0), generator_at(0))["loss"])


def test_a_network_takes_sounds_apart(trained, monkeypatch):
    from dataclasses import replace

    from asva_audio import Stems
    from asva_train import mtv_clips

    asked = []

    def network(weights):
        asked.append(weights)
        return lambda waveform, rate: Stems(0 * waveform, 0 * waveform, waveform, rate)

    monkeypatch.setattr(mtv_clips, "_network", network)
    task = make_task(recipe_of(stems="weights.th"), trained)
    clip = replace(task.source[0], stems=None)
    stems = task.view(clip, generator_at(0))["stems"]
    assert [str(path) for path in asked] == ["weights.th"] and (stems[:2] == 0).all() and np.abs(stems[2]).max() > 0


@pytest.fixture(scope="module")
def stored(trained, tmp_path_factory):
    """A training on a video, and the same on what was computed of it once: ``stored(where, **changes)``."""
    from asva_data import write_video
    from asva_train.precompute import precompute

    home = tmp_path_factory.mktemp("stored")
    clip = make_task(recipe_of(), trained).source[0]
    (home / "videos" / "a_stage").mkdir(parents=True)
    longer = {"frames": np.tile(clip.frames, (2, 1, 1, 1)), "waveform": np.tile(clip.waveform[None], 2)}
    write_video(home / "videos" / "a_stage" / "0.mkv", **longer, fps=24, sample_rate=16000)

    def fields(where, **changes):
        data = {"data.kind": where, "data.root": str(home / ("videos" if where == "folder" else "shards"))}
        more = {"models": {}, "base": str(trained), "train": [], "prediction_type": "v_prediction"}
        return load_recipe(
            "tiny-mtv", deepcopy(SMALL) | data | more | {n.replace("__", "."): v for n, v in changes.items()}
        )

    recipe = fields("folder")
    precompute(recipe.data, trained, home / "shards", recipe=recipe, device="cpu", passes=2)
    return fields


def test_losses_from_stored_latents_are_those_of_the_videos(stored, tmp_path):
    videos, latents = (make_task(stored(where), tmp_path / where) for where in ("folder", "latents"))
    assert "text_encoder" not in latents.module.frozen
    for index in range(2):
        losses = [task.module(batch_of(task, index), generator_at(3))["loss"] for task in (videos, latents)]
        torch.testing.assert_close(*losses, rtol=2e-3, atol=1e-4)
    heard = [task.module.clips(batch_of(task, 1)).tracks for task in (videos, latents)]
    for name in ("speech_embeds", "effects_embeds", "music_embeds"):
        torch.testing.assert_close(heard[1][name], heard[0][name], rtol=2e-3, atol=5e-3)
    assert latents.previews()["mtv"].shape == (25, 64, 32, 3)
    Run(latents, tmp_path / "latents", device="cpu").train()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tracks": "mix"}, "`tracks` must be separate, as in .*, got mix"),
        ({"data__voices": 2}, "`voices` must be 1, as in "),
        ({"prediction_type": "residual"}, "`prediction_type` must be v_prediction with stored latents"),
        ({"train": ["text_encoder"]}, "`train` must leave text_encoder out"),
    ],
)
def test_what_does_not_fit_stored_latents_is_said(stored, tmp_path, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_task(stored("latents", **changes), tmp_path)


def test_a_frozen_text_encoder_runs_in_half_precision(stored, tmp_path):
    half, full = (make_task(stored("folder", text_precision=kind), tmp_path) for kind in ("bfloat16", "float32"))
    assert (
        half.module.part("text_encoder").dtype == torch.bfloat16
        and load_recipe("mtv-face").text_precision == "bfloat16"
    )
    texts = [task.module.clips(batch_of(task, 0)).text for task in (half, full)]
    assert texts[0].dtype == torch.float32 and not torch.equal(*texts)
    torch.testing.assert_close(*texts, rtol=0.05, atol=0.05)
    assert torch.isfinite(half.module(batch_of(half, 0), generator_at(0))["loss"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data__num_frames": 24}, r"`num_frames` must be 4k \+ 1 .*got 24"),
        ({"frame_masks": {"middle": 0.1}}, "`frame_masks` must be shares of first"),
        ({"frame_masks": {"first": 0.9, "last": 0.2}}, "that sum to at most 1"),
        ({"data__width": 64}, "`height` must equal `width`"),
    ],
)
def test_bad_recipes(trained, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_task(recipe_of(**changes), trained)


@pytest.mark.parametrize("stage", ["face", "single", "multiple", "sound-event", "mood"])
def test_the_five_stages_are_recipes(stage):
    recipe = load_recipe(f"mtv-{stage}", {"data.root": "videos"})
    assert recipe.stage == stage and recipe.prediction_type == "v_prediction" and recipe.learns == "attention"
    assert (recipe.loop.max_steps, recipe.loop.learning_rate, recipe.loop.max_grad_norm) == (40000, 1e-5, 0.1)
    assert recipe.dropout == {"text": 0.1, "audio": 0.05} and recipe.frame_masks["first"] == 0.22
    assert recipe.control.get("num_speakers", 1) == (2 if stage == "multiple" else 1)


def test_the_loss_mixes_no_devices(trained):
    learn_on_fake_gpu(make_task(recipe_of(), trained))
