"""Latents and tokens stored once: training on them is training on the videos, and other encoders are refused."""

import csv
import json
import shutil

import pytest
import torch

from asva_data import SyntheticWorld, TarShards, write_video
from asva_train import DataRecipe, Run, RunError, load_recipe, make_task
from asva_train.clips import clip_source
from asva_train.draws import generator_at
from asva_train.fingerprints import component_hash
from asva_train.precompute import precompute
from asva_train.run_order import collate

SMALL = {"height": 16, "width": 16, "seed": 3, "workers": 0}
UNET = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [32, 32],
    "attention_levels": [False, True],
    "layers_per_block": 1,
    "attention_head_dim": 16,
    "cross_attention_dim": 16,
    "audio_embed_dim": 16,
    "norm_num_groups": 8,
    "init_attention": False,
    "dropout": 0.0,
    "prediction_type": "residual",
}


def recipe(model, task="keyframe", **fields):
    """A small training whose encoders are the model's and stay as they are."""
    unet = UNET | {"in_channels": 8 if task == "keyframe" else 9}
    overrides = {f"data.{name}": value for name, value in SMALL.items()}
    overrides |= {"base": str(model), "train": [], "models": {f"{task}_unet": unet}, "loop.mixed_precision": "no"}
    overrides |= {"loop.max_steps": 2, "loop.batch_size": 2, "loop.log_every": 1}
    return load_recipe(f"tiny-{task}", overrides | {name.replace("__", "."): v for name, v in fields.items()})


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Three clips of 2.5 s in two classes, one that is no video, and one that breaks off in the middle."""
    folder = tmp_path_factory.mktemp("raw")
    for place, name in enumerate(("bells/a b", "bells/b", "drums/c", "drums/cut")):
        clip = SyntheticWorld(seed=place, size=32, num_frames=60, two_objects=0.0)[place + 3]
        path = folder / f"{name}.mkv"
        path.parent.mkdir(exist_ok=True)
        write_video(path, clip.frames, fps=24, waveform=clip.waveform, sample_rate=16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 5])
    (folder / "bells" / "none.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def shards(raw, small_model, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "shards"
    precompute(DataRecipe(kind="folder", root=raw, **SMALL), small_model, output, passes=2, device="cpu")
    return output


def test_every_video_is_accounted_for(shards, raw):
    index = json.loads((shards / "index.json").read_text(encoding="utf-8"))
    counts = index["counts"]
    assert counts["stored"] == 2 * 3 and counts["failed"] == sum(counts["reasons"].values())
    with (shards / "failures.csv").open(newline="", encoding="utf-8") as file:
        failures = list(csv.DictReader(file))
    assert {row["path"] for row in failures} == {"bells/none.mp4", "drums/cut.mkv"}
    assert len(TarShards(sorted(shards.glob("*.tar")))) == 6
    assert sorted(path.name for path in shards.iterdir()) == [
        "failures.csv", "index.json", "nothing.safetensors", "samples.csv", "shard-000000.tar"
    ]  # fmt: skip


def batches(task, indices):
    return collate([task.view(task.source[index], generator_at(0, 1, index)) for index in indices])


@pytest.mark.parametrize("task", ["keyframe", "interp"])
def test_losses_are_those_of_the_videos(task, shards, raw, small_model, tmp_path):
    good = tmp_path / "good"  # without the file that is put away with another in its place
    shutil.copytree(raw, good)
    (good / "drums" / "cut.mkv").unlink()
    stored_again = tmp_path / "shards"
    precompute(DataRecipe(kind="folder", root=good, **SMALL), small_model, stored_again, passes=2, device="cpu")
    make = {"dropout": {"text": 0.4, "image": 0.4, "audio": 0.4}, "dropout_rule": "independent"}
    seen = make_task(recipe(small_model, task, data__kind="folder", data__root=str(good), **make), tmp_path / "a")
    kept = make_task(
        recipe(small_model, task, data__kind="latents", data__root=str(stored_again), **make), tmp_path / "b"
    )
    assert kept.source.num_clips == seen.source.num_clips == 3
    for step in range(3):  # two epochs
        indices = [2 * step, 2 * step + 1]
        one, two = batches(seen, indices), batches(kept, indices)
        assert torch.equal(one["frame_indices"], two["frame_indices"]) and torch.equal(one["known"], two["known"])
        losses = [
            task_.module(batch, generator_at(5, step)) for task_, batch in ((seen, one), (kept, two))
        ]  # fmt: skip
        torch.testing.assert_close(losses[0]["loss"], losses[1]["loss"], rtol=5e-3, atol=1e-4)


def test_training_runs_and_previews(shards, small_model, tmp_path):
    run = Run(make_task(recipe(small_model, data__kind="latents", data__root=str(shards)), tmp_path), tmp_path)
    steps = []
    run.train(steps.append)
    assert len(steps) == 2 and (tmp_path / "keyframe_unet" / "config.json").is_file()


def test_towers_that_learn_see_picture_and_words(shards, small_model, tmp_path):
    fields = {"train": ["text_encoder", "image_encoder"], "models": {"keyframe_unet": UNET}}
    task = make_task(recipe(small_model, data__kind="latents", data__root=str(shards), **fields), tmp_path)
    batch = batches(task, [0, 1])
    assert batch["picture"].shape == (2, 16, 16, 3) and set(batch["caption"]) <= {"bells", "drums"}
    assert torch.isfinite(task.module(batch, generator_at(0))["loss"])


def test_other_encoders_are_refused(shards, small_model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(small_model, other)
    config = json.loads((other / "vae" / "config.json").read_text(encoding="utf-8"))
    (other / "vae" / "config.json").write_text(json.dumps(config | {"scaling_factor": 0.25}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"`vae` must be the one that .* was made with"):
        make_task(recipe(other, data__kind="latents", data__root=str(shards)), tmp_path / "run")
    assert component_hash(other / "text_encoder") == component_hash(small_model / "text_encoder")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data__height": 32}, "`data.height` must be 16"),
        ({"data__fps": 12.0}, "`data.fps` must be 24"),
        ({"data__wrong_sound": 0.5}, "`data.wrong_sound` must be 0"),
        ({"data__root": "nowhere"}, "must be a folder that `asva data precompute` has finished"),
        ({"train": ["audio_encoder"], "init__audio_encoder": "{model}/audio_encoder"}, "leave audio_encoder out"),
    ],
)
def test_what_does_not_fit_is_said(fields, message, shards, small_model, tmp_path):
    fields = {
        name: value.format(model=small_model) if isinstance(value, str) else value for name, value in fields.items()
    }
    with pytest.raises(ValueError, match=message):
        make_task(recipe(small_model, **{"data__kind": "latents", "data__root": str(shards)} | fields), tmp_path)


def test_trainings_on_pixels_or_sound_say_so(shards):
    for name in ("tiny-vae", "tiny-localizer", "tiny-sync"):
        fields = {"data.kind": "latents", "data.root": str(shards)}
        with pytest.raises(RunError, match=r"must not be latents .*needs the videos themselves"):
            make_task(load_recipe(name, fields), shards)


def test_a_stopped_run_goes_on(raw, small_model, tmp_path, monkeypatch):
    from asva_train.encoders import Encoders

    data, output, encoded = DataRecipe(kind="folder", root=raw, **SMALL), tmp_path / "shards", []
    encode = Encoders.__call__

    def stop_at_third(self, clip):
        encoded.append(clip.caption)
        if len(encoded) == 3:
            raise KeyboardInterrupt
        return encode(self, clip)

    monkeypatch.setattr(Encoders, "__call__", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        precompute(data, small_model, output, device="cpu")
    with pytest.raises(ValueError, match="has finished"):
        clip_source(DataRecipe(kind="latents", root=output, **SMALL))
    assert precompute(data, small_model, output, device="cpu")["counts"]["stored"] == 3
    assert len(encoded) == 4  # the one that was stopped, once more
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    precompute(data, small_model, output, device="cpu")
    assert len(encoded) == 4 and {path.name: path.read_bytes() for path in output.iterdir()} == before
    with pytest.raises(RunError, match="same model, clips and passes"):
        precompute(data, small_model, output, passes=2, device="cpu")
