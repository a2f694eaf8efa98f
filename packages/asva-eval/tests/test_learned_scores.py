"""PE-AV and SyncReward from files, with small stand-ins that hear when: values, and both chance levels by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from asva_audio import load_audio, resample
from asva_data import read_video
from asva_eval import evaluate, load_protocol, write_report
from asva_eval.metrics.pe_av import RATE, SHIFTS, PEAVFeatures
from asva_metrics import SyncRewardHead, cosine_similarity, reward_windows


class Loudness(nn.Module):
    """Stands for PE-AV: loudness by eighths of the sound, brightness by eighths of the clip."""

    def embed_audio(self, sounds):
        return torch.stack([part.square().mean(-1).sqrt() for part in sounds.tensor_split(8, dim=-1)], dim=-1)

    def embed_video(self, frames):
        return torch.from_numpy(np.stack([part.mean() for part in np.array_split(frames / 255, 8)]))[None].float()

    def match(self, audio, video):
        return torch.sigmoid((audio * video).sum(-1))


class Reward(nn.Module):
    """Stands for SyncReward: the same of each window, and the true head with weights at random."""

    def __init__(self):
        super().__init__()
        self.head = SyncRewardHead(8, 18, 16, 1, 2)

    def embed_audio(self, windows):
        return nn.functional.normalize(Loudness().embed_audio(windows) + 1e-3, dim=-1)

    def embed_video(self, windows):
        return nn.functional.normalize(torch.cat([Loudness().embed_video(one) for one in windows]), dim=-1)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, write_ball):
    from dataclasses import replace

    home = tmp_path_factory.mktemp("learned")
    for place in range(3):
        for side in ("true", "made"):
            write_ball(home / side / f"{place}.mp4", 0.3, 0.5 + place / 10, seconds=5.0, side=32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = {"pe_av": Loudness(), "sync_reward": Reward().eval()}
        for parameter in weights["sync_reward"].parameters():
            parameter.data.add_(0.2 * torch.randn(parameter.shape))
    names = ("pe_av", "pe_av_match", "sync_reward")
    protocol = replace(load_protocol("asva-fixed"), scores=names, clips=1, seconds=5.0, size=None)
    result = evaluate({"it": home / "made"}, home / "true", home / "out", protocol=protocol, weights=weights)
    report = write_report(result, home / "out", command=[], page=False)
    return home, weights, result, {score["name"]: score["systems"]["it"] for score in report["scores"]}


def sound_of(path):
    audio = load_audio(path, sample_rate=None)
    return resample(audio.waveform[0], audio.sample_rate, RATE)[: 5 * RATE]


def test_pe_av_is_the_cosine_of_picture_and_sound(measured):
    home, weights, result, scores = measured
    expected, chance = [], []
    for place in range(3):
        path = home / f"made/{place}.mp4"
        sound, video = sound_of(path), weights["pe_av"].embed_video(read_video(path).frames).numpy()[0]
        moves = [0, *(round((k + 0.5) / SHIFTS * len(sound)) for k in range(SHIFTS))]
        heard = weights["pe_av"].embed_audio(torch.stack([sound.roll(move) for move in moves])).numpy()
        found = [float(cosine_similarity(one, video)) for one in heard]
        expected.append(found[0])
        chance.append(np.mean(found[1:]))
    assert scores["pe_av"]["value"] == pytest.approx(np.mean(expected), abs=2e-3)
    assert scores["pe_av"]["shifted"]["chance"] == pytest.approx(np.mean(chance), abs=2e-3)
    clips = result.clips("it")
    features = PEAVFeatures()
    others = [
        cosine_similarity(s.tensor(features, "sound")[0], c.generated.tensor(features, "video"))
        for c in clips
        for s in c.strangers
    ]
    assert scores["pe_av"]["swapped"]["chance"] == pytest.approx(np.mean(others), rel=1e-5)
    assert 0 < scores["pe_av_match"]["value"] < 1


@torch.no_grad()
def test_sync_reward_sees_18_windows(measured):
    home, weights, _, scores = measured
    network, expected = weights["sync_reward"], []
    for place in range(3):
        path = home / f"made/{place}.mp4"
        clip, sound = read_video(path), sound_of(path)
        frames, samples = reward_windows(len(clip.frames), clip.fps, len(sound), RATE)
        audio = network.embed_audio(torch.nn.functional.pad(sound, (0, 1))[torch.from_numpy(samples)])
        expected.append(float(network.head(audio[None], network.embed_video([clip.frames[w] for w in frames])[None])))
    assert scores["sync_reward"]["value"] == pytest.approx(np.mean(expected), abs=2e-3)
    assert scores["sync_reward"]["shifted"]["chance"] != pytest.approx(scores["sync_reward"]["value"], abs=1e-6)
