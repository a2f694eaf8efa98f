"""Kernel distance, inception score, MKL, DeSync and cosines: loops, edges, the published codes."""

import numpy as np
import pytest

from asva_metrics import (
    avh_score,
    cosine_similarity,
    desync,
    inception_score,
    javis_score,
    kernel_distance,
    kernel_distance_of_subsets,
    kernel_jackknife,
    paired_divergence,
    temporal_consistency,
)


def naive_kernel_distance(x, y):
    k = lambda a, b: (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3  # noqa: E731
    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_kernel_distance_against_loops():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)), rng.normal(0.5, 1.0, size=(5, 3))
    assert kernel_distance(x, y) == pytest.approx(naive_kernel_distance(x, y))


def test_kernel_distances_without_each_group():
    rng = np.random.default_rng(4)
    x, y, groups = rng.normal(size=(30, 6)), rng.normal(0.3, 1.2, size=(30, 6)), rng.integers(0, 4, 30)
    whole, without = kernel_jackknife(x, y, groups)
    assert whole == pytest.approx(kernel_distance(x, y), rel=1e-12)
    expected = [kernel_distance(x[groups != one], y[groups != one]) for one in range(4)]
    np.testing.assert_allclose(without, expected, rtol=1e-11)
    with pytest.raises(ValueError, match="30 features on both sides, got 29"):
        kernel_jackknife(x, y, groups[1:])
    with pytest.raises(ValueError, match="leave at least 2 features, got 0"):
        kernel_jackknife(x, y, np.zeros(30, int))


def test_kernel_distance_of_subsets():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(0.5, 1.0, size=(30, 3))
    whole = kernel_distance_of_subsets(x, x, generator=rng, num_subsets=3, subset_size=40)
    assert whole.mean == pytest.approx(kernel_distance(x, x))
    parts = kernel_distance_of_subsets(x, y, generator=rng, num_subsets=200, subset_size=20)
    assert parts.mean == pytest.approx(kernel_distance(x, y), abs=4 * parts.std / np.sqrt(200) + 0.1)
    with pytest.raises(ValueError, match="`subset_size` must lie between 2 and the 30 features"):
        kernel_distance_of_subsets(x, y, generator=rng)


def test_inception_score_of_clear_and_of_equal_predictions():
    clear = np.eye(4).repeat(5, axis=0) * 100
    assert inception_score(clear, num_splits=1).mean == pytest.approx(4.0)
    assert inception_score(np.ones((20, 4)), num_splits=2).mean == pytest.approx(1.0)
    with pytest.raises(ValueError, match="`num_splits` must lie between"):
        inception_score(clear[:5])


def test_paired_divergence():
    logits = np.random.default_rng(0).normal(size=(6, 5))
    assert paired_divergence(logits, logits) == pytest.approx(0.0, abs=1e-4)
    assert paired_divergence(logits, logits[::-1], activation="sigmoid") > 0.1
    assert np.isfinite(paired_divergence(1e4 * logits, 1e4 * logits[::-1]))
    with pytest.raises(ValueError, match="must have the shape of `reference`"):
        paired_divergence(logits, logits[:3])


def test_desync_by_hand():
    first, last = np.zeros((2, 21)), np.zeros((2, 21))
    first[0, 10], first[1, 0], last[0, 12], last[1, 10] = 1, 1, 1, 1  # 0, -2, 0.4 and 0 seconds
    assert desync(first, last) == pytest.approx(0.6)
    assert desync(first) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"must have shape \(n, 21\)"):
        desync(first[:, :20])


def test_cosines():
    assert np.isnan(cosine_similarity([0.0, 0.0], [1.0, 0.0]))
    assert temporal_consistency(np.ones((4, 3))) == pytest.approx(1.0)
    assert temporal_consistency(np.random.default_rng(0).normal(size=(2, 4, 3))).shape == (2,)
    assert javis_score(np.eye(2)[:1], np.eye(2), [[0, 1]]) == 0.0  # one frame of two counts at least
    for call in (lambda: temporal_consistency(np.ones((1, 3))), lambda: cosine_similarity([np.nan, 1.0], [0.0, 1.0])):
        with pytest.raises(ValueError, match="must"):
            call()
    with pytest.raises(ValueError, match="at least one frame for each window"):
        javis_score(np.eye(2)[:1], np.eye(2), [[]])


@pytest.mark.parity("mtv/frechet_*.json")
def test_matches_the_published_codes(parity, note):
    features = parity.arrays(parity.name.replace("frechet_", "frechet_feats_") + ".npz")
    config, pairs = parity.config, []
    for case in config["cases"]:
        distance = kernel_distance(*(features[f"{case['name']}.{side}"] for side in ("fake", "real")))
        # The original sums in float32, this in float64.
        assert distance == pytest.approx(case["kernel_distance_unbiased_full_deg3"], abs=1e-5)
    logits = features["logits.gt"], features["logits.pred"]
    rule = np.random.RandomState(2020)
    score = inception_score(logits[1], generator=rule)
    stored = config["logits"]["inception_score_av_benchmark_10splits_seed2020"]
    pairs += [(score.mean, stored["inception_score_mean"]), (score.std, stored["inception_score_std"])]
    for name in ("sigmoid", "softmax"):
        divergence = paired_divergence(*logits[::-1], activation=name)
        pairs.append((divergence, config["logits"]["mkl_av_benchmark"][f"kl_{name}"]))
    pairs.append((desync(features["desync.logits_first"], features["desync.logits_last"]), config["desync"]["value"]))
    frames, windows = features["javis.frames"], features["javis.audio_windows"]
    pairs.append((avh_score(features["javis.audio"], frames), config["javis"]["avh_score"]))
    pairs.append((javis_score(windows, frames, features["javis.index"]), config["javis"]["javis_score"]))
    consistency = temporal_consistency(features["tempc.frames"])
    pairs.append((consistency, config["temp_c"]["mean_consecutive_cosine"]))
    for actual, expected in pairs:
        note(actual, expected)
        assert actual == pytest.approx(expected, abs=1e-5)
