"""The torchmetrics class of each score gives the mean of the pure function over clips, and can be stored and merged."""

import pickle

import numpy as np
import pytest
import torch

import asva_metrics as m
from asva_metrics import streaming_scores


@pytest.fixture(scope="module")
def clips():
    """Two clips (frames, fps, waveform, rate) of a disc that jumps when it knocks."""
    made = []
    for seed in range(2):
        rng, sound = np.random.default_rng(seed), np.zeros(32000, np.float32)
        times = np.arange(0.3, 1.8, 0.3) + rng.uniform(0, 0.1, 5)
        for time in times:
            sound[int(time * 16000) :][:800] += rng.normal(size=800) * np.linspace(0.5, 0, 800)
        frames, y_x = [], np.mgrid[:64, :64]
        for time in np.arange(48) / 24:
            row = 16 + 12 * (np.searchsorted(times, time) % 3)
            grey = 60 + 20 * np.sin(y_x[1] / 5) + 120 * (np.hypot(y_x[0] - row, y_x[1] - 32) < 8)
            frames.append(np.repeat(grey[..., None], 3, axis=2))
        made.append((np.array(frames, np.uint8), 24.0, sound, 16000))
    return made


def vectors(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def trunk(images):
    return images.flatten(1)


class Match:
    def match(self, audio, video):
        return (audio * video).sum(-1).sigmoid()


SEEN = {
    "Motion": lambda f, fps, s, r: ((f, fps), 100 * fps * np.mean(m.flow_trajectory(f)) / 64),
    "AVAlign": lambda f, fps, s, r: (
        (f, fps, s, r),
        m.av_align(m.onset_times(s, r), m.motion_peaks(m.flow_trajectory(f), fps, rule="2025"), fps, rule="2025"),
    ),
    "LocalSync": lambda f, fps, s, r: ((s, r, f, fps), m.local_sync(s, r, f, fps).excess),
    "LocalOffset": lambda f, fps, s, r: ((s, r, f, fps), 1000 * abs(m.local_sync(s, r, f, fps).offset)),
    "SmallSync": lambda f, fps, s, r: ((s, r, f, fps), m.small_sync_profile(s, r, f, fps).probability),
    "PSNR": lambda f, fps, s, r: ((f[1:], f[:-1]), m.psnr(f[1:], f[:-1])),
    "SSIM": lambda f, fps, s, r: ((f[1:], f[:-1]), m.ssim(f[1:], f[:-1])),
    "Flicker": lambda f, fps, s, r: ((f,), m.steadiness(f).flicker),
    "WarpError": lambda f, fps, s, r: ((f,), m.steadiness(f).warp_error),
    "Jerk": lambda f, fps, s, r: ((f,), m.steadiness(f).jerk),
    "FrozenShare": lambda f, fps, s, r: ((f * 0,), 1.0),
}
GIVEN = {
    "Cosine": ((vectors(0, 5, 8), vectors(1, 8)), lambda a, b: np.mean(m.cosine_similarity(a, b))),
    "TempC": ((vectors(0, 5, 8),), m.temporal_consistency),
    "RelSync": (([0.4], [0.7]), lambda a, b: m.relative_sync(a, b)[0]),
    "AlignSync": (([0.4], [[0.2, 0.3]], [0.5]), lambda a, b, c: m.align_sync(a, b, c)[0]),
    "SyncC": ((vectors(0, 40, 8), vectors(1, 40, 8)), lambda a, b: m.lip_sync(a, b).sync_c),
    "SyncD": ((vectors(0, 40, 8), vectors(1, 40, 8)), lambda a, b: m.lip_sync(a, b).sync_d),
    "DeSync": ((vectors(0, 1, 21), vectors(1, 1, 21)), m.desync),
}
NETWORKS = {
    "LPIPS": (trunk, lambda a, b: (a - b).square().mean(-1)),
    "PEAVMatch": (Match(),),
    "SyncRewardScore": (lambda a, b: (a * b).mean(),),
}


def test_every_score_has_its_class_here():
    classes = {
        name
        for name, one in vars(streaming_scores).items()
        if getattr(one, "__module__", "") == streaming_scores.__name__
    }
    assert classes == {*SEEN, *GIVEN, *NETWORKS, "EventsHeardF1"} and classes <= set(dir(m))


@pytest.mark.parametrize("name", SEEN)
def test_of_pictures_and_sound(name, clips):
    metric, expected = getattr(m, name)(), []
    for clip in clips:
        given, value = SEEN[name](*clip)
        metric.update(*given)
        expected.append(value)
    assert np.isfinite(expected).all() and float(metric.compute()) == pytest.approx(np.mean(expected), rel=1e-9)
    assert float(pickle.loads(pickle.dumps(metric)).compute()) == float(metric.compute())


@pytest.mark.parametrize("name", GIVEN)
def test_of_features(name):
    given, function = GIVEN[name]
    first, second = getattr(m, name)(), getattr(m, name)()
    first.update(*given)
    second.update(*given)
    first.merge_state(second)
    assert first.scores.tolist() == pytest.approx([float(function(*given))] * 2)


def test_of_networks():
    a, b = (torch.from_numpy(vectors(seed, 3, 4)) for seed in range(2))
    expected = [(a - b).square().mean(), Match().match(a, b).mean(), (a * b).mean()]
    for (name, networks), value in zip(NETWORKS.items(), expected, strict=True):
        metric = getattr(m, name)(*networks)
        metric.update(a, b)
        assert float(metric.compute()) == pytest.approx(float(value)), name


def test_events_are_counted_together(clips):
    metric, matches = m.EventsHeardF1(0.1), []
    for frames, fps, sound, rate in clips:
        metric.update(frames, fps, sound, rate)
        seen, heard = m.video_events(m.motion_change(frames), fps), m.audio_events(sound, rate)
        matches.append(m.match_events(seen, heard, 0.1))
    value = float(metric.compute()["f1"])
    assert value == pytest.approx(m.event_scores(matches).f1) and value > 0.5


def test_sets_of_logits_and_kernels():
    logits = torch.from_numpy(vectors(3, 40, 6))
    metric = m.InceptionScore(6, num_splits=4)
    for part in logits.split(15):
        metric.update(part)
    expected = m.inception_score(logits, num_splits=4)
    assert [float(x) for x in metric.compute()] == pytest.approx([expected.mean, expected.std])
    kid = m.KID(
        torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d((32, 64)), torch.nn.Flatten(), torch.nn.Linear(6144, 2048))
    )
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    kid.update(images[:4], real=True)
    kid.update(images[4:], real=False)
    sides = [kid.features(images[4:]), kid.features(images[:4])]
    assert float(kid.compute()) == pytest.approx(m.kernel_distance(*sides))
