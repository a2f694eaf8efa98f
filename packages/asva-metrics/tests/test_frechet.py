"""Frechet distance: hand values, singular covariances, streaming statistics, equality with the published codes."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch

from asva_metrics import FeatureStatistics, SmallSampleWarning, frechet_distance


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)), rng.normal(0.5, 2.0, size=(40, 5)) @ rng.normal(size=(5, 5))


def test_by_hand():
    first, second = np.array([[0.0], [2.0]]), np.array([[5.0], [13.0]])  # means 1 and 9, variances 2 and 32
    assert frechet_distance(first, second) == pytest.approx(64 + 2 + 32 - 2 * 8)
    assert frechet_distance(first, second, variant="cd-fvd") == pytest.approx(64 + 1 + 16 - 2 * 4)


def test_against_the_matrix_root(features):
    first, second = features
    root = scipy.linalg.sqrtm(np.cov(first.T) @ np.cov(second.T)).real
    gap = ((first.mean(0) - second.mean(0)) ** 2).sum()
    expected = gap + np.trace(np.cov(first.T)) + np.trace(np.cov(second.T)) - 2 * np.trace(root)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
        assert frechet_distance(torch.from_numpy(first), second) == frechet_distance(first, second)


def test_fewer_samples_than_dimensions_are_exact_and_warned_of():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(6, 30)), rng.normal(1.0, 2.0, size=(9, 30))
    x, y = first - first.mean(0), second - second.mean(0)
    # tr (C1 C2)^(1/2) is the sum of the singular values of X Y' / sqrt((n - 1) (m - 1))
    root = np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt(5 * 8)
    gap = ((first.mean(0) - second.mean(0)) ** 2).sum()
    with pytest.warns(SmallSampleWarning, match="6 samples do not span 30 dimensions"):
        value = frechet_distance(second, first)
    assert value == pytest.approx(gap + (x**2).sum() / 5 + (y**2).sum() / 8 - 2 * root, rel=1e-10)


def test_equal_sets_have_no_distance(features):
    assert frechet_distance(features[0], features[0]) == pytest.approx(0.0, abs=1e-12)
    with pytest.warns(SmallSampleWarning):
        assert 0 <= frechet_distance(features[0].T, features[0].T) < 1e-6


def test_constant_features_have_only_their_means(features):
    assert frechet_distance(np.zeros((9, 2)), np.ones((9, 2))) == pytest.approx(2.0)


def test_statistics_stream_merge_and_travel(features, tmp_path):
    first, second = features
    whole = FeatureStatistics(first)
    parts = FeatureStatistics()
    for rows in np.split(first, [1, 7, 30]):
        parts.merge(FeatureStatistics().update(torch.from_numpy(rows)))
    np.testing.assert_allclose(parts.covariance(), np.cov(first.T), rtol=1e-12)
    np.testing.assert_allclose(parts.mean, first.mean(0), rtol=1e-12)
    parts.save(tmp_path / "real.npz")
    loaded = FeatureStatistics.load(tmp_path / "real.npz")
    assert loaded.count == whole.count == 60
    assert frechet_distance(loaded, second) == pytest.approx(frechet_distance(first, second), rel=1e-12)
    loaded.update(second)  # goes on after it was stored
    np.testing.assert_allclose(loaded.covariance(), np.cov(np.concatenate([first, second]).T), rtol=1e-10)


def test_what_is_left_out_need_not_be_seen_again(features):
    rows, whole = features[1] + 100, FeatureStatistics(features[1] + 100)
    for block in np.array_split(np.arange(40), 7):
        rest = whole.without(FeatureStatistics(rows[block]))
        again = FeatureStatistics(np.delete(rows, block, axis=0))
        assert rest.count == again.count
        np.testing.assert_allclose(rest.mean, again.mean, rtol=1e-13)
        np.testing.assert_allclose(rest.covariance(), again.covariance(), rtol=1e-11, atol=1e-12)
        value, expected = (frechet_distance(features[0], one) for one in (rest, again))
        assert value == pytest.approx(expected, rel=1e-12)
    assert whole.without(FeatureStatistics()).count == 40
    with pytest.raises(ValueError, match="less than the 40 features"):
        whole.without(whole)


@pytest.mark.parametrize("count", [400, 60])  # more and fewer than dimensions
def test_leaving_blocks_out_equals_plain_eigenvalues(count):
    """Of statistics that are added and taken off, against float64 `eigh` of covariances computed anew."""
    rng = np.random.default_rng(6)
    mix = rng.normal(size=(100, 100)) / np.arange(1, 101)
    first, second = rng.normal(size=(count, 100)) @ mix, rng.normal(0.1, 1.1, size=(count, 100)) @ mix
    whole = FeatureStatistics(first), FeatureStatistics(second)
    for block in np.array_split(np.arange(count), 5):
        rest = [np.delete(x, block, axis=0) for x in (first, second)]
        covariances = [np.cov(x.T) for x in rest]
        values, vectors = np.linalg.eigh(covariances[0])
        root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
        trace = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
        expected = ((rest[0].mean(0) - rest[1].mean(0)) ** 2).sum() + sum(map(np.trace, covariances)) - 2 * trace
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            parts = (one.without(FeatureStatistics(x[block])) for one, x in zip(whole, (first, second), strict=True))
            assert frechet_distance(*parts) == pytest.approx(expected, rel=1e-9 if count > 100 else 1e-7)


def test_far_from_the_origin_nothing_cancels():
    rows = np.random.default_rng(0).normal(1e6, 1e-2, size=(1000, 3))
    parts = FeatureStatistics(rows[:1])
    for row in np.split(rows[1:], 111):
        parts.update(row)
    np.testing.assert_allclose(parts.covariance(), np.cov(rows.T), rtol=1e-5, atol=1e-9)


def test_bad_input(features, tmp_path):
    first = features[0]
    with pytest.raises(ValueError, match="`generated` must hold at least 2 samples, got 1"):
        frechet_distance(first[:1], first)
    with pytest.raises(ValueError, match="must have the width of `reference`"):
        frechet_distance(first, first[:, :3])
    with pytest.raises(ValueError, match=r"must be finite, got NaN or infinity in rows \[2\]"):
        frechet_distance(first, np.where(np.arange(60)[:, None] == 2, np.nan, first))
    with pytest.raises(ValueError, match=r"must have shape \(n, d\)"):
        FeatureStatistics(first[None])
    with pytest.raises(ValueError, match="must have width 5 as before"):
        FeatureStatistics(first).update(first[:, :2])
    with pytest.raises(ValueError, match="`variant` must be one of stylegan-v"):
        frechet_distance(first, first, variant="fvd")
    with pytest.raises(ValueError, match="at least 1 sample before it is saved"):
        FeatureStatistics().save(tmp_path / "empty.npz")
    np.savez(tmp_path / "other.npz", x=1)
    with pytest.raises(ValueError, match="must hold saved FeatureStatistics"):
        FeatureStatistics.load(tmp_path / "other.npz")


@pytest.mark.filterwarnings("ignore::asva_metrics.SmallSampleWarning")
@pytest.mark.parity("asva/frechet_*.json")
def test_matches_avsync(parity, note):
    for name, stored in parity.config["results"].items():
        value = frechet_distance(*(parity.inputs[f"{name}.{side}"] for side in "xy"), variant="avsync")
        note(value, stored["official"])
        assert value == pytest.approx(stored["official"], rel=1e-5, abs=1e-5)


@pytest.mark.filterwarnings("ignore::asva_metrics.SmallSampleWarning")
@pytest.mark.parity("mtv/frechet_*.json")
def test_matches_every_published_variant(parity, note):
    features = parity.arrays(parity.name.replace("frechet_", "frechet_feats_") + ".npz")
    rows = {
        "stylegan_v_float64": ("stylegan-v", 1e-5),
        "stylegan_v_float32": ("stylegan-v", 5e-3),
        "videogpt_float64": ("videogpt", 1e-5),
        "videogpt_float32": ("videogpt", 5e-3),
        "cd_fvd_biased_cov": ("cd-fvd", 1e-5),
        "pytorch_fid_av_benchmark": ("pytorch-fid", 1e-5),
        "clean_fid": ("clean-fid", 1e-5),
    }
    for case in parity.config["cases"]:
        real, fake = (features[f"{case['name']}.{side}"] for side in ("real", "fake"))
        for row, (variant, tolerance) in rows.items():
            value = frechet_distance(fake, real, variant=variant)
            if tolerance == 1e-5:
                note(value, case[row])
            assert value == pytest.approx(case[row], abs=tolerance), row
