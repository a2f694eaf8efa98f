"""Starts and frames of every protocol against the original code (parity asva/sampling_*)."""

import json
import os
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from asva_data import MediaError, random_start, sync_frames, sync_starts

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "asva"
RULES = ("uniform", "center-compact", "random-compact", "random")


def fixtures():
    found = sorted(FOLDER.glob("sampling_*.safetensors"))
    absent = pytest.mark.skip(reason=f"no parity fixtures sampling_* under {FOLDER}; set ASVA_PARITY_DIR")
    return [pytest.param(path, id=path.stem) for path in found] or [pytest.param(None, marks=absent)]


def load(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), load_file(path)


def number(value):
    """As the fixture's names write it."""
    return str(float(value))


@pytest.mark.parametrize("path", fixtures())
def test_shifted_starts(path):
    facts, tensors = load(path)
    seen = 0
    for case in facts["sync_sampling"]:
        name = f"out/sync_{number(case['start'])}_{number(case['end'])}_{case['num']}_{case['gap']}"
        for key, expected in tensors.items():
            head, _, kind = key.rpartition(".")
            if head != name:
                continue
            rule, _, seed = kind.partition("_seed")
            rule = rule.replace("_", "-")
            generator = random.Random(int(seed)) if seed else None
            starts = sync_starts(case["end"], num_clips=case["num"], shift=case["gap"], rule=rule, generator=generator)
            assert np.abs(starts - expected.numpy()).max() < 1e-12, key
            seen += 1
    assert seen >= len(facts["sync_sampling"])


@pytest.mark.parametrize("path", fixtures())
def test_frames_of_shifted_clips(path):
    facts, tensors = load(path)
    for case in facts["sync_dataset"]:
        spec, options = case["spec"], case["kwargs"]
        times = np.array([float(index / Fraction(spec["fps"])) for index in range(spec["n_frames"])])
        end = min(spec["video_duration"], spec["audio_duration"]) - 2
        starts = sync_starts(
            end,
            num_clips=options["num_clips"],
            shift=options["shift_time"],
            rule=options["sampling_type"],
            generator=random.Random(case["python_random_seed"]),
        )
        assert np.array_equal(sync_frames(times, starts), tensors[f"out/{case['name']}.frames"].numpy()), case["name"]


@pytest.mark.parametrize("path", fixtures())
def test_starts_of_training(path):
    facts, _ = load(path)
    for case in facts["train_dataset"]:
        duration = min(case["spec"]["video_duration"], case["spec"]["audio_duration"])
        assert random_start(duration, random.Random(case["seed"])) == case["start"], case["name"]


@pytest.mark.parametrize("rule", RULES)
def test_shifted_starts_rise_and_fit(rule):
    starts = sync_starts(5.0, num_clips=11, shift=0.3, rule=rule, generator=np.random.default_rng(1))
    assert starts[0] >= 0 and starts[-1] <= 5.0 + 1e-9
    assert np.diff(starts).min() >= 0.3 - 1e-9


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"end": 1.0}, "`end`"),
        ({"end": 9.0, "rule": "even"}, "`rule`"),
        ({"end": 9.0, "rule": "random"}, "`rule`"),
        ({"end": 9.0, "num_clips": 1}, "1 clips"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(MediaError, match=named):
        sync_starts(**arguments)
