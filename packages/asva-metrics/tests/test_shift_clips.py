"""Shifted clips: starts, frames and packets as the original loaders take them (parity asva/sampling_*)."""

import numpy as np
import pytest

from asva_metrics import shift_accuracy, shift_frames, shift_packets, shift_starts


class Draw:
    """Stands for a generator: hands out one number."""

    def __init__(self, share):
        self.share = share

    def uniform(self, low, high):
        return low + (high - low) * self.share


@pytest.mark.parity("asva/sampling_*.json")
def test_starts_match(parity, note):
    import random

    assert parity.config["sync_sampling"]
    for case in parity.config["sync_sampling"]:
        latest, count, gap = (case[name] for name in ("end", "num", "gap"))
        name = f"sync_{case['start']}_{latest}_{count}_{gap}"
        for kind, draw in (("center_compact", None), ("random_compact_seed5", Draw(random.Random(5).random()))):
            expected = parity.outputs[f"{name}.{kind}"].numpy()
            starts = shift_starts(latest, count, gap=gap, generator=draw)
            np.testing.assert_allclose(starts, expected, rtol=0, atol=1e-12)
            note(starts, expected)


@pytest.mark.parity("asva/sampling_*.json")
def test_frames_and_packets_match(parity):
    for case in parity.config["sync_dataset"]:
        spec, name, options = case["spec"], case["name"], case["kwargs"]
        gap, count = options["shift_time"], options["num_clips"]
        first = float(parity.outputs[f"{name}.seeks"][0]) - 1e-4
        starts = first + gap * np.arange(count)
        if options["sampling_type"] == "center-compact":
            duration = min(spec["video_duration"], spec["audio_duration"])
            np.testing.assert_allclose(shift_starts(duration - 2, count, gap=gap), starts, rtol=0, atol=1e-9)
        times = np.arange(spec["n_frames"]) / float(spec["fps"])
        assert np.array_equal(shift_frames(times, starts), parity.outputs[f"{name}.frames"].numpy())
        packets = np.arange(0, spec["audio_samples"], 1024)
        for start, expected in zip(starts, parity.outputs[f"{name}.audio_len_first_last"].long().tolist(), strict=True):
            taken = packets[shift_packets(np.round(packets / spec["audio_sr"] * 1e6), start)]
            length = min(taken[-1] + 1024, spec["audio_samples"]) - taken[0]
            assert [length, taken[0], taken[0] + length - 1] == expected


def test_starts_lie_in_the_video():
    assert shift_starts(4.0).tolist() == pytest.approx(np.arange(21) * 0.2)
    drawn = shift_starts(8.0, generator=np.random.default_rng(0))
    assert 0 <= drawn[0] and drawn[-1] <= 8 and np.allclose(np.diff(drawn), 0.2)
    with pytest.raises(ValueError, match="`latest` must be at least 4 s for 21 clips"):
        shift_starts(3.0)
    with pytest.raises(ValueError, match="`starts` must lie within the video"):
        shift_frames(np.arange(3) / 25, [5.0])


def test_accuracy_counts_clips_near_the_middle():
    phi = np.zeros((4, 31))
    phi[[0, 1, 2, 3], [15, 20, 10, 21]] = 1
    assert shift_accuracy(phi) == 0.75
    assert shift_accuracy(phi, tolerance=6) == 1.0
    assert np.isnan(shift_accuracy(np.zeros((0, 31))))
    with pytest.raises(ValueError, match="k odd"):
        shift_accuracy(np.zeros((2, 30)))
