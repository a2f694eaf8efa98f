"""The head that carries texture: trained behind a model, resumed, and a part of the model after that."""

from itertools import product

import numpy as np
import torch
from fixtures.fake_gpu import learn_on_fake_gpu

from asva_audio import Audio, Track
from asva_interp import make_clip_plan
from asva_pipelines import KeyVIDPipeline
from asva_pipelines.long.video import LongVideo
from asva_train import Run, load_recipe, make_task
from asva_train.components import read_component
from asva_train.tasks.carry import pair_view


def recipe(model, **fields):
    return load_recipe(
        "tiny-carry",
        {
            "pipeline": str(model),
            "data.height": 32,
            "data.width": 32,
            "data.shots": 1,
            "data.classes": ["ball", "bell"],
            "data.workers": 0,
            "loop.max_steps": 2,
            "loop.batch_size": 2,
            "loop.log_every": 1,
            "model": {"channels": 8, "cell_channels": 8},
            **fields,
        },
    )


def test_it_is_trained_behind_a_model_and_becomes_a_part_of_it(small_model, tmp_path, monkeypatch):
    task, seen = make_task(recipe(small_model), tmp_path), []
    assert len(list(task.made.iterdir())) == task.source.num_clips == 2
    monkeypatch.setattr("asva_train.tasks.carry.load_pipeline", None)  # what was made is not made again
    Run(make_task(recipe(small_model), tmp_path), tmp_path, device="cpu").train(seen.append)
    assert seen and all(np.isfinite(one.losses["loss"]) and "gain" in one.losses for one in seen)
    carry = read_component("texture_carry", tmp_path / "texture_carry")
    clip, calls = task.source[0], {}
    for name, more in (("without", {}), ("with", {"texture_carry": carry})):
        pipeline = KeyVIDPipeline.from_pretrained(small_model, torch_dtype=torch.float32, **more)
        pipeline.set_progress_bar_config(disable=True)
        how = {"sample_rate": 16000, "generator": torch.Generator().manual_seed(0)}
        calls[name] = pipeline(clip.frames[0], torch.as_tensor(clip.waveform)[None], **how).frames
    assert calls["with"].shape == calls["without"].shape and (calls["with"] != calls["without"]).any()
    pipeline.save_pretrained(tmp_path / "whole")
    again = KeyVIDPipeline.from_pretrained(tmp_path / "whole", torch_dtype=torch.float32)
    again.set_progress_bar_config(disable=True)
    plan = make_clip_plan(2.0, 24, native_fps=24, window_size=48)
    long = LongVideo(again, plan, clip.frames[0], Track.of(Audio(torch.as_tensor(clip.waveform)[None], 16000)))
    np.testing.assert_allclose(np.stack(list(long.frames())).astype(int), calls["with"], atol=1)


def test_pairs_are_turned_alike(small_model, tmp_path):
    task = make_task(recipe(small_model), tmp_path)
    clip = task.source[0]
    made = np.load(next(path for path in task.made.iterdir() if path.stem in str(path)), allow_pickle=False)["frames"]
    assert made.shape == clip.frames.shape
    found = set()
    for seed in range(16):
        view = pair_view(clip, torch.Generator().manual_seed(seed), task.made, 48)
        turned = next(
            (down, right)
            for down, right in product((1, -1), repeat=2)
            if np.array_equal(view["moving"], clip.moving[:, ::down, ::right])
        )
        true = clip.frames[:, :: turned[0], :: turned[1]]
        colours = [
            next(old for old in range(3) if np.array_equal(true[..., old], view["frames"][..., new]))
            for new in range(3)
        ]
        np.testing.assert_array_equal(view["picture"], true[0][..., colours])
        found.add((turned, tuple(colours)))
        assert view["decoded"].shape == view["frames"].shape and sorted(view["decoded"].ravel()) != []
    assert len({one for one, _ in found}) == 4 and len({one for _, one in found}) > 2


def test_the_loss_mixes_no_devices(small_model, tmp_path):
    learn_on_fake_gpu(make_task(recipe(small_model), tmp_path))
