"""DeSync from files: the windows of av-benchmark, other clips' sounds as chance, and clips that are too short."""

import numpy as np
import pytest
import torch

from asva_audio import load_audio
from asva_data import read_video
from asva_eval import evaluate, load_protocol, write_report
from asva_metrics import Synchformer, desync, synchformer_mel, synchformer_video


@pytest.fixture(scope="module")
def weights():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Synchformer((8, 8, 8), (1, 1, 1), (2, 2, 2), 16, patch_size=112)
        for parameter in network.parameters():
            parameter.data.add_(0.3 * torch.randn(parameter.shape))
    return {"synchformer": network.eval()}


def windows(path, network):
    """The two logits of av-benchmark from a whole file."""
    clip = read_video(path)
    with torch.no_grad():
        video = network.embed_video(synchformer_video(clip.frames, clip.fps))
        sound = network.embed_audio(synchformer_mel(load_audio(path, sample_rate=16000).waveform))
        return [network.compare(sound[:, w], video[:, w]) for w in (slice(14), slice(-14, None))]


def test_the_first_and_the_last_window_of_every_file(tmp_path, write_ball, weights):
    paths = [write_ball(tmp_path / f"made/{i}.mp4", 0.3, 0.6 + i / 10, seconds=5.12, side=32, fps=25) for i in range(2)]
    for path, fps in zip(paths, (6, 25), strict=True):  # one ends within a frame of the other
        write_ball(tmp_path / "true" / path.name, 0.3, 0.5, seconds=5.12, side=32, fps=fps)
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, protocol="desync", weights=weights)
    entry = write_report(result, tmp_path, command=[], page=False)["scores"][1]
    figures = entry["systems"]["it"]
    assert (figures["num_clips"], figures["undefined"], entry["systems"]["reference"]["num_clips"]) == (4, {}, 4)
    for path in paths[1:]:
        found = [value for name, value in figures["per_clip"].items() if name.startswith(path.stem)]
        assert np.mean(found) == pytest.approx(desync(*windows(path, weights["synchformer"])))
    assert figures["swapped"]["chance"] is not None


def test_short_clips_are_refused(tmp_path, write_ball, weights):
    for side in ("true", "made"):
        write_ball(tmp_path / side / "a.mp4", 0.3, 0.6)
    options = {"protocol": load_protocol("asva-fixed"), "weights": weights}
    report = write_report(evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, **options), tmp_path)
    figures = next(score for score in report["scores"] if score["name"] == "desync")["systems"]["it"]
    assert figures["num_clips"] == 0 and "compares 4.8 s of picture and sound, got 2.00 s" in figures["reason"]
