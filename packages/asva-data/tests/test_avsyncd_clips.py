"""Clips as AVSyncD takes them, against the original code (parity asva/sampling_*, asva/image_preproc_*)."""

import json
import os
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from asva_data import MediaError, clip_frames, clip_pixels, clip_starts

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "asva"


def fixtures(name):
    found = sorted(FOLDER.glob(f"{name}_*.safetensors"))
    absent = pytest.mark.skip(reason=f"no parity fixtures {name}_* under {FOLDER}; set ASVA_PARITY_DIR")
    return [pytest.param(path, id=path.stem) for path in found] or [pytest.param(None, marks=absent)]


def load(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), load_file(path)


def times(spec):
    return np.array([float(index / Fraction(spec["fps"])) for index in range(spec["n_frames"])])


@pytest.mark.parametrize("path", fixtures("sampling"))
def test_starts_and_frames(path):
    facts, tensors = load(path)
    assert facts["cases"] and facts["train_dataset"]
    for case in facts["cases"]:
        spec = case["spec"]
        starts = clip_starts(min(spec["video_duration"], spec["audio_duration"]), case["num_clips"])
        torch.testing.assert_close(torch.from_numpy(starts), tensors[f"out/{case['name']}.starts"], rtol=0, atol=0)
        frames = np.stack([clip_frames(times(spec), start) for start in starts])
        assert np.array_equal(frames, tensors[f"out/{case['name']}.frames"].numpy()), case["name"]
    for case in facts["train_dataset"]:
        assert clip_frames(times(case["spec"]), case["start"]).tolist() == case["frames"], case["name"]
        room = min(case["spec"]["video_duration"], case["spec"]["audio_duration"]) - 2
        assert case["start"] == pytest.approx(max(random.Random(case["seed"]).uniform(0, room), 0))


@pytest.mark.parametrize("path", fixtures("image_preproc"))
def test_pixels(path):
    facts, tensors = load(path)
    for case in facts["cases"]:
        name, size = case["name"], case["size"]
        frames = tensors[f"in/{name}"].permute(0, 2, 3, 1).numpy()
        size = tuple(size) if isinstance(size, list) else size
        pixels = clip_pixels(frames, size)
        torch.testing.assert_close(pixels, tensors[f"out/{name}"], rtol=0, atol=1e-6)
        torch.testing.assert_close((pixels + 1) / 2, tensors[f"out/{name}_unnorm"], rtol=0, atol=1e-6)
        if f"out/{name}_flip" in tensors:
            flipped = (clip_pixels(frames, size, flip=True) + 1) / 2
            torch.testing.assert_close(flipped, tensors[f"out/{name}_flip"], rtol=0, atol=1e-6)


def test_nearest_takes_every_frame_of_a_video_of_that_rate():
    assert clip_frames(np.arange(12) / 6, 0.0, rule="nearest").tolist() == list(range(12))
    assert clip_frames(np.arange(12) / 6, 0.0).tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11]


def test_official_goes_half_a_frame_beyond_the_clip():
    assert clip_frames(np.arange(20) / 5.4, 0.0).tolist() == list(range(12))  # the last one at 2.04 s


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: clip_starts(3.0, 0), "`num_clips`"),
        (lambda: clip_starts(0.0), "`duration`"),
        (lambda: clip_frames(np.arange(3) / 25, 5.0), "`start`"),
        (lambda: clip_frames(np.arange(3) / 25, 0.0, rule="first"), "`rule`"),
        (lambda: clip_pixels(np.zeros((2, 3, 3), np.uint8), 4), "`frames`"),
        (lambda: clip_pixels(np.zeros((1, 4, 4, 3), np.uint8), 0), "`size`"),
    ],
)
def test_bad_arguments_are_named(call, named):
    with pytest.raises(MediaError, match=named):
        call()
