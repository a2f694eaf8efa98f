"""Sync-C and Sync-D: planted shifts, a loop, equality with SyncNet's own search."""

import numpy as np
import pytest

from asva_metrics import lip_sync, shifted_lip_sync


@pytest.mark.parametrize("shift", [-7, 0, 4])
def test_finds_a_planted_shift(shift):
    rng = np.random.default_rng(0)
    walk = rng.normal(size=(80, 8)).cumsum(0)
    video, audio = walk[20:60], walk[20 + shift : 60 + shift] + rng.normal(0, 0.01, size=(40, 8))
    result = lip_sync(audio, video)
    assert result.offset == shift
    assert result.sync_d < 6
    assert result.sync_c > 1


def test_against_a_loop():
    rng = np.random.default_rng(1)
    video, audio = rng.normal(size=(2, 6, 3))
    for s in range(-2, 3):
        sounds = [audio[i + s] if 0 <= i + s < 6 else np.zeros(3) for i in range(6)]
        mean = np.mean([np.linalg.norm(v - a + 1e-6) for v, a in zip(video, sounds, strict=True)])
        assert lip_sync(audio, video, max_shift=2).distances[s + 2] == pytest.approx(mean)


def test_chance_is_of_shifts_beyond_the_search():
    audio, video = np.random.default_rng(2).normal(size=(2, 9, 3))
    found = shifted_lip_sync(audio, video, max_shift=2)
    expected = [lip_sync(np.roll(audio, k, axis=0), video, max_shift=2) for k in range(3, 7)]
    assert [one.sync_d for one in found] == [one.sync_d for one in expected]
    assert shifted_lip_sync(audio[:5], video[:5], max_shift=2) == []


def test_bad_input():
    with pytest.raises(ValueError, match="`audio` must have the shape of `video`"):
        lip_sync(np.ones((5, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="must have the shape"):
        lip_sync(np.ones((0, 3)), np.ones((0, 3)))
    with pytest.raises(ValueError, match="`max_shift` must be at least 1"):
        lip_sync(np.ones((4, 3)), np.ones((4, 3)), max_shift=0)
    with pytest.raises(ValueError, match="`video` must be finite"):
        lip_sync(np.ones((4, 3)), np.full((4, 3), np.nan))


@pytest.mark.parity("mtv/syncnet_*.json", without="syncnet_net")
def test_matches_syncnet(parity, note):
    features = parity.arrays(parity.name.replace("syncnet_", "syncnet_feats_") + ".npz")
    for case in parity.config["cases"]:
        result = lip_sync(
            *(features[f"{case['name']}.{side}"] for side in ("audio", "video")), max_shift=case["vshift"]
        )
        assert (result.offset, int(result.distances.argmin())) == (case["offset"], case["argmin"])
        for actual, name in (
            (result.sync_c, "confidence"),
            (result.sync_d, "min_dist"),
            (result.distances, "mdist"),
            (result.frame_confidence, "framewise_conf_medfilt9"),
        ):
            note(actual, case[name])
            np.testing.assert_allclose(actual, case[name], rtol=0, atol=1e-5)
