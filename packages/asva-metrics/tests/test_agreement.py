"""Agreement with people: by hand, and against ratings simulated from known reliabilities."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from asva_metrics import agreement, rating_ceiling
from asva_metrics.agreement import kendall, spearman

SYSTEMS = np.array([-0.6, 0.0, 0.5])
"""Quality of the systems that people rate."""


def study(generator, num_clips, raters=3, rater_noise=1.0, score_noise=0.8):
    """Ratings (n, raters) from 1 to 5 and scores (n,) of videos whose true quality both see through noise."""
    clip = generator.normal(size=(num_clips, 1)) * 0.7
    quality = (clip + SYSTEMS + generator.normal(size=(num_clips, len(SYSTEMS))) * 0.6).ravel()
    seen = quality[:, None] + rater_noise * generator.normal(size=(len(quality), raters))
    scores = quality + score_noise * generator.normal(size=len(quality))
    names = np.repeat(np.arange(num_clips), len(SYSTEMS)), np.tile(np.arange(len(SYSTEMS)), num_clips)
    return np.clip(np.rint(3 + seen), 1, 5), scores, *names


def test_by_hand():
    scores, ratings = [1, 2, 3, 4, 2, 3], [1, 2, 3, 4, 3, 2]
    found = agreement(scores, ratings, [0, 0, 1, 1, 2, 2], list("ababab"), generator=np.random.default_rng(0))
    assert found.spearman.estimate == pytest.approx(spearmanr(scores, ratings).statistic)
    assert (found.accuracy.estimate, found.num_pairs) == (pytest.approx(2 / 3), 3)
    upside_down = agreement(
        [-x for x in scores], ratings, [0, 0, 1, 1, 2, 2], list("ababab"), generator=np.random.default_rng(0)
    )
    assert upside_down.accuracy.estimate == pytest.approx(1 / 3)


def test_what_cannot_be_compared_says_why():
    names = [0, 0, 1, 1], list("abab")
    for scores, ratings, reason in (
        ([1, 2, 3, 4], [2, 2, 2, 2], "all ratings are the same"),
        ([1, 1, 1, 1], [1, 2, 3, 4], "the score is the same"),
        ([1, np.nan, np.nan, 4], [1, 2, 3, 4], "2 videos have both"),
    ):
        found = agreement(scores, ratings, *names, generator=np.random.default_rng(0))
        assert reason in found.reason and np.isnan(found.spearman.estimate)
    with pytest.raises(ValueError, match="of one length"):
        agreement([1, 2], [1, np.nan], [0, 1], ["a", "b"], generator=np.random.default_rng(0))


def test_the_ceiling_is_the_reliability():
    generator = np.random.default_rng(0)
    ratings, *_ = study(generator, 400, raters=4)
    again = study(np.random.default_rng(0), 400, raters=4)[0]
    assert np.array_equal(ratings, again)
    reliability = spearman(*(study(np.random.default_rng(1), 20000, raters=8)[0][:, i::2].mean(axis=1) for i in (0, 1)))
    assert rating_ceiling(ratings, generator=generator) == pytest.approx(reliability, abs=0.05)
    assert np.isnan(rating_ceiling(ratings[:, :1], generator=generator))
    sparse = np.where(generator.random(ratings.shape) < 0.3, np.nan, ratings)
    assert rating_ceiling(sparse, generator=generator) < reliability + 0.02


@pytest.mark.slow
def test_intervals_hold_the_true_agreement():
    """At least 930 of 1000 studies of 60 clips and three systems, for every reliability."""
    for rater_noise, score_noise in ((1.0, 0.8), (0.5, 0.3), (1.5, 2.5)):
        ratings, scores, clips, systems = study(np.random.default_rng(99), 60000, 3, rater_noise, score_noise)
        truth = {"spearman": spearman(scores, ratings.mean(axis=1))}
        part = slice(0, 30000)
        truth["kendall"] = kendall(scores[part], ratings.mean(axis=1)[part])
        grouped = ratings.mean(axis=1).reshape(-1, 3), scores.reshape(-1, 3)
        apart = [
            0.5
            * (1 + np.sign((grouped[0][:, i] - grouped[0][:, j]) * (grouped[1][:, i] - grouped[1][:, j])))[
                grouped[0][:, i] != grouped[0][:, j]
            ]
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
        truth["accuracy"] = np.concatenate(apart).mean()
        held = dict.fromkeys(truth, 0)
        for run in range(1000):
            generator = np.random.default_rng([7, run])
            ratings, scores, clips, systems = study(generator, 60, 3, rater_noise, score_noise)
            found = agreement(scores, ratings.mean(axis=1), clips, systems, generator=generator)
            for name in held:
                one = getattr(found, name)
                held[name] += one.low <= truth[name] <= one.high
        print(rater_noise, score_noise, truth, held)
        assert min(held.values()) >= 930, held
