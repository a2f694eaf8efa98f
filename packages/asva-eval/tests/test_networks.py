"""Scores that need weights, with tiny random networks: what they are made of, chance levels, and bad features."""

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from asva_data import read_video, write_video
from asva_eval import evaluate, load_protocol, write_report
from asva_eval.network_observations import ClipFeatures, FrameFeatures, JointFeatures, LipVectors, SyncFeatures
from asva_eval.protocol import protocol_names
from asva_eval.report import make_report
from asva_eval.scores import SCORES, choose
from asva_eval.weights import KINDS, Networks, WeightsError
from asva_metrics import (
    align_sync,
    cosine_similarity,
    frechet_distance,
    jackknife_interval,
    kernel_distance,
    lip_sync,
    relative_sync,
)

WIDTH = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
ALL = [
    *("motion", "small_sync", "fid", "fvd", "ia", "it", "rel_sync", "align_sync", "temp_c", "text_c"),
    *({"score": "fid", "form": "kernel"}, {"score": "fvd", "form": "kernel"}),
]


class Means(nn.Module):
    """Stands for a network of features: means over a grid of the picture, of every frame or of the clip."""

    def forward(self, images):
        flat = images.flatten(0, -4)
        return (
            nn.functional.adaptive_avg_pool2d(flat, 2)
            .flatten(1)
            .unflatten(0, images.shape[:-3])
            .reshape(len(images), -1, 12)
            .mean(1)
        )


def networks():
    """A small one of every kind."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    from asva_audio import ImageBindAudioEncoder, ImageBindAudioHead
    from asva_metrics import (
        AVSyncClassifier,
        ImageBind,
        ImageBindTextTower,
        ImageBindVisionTower,
        SmallSyncClassifier,
        VideoCLIP,
    )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = CLIPTokenizer().train_new_from_iterator(["wood iron"], 600, show_progress=False)
        small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        vision = small | {"image_size": 28, "patch_size": 14, "projection_dim": 8}
        text = small | {"vocab_size": 600, "projection_dim": 8}
        made = {
            "inception": Means(),
            "i3d": Means(),
            "imagebind": ImageBind(
                ImageBindVisionTower(**WIDTH, embedding_size=8, image_size=28),
                ImageBindTextTower(**WIDTH, embedding_size=8, vocab_size=600),
                ImageBindAudioEncoder(**WIDTH, stride=(10, 10), num_frames=204),
                ImageBindAudioHead(16, 8),
            ),
            "avsync": AVSyncClassifier((2, 2, 2, 2), (4, 4)),
            "tokenizer": tokenizer,
            "clip": CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)),
            "videoclip": VideoCLIP(16, 1, 2, 28, 14, 8, 16, 1, 2, 600, 77, 8),
            "sync": SmallSyncClassifier(size=16, video_widths=(8, 8, 8), audio_widths=(8, 8, 8), width=8, embed_dim=8),
        }
        for network in made.values():
            for parameter in network.parameters() if isinstance(network, nn.Module) else ():
                parameter.data.add_(0.1 * torch.randn(parameter.shape))  # layers that start at zero shall count
    return {name: network.eval() if isinstance(network, nn.Module) else network for name, network in made.items()}


def protocol_of(folder, scores, **fields):
    path = folder / "protocol.yaml"
    path.write_text(yaml.safe_dump({"description": "", "scores": scores} | fields), encoding="utf-8")
    return load_protocol(path)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, write_ball):
    home = tmp_path_factory.mktemp("networks")
    for place in range(5):
        name = f"{'wood' if place % 2 else 'iron'}/{place}.mp4"
        write_ball(home / "true" / name, 0.2 + 0.07 * place, 0.5 + 0.05 * place)
        write_ball(home / "made" / name, 0.3 + 0.05 * place, 0.6 - 0.04 * place)
    protocol = protocol_of(home, ALL)
    result = evaluate({"it": home / "made"}, home / "true", home / "out", protocol=protocol, weights=networks())
    report = write_report(result, home / "out", command=[])
    return result, {score["name"]: score for score in report["scores"]}


def per_clip(result, function):
    return [function(clip) for clip in result.clips("it")]


@pytest.mark.parametrize("name", [name for name in protocol_names() if load_protocol(name).size])
def test_wide_videos_equal_their_own_centre_crops(name, tmp_path, write_ball):
    protocol = load_protocol(name)
    scores = tuple(score for score in protocol.scores if score.name in ("fid", "fvd", "rel_sync", "psnr"))
    height, width = protocol.size
    for place in range(2):
        ball = read_video(write_ball(tmp_path / "ball.mp4", 0.2 + 0.1 * place, 0.5, side=80))
        edge = (
            np.random.default_rng(place).integers(0, 255, (*ball.frames.shape[:2], 30, 1), np.uint8).repeat(3, axis=-1)
        )
        wide = np.concatenate((edge, ball.frames, edge), axis=2)
        left = (140 - 80 * width // height) // 2
        sound = {"fps": 24, "waveform": ball.waveform[0], "sample_rate": ball.sample_rate, "crf": 0}
        for side, frames in (("true", wide), ("made", wide[:, :, left : 140 - left])):
            (tmp_path / side).mkdir(exist_ok=True)
            write_video(tmp_path / side / f"{place}.mp4", frames, **sound)
    result = evaluate(
        {"it": tmp_path / "made"},
        tmp_path / "true",
        tmp_path / "out",
        protocol=replace(protocol, scores=scores),
        weights=networks(),
    )
    figures = {score["name"]: score["systems"]["it"] for score in make_report(result)["scores"]}
    assert {"fid", "fvd"} & figures.keys() and all(figures[x]["value"] < 1e-3 for x in ("fid", "fvd") if x in figures)
    if "rel_sync" in figures:
        half = {score.name: score.scale / 2 for score in scores}["rel_sync"]
        assert figures["rel_sync"]["value"] == pytest.approx(half, abs=1e-3)
    if "psnr" in figures:
        assert figures["psnr"]["undefined"] == {"the frames equal the true ones": 2}


def test_every_score_has_a_figure(measured):
    _, scores = measured
    for score in scores.values():
        figures = score["systems"]["it"]
        assert np.isfinite(figures["value"]) and figures["num_clips"] == 5, score["name"]
        assert figures["low"] <= figures["value"] <= figures["high"], score["name"]


def test_distances_are_those_of_all_features(measured):
    result, scores = measured
    for name, observation in (("fid", FrameFeatures("pytorch-fid", True)), ("fvd", ClipFeatures("avsync"))):
        sides = [
            np.concatenate(per_clip(result, lambda c, s=s, o=observation: getattr(c, s).tensor(o, "features")))
            for s in ("reference", "generated")
        ]
        figures = scores[name]["systems"]["it"]
        assert len(sides[0]) == (55 if name == "fid" else 5) == figures["num_features"]
        with pytest.warns() if name == "fvd" else nullcontext():
            assert figures["value"] == pytest.approx(frechet_distance(*sides[::-1]), rel=1e-9)
        assert ("warning" in figures) == (name == "fvd")  # 5 clips in 12 dimensions


def test_blocks_are_left_out_as_if_never_seen(measured):
    result, scores = measured
    clips = result.clips("it")

    def without(name, video, observation, distance):
        rest = [clip for clip in clips if clip.video != video]
        sides = [
            np.concatenate([getattr(clip, side).tensor(observation, "features") for clip in rest])
            for side in ("generated", "reference")
        ]
        return distance(*sides)

    observation = FrameFeatures("pytorch-fid", True)
    for name, distance in (("fid", frechet_distance), ("kid", kernel_distance)):
        left_out = [without(name, clip.video, observation, distance) for clip in clips]
        figures = scores[name]["systems"]["it"]
        interval, _ = jackknife_interval(figures["value"], left_out)
        assert (figures["low"], figures["high"]) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_systems_of_equal_clips_share_their_distances(tmp_path, write_ball, monkeypatch):
    import asva_eval.distances as distances

    for place in range(3):
        for side, first in (("true", 0.2), ("one", 0.3), ("two", 0.4)):
            write_ball(tmp_path / side / f"{place}.mp4", first + 0.1 * place, 0.5)
    systems = {name: tmp_path / name for name in ("one", "two")}
    options = {"protocol": protocol_of(tmp_path, ["fid"]), "weights": {"inception": Means()}}
    result = evaluate(systems, tmp_path / "true", tmp_path / "out", **options)
    calls = []
    monkeypatch.setattr(distances, "frechet_distance", lambda *a, **o: calls.append(a) or frechet_distance(*a, **o))
    (score,) = make_report(result)["scores"]
    assert len(calls) == 2 * (1 + 3)
    gap = score["systems"]["one"]["value"] - score["systems"]["two"]["value"]
    assert score["comparisons"][0]["difference"]["value"] == pytest.approx(gap)


def test_relative_scores_are_those_of_the_pure_functions(measured):
    result, scores = measured
    network, joint = result.networks["avsync"], JointFeatures()

    def phi(record):
        sounds, video = (torch.from_numpy(record.tensor(SyncFeatures(), n)) for n in ("sounds", "video"))
        return network.score(sounds[0], video).item()

    relative = relative_sync(*(per_clip(result, lambda c, s=s: phi(getattr(c, s))) for s in ("generated", "reference")))
    assert scores["rel_sync"]["systems"]["it"]["value"] == pytest.approx(relative.mean(), rel=1e-6)
    frames, sounds = (
        np.array(per_clip(result, lambda c, n=n: c.generated.tensor(joint, n))) for n in ("frames", "sound")
    )
    first = np.array(per_clip(result, lambda c: c.reference.tensor(joint, "frames")[0]))
    true = np.array(per_clip(result, lambda c: c.reference.tensor(joint, "sound")))
    ia = cosine_similarity(frames[:, 1:], sounds[:, None])
    assert scores["ia"]["systems"]["it"]["value"] == pytest.approx(ia.mean(), rel=1e-6)
    expected = align_sync(relative, ia, cosine_similarity(first, true)).mean()
    assert scores["align_sync"]["systems"]["it"]["value"] == pytest.approx(expected, rel=1e-6)


def test_the_truth_reaches_its_published_upper_figures(measured):
    _, scores = measured
    assert scores["rel_sync"]["systems"]["reference"]["value"] == pytest.approx(0.5)
    assert scores["align_sync"]["systems"]["reference"]["value"] == pytest.approx(0.25, abs=0.05)


def test_listening_scores_have_their_chances(measured):
    _, scores = measured
    for name in ("rel_sync", "align_sync", "small_sync"):
        figures = scores[name]["systems"]["it"]
        assert np.isfinite(figures["shifted"]["chance"]) and np.isfinite(figures["swapped"]["chance"])
    assert scores["small_sync"]["systems"]["it"]["shifted"]["chance"] == pytest.approx(0.5, abs=0.05)
    assert "swapped" in scores["ia"]["systems"]["it"] and "shifted" not in scores["ia"]["systems"]["it"]


class Track(nn.Module):
    """Stands for SyncNet: lips and a voice that say the same two frames apart, whatever it is shown."""

    def embed_track(self, face, mfcc):
        walk = np.random.default_rng(len(face)).normal(size=(len(face), 8)).cumsum(0)
        return torch.from_numpy(walk[:-5]), torch.from_numpy(walk[2:-3])


def test_lips_are_compared_with_voices_moved_further_than_the_search_and_with_others(tmp_path, write_ball):
    for place in range(2):
        for side in ("true", "made"):
            write_ball(tmp_path / f"{side}/{place}.mp4", 0.3, 0.6)
    result = evaluate(
        {"it": tmp_path / "made"},
        tmp_path / "true",
        tmp_path / "out",
        protocol=protocol_of(tmp_path, ["sync_c", "sync_d"]),
        weights={"syncnet": Track(), "faces": lambda frame: [[4, 4, 40, 40, 0.9]]},
    )
    lips, voice = (result.clips("it")[0].generated.tensor(LipVectors(), name) for name in ("lips", "voice"))
    for score in write_report(result, tmp_path / "out", command=[])["scores"][1:]:  # the first is the motion
        figures = score["systems"]["it"]
        assert figures["value"] == pytest.approx(getattr(lip_sync(voice, lips), score["name"]), rel=1e-5)
        moved = [getattr(lip_sync(np.roll(voice, k, axis=0), lips), score["name"]) for k in range(16, len(voice) - 15)]
        assert figures["shifted"]["chance"] == pytest.approx(np.mean(moved), rel=1e-5) and len(moved) == 14
        worse = figures["shifted"]["chance"] - figures["value"]
        assert worse < 0 if score["name"] == "sync_c" else worse > 0
        assert figures["swapped"]["chance"] is not None  # the stand-in hears the same voice everywhere


def test_features_that_are_not_finite_are_left_out(tmp_path, write_ball):
    class Failing(Means):
        def forward(self, images):
            values = super().forward(images)
            return values * (float("nan") if images.mean() > -0.30 else 1)

    for place in range(3):
        write_ball(tmp_path / f"true/{place}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{place}.mp4", 0.3 + 0.1 * place, 0.6)
    (tmp_path / "made/2.mp4").unlink()
    white = np.full((48, 48, 48, 3), 255, np.uint8)
    write_video(tmp_path / "made/2.mp4", white, fps=24)
    protocol = protocol_of(tmp_path, ["fvd"])
    options = {"protocol": protocol, "weights": {"i3d": Failing()}}
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path / "out", **options)
    figures = write_report(result, tmp_path / "out", command=[])["scores"][0]["systems"]["it"]
    assert figures["num_clips"] == 2 and any("NaN" in reason for reason in figures["undefined"])


def test_clips_too_short_for_i3d_say_so(tmp_path, write_ball):
    from asva_metrics import I3D

    for side in ("true", "made"):
        for place in range(2):
            write_ball(tmp_path / side / f"{place}.mp4", 0.3, 0.6)
    protocol = protocol_of(tmp_path, ["fvd"], num_frames=8)
    with torch.device("meta"):
        network = I3D()
    networks = {"i3d": network.to_empty(device="cpu").eval()}
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, protocol=protocol, weights=networks)
    figures = write_report(result, tmp_path, command=[])["scores"][0]["systems"]["it"]
    assert figures["value"] is None and "9" in figures["reason"]


def test_one_clip_has_no_distance(tmp_path, write_ball):
    for side in ("true", "made"):
        write_ball(tmp_path / side / "a.mp4", 0.3, 0.6)
    protocol = protocol_of(tmp_path, ["fvd"])
    options = {"protocol": protocol, "weights": {"i3d": Means()}}
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, **options)
    figures = write_report(result, tmp_path, command=[])["scores"][0]["systems"]["it"]
    assert figures["value"] is None and "at least 2 clips" in figures["reason"]


def test_weights_added_later_take_over_what_was_measured(tmp_path, write_ball, monkeypatch):
    for side in ("true", "made"):
        for place in range(2):
            write_ball(tmp_path / side / f"{place}.mp4", 0.3 + 0.1 * place, 0.6)
    protocol = protocol_of(tmp_path, ["motion", "fvd"])
    options = {"protocol": protocol}
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, **options)
    report = write_report(result, tmp_path, command=[])
    assert "--weights i3d=PATH" in report["scores"][1]["not_measured"]
    assert "Not measured" in (tmp_path / "report.md").read_text(encoding="utf-8")

    def again(*args):
        raise AssertionError("the flow was measured again")

    monkeypatch.setattr("asva_eval.observations.flow_trajectory", again)
    result = evaluate({"it": tmp_path / "made"}, tmp_path / "true", tmp_path, **options, weights={"i3d": Means()})
    report = write_report(result, tmp_path, command=[])
    assert report["scores"][0]["systems"]["it"]["value"] > 0
    assert report["scores"][1]["systems"]["it"]["value"] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_real_weights_tell_real_clips_from_frozen_ones(tmp_path):
    weights, clips = os.environ.get("ASVA_I3D_WEIGHTS"), Path(os.environ.get("ASVA_CLIPS_DIR", SHARED_CLIPS)) / "real"
    if not weights or not clips.exists():
        pytest.skip("set `ASVA_I3D_WEIGHTS` to i3d-kinetics-400.ckpt and `ASVA_CLIPS_DIR` to the real clips")
    for side in ("true", "same", "frozen"):
        (tmp_path / side).mkdir()
    for path in sorted(clips.glob("avsync15_*.mp4")):
        clip = read_video(path, duration=2.0, sound=False)
        frozen = np.repeat(clip.frames[:1], len(clip.frames), axis=0)
        for side, frames in (("true", clip.frames), ("same", clip.frames), ("frozen", frozen)):
            write_video(tmp_path / side / path.name, frames, fps=clip.fps, crf=18 if side == "true" else 23)
    result = evaluate(
        {side: tmp_path / side for side in ("same", "frozen")},
        tmp_path / "true",
        tmp_path / "out",
        protocol=protocol_of(tmp_path, ["fvd"]),
        weights={"i3d": weights},
    )
    systems = write_report(result, tmp_path / "out", command=[])["scores"][0]["systems"]
    assert systems["same"]["high"] < systems["frozen"]["low"] and "dimensions" in systems["same"]["warning"]


SHARED_CLIPS = (Path(__file__).parent / "../../../../shared/clips").resolve()


def test_wrong_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match="one of sync, inception"):
        Networks({"vgg": tmp_path})
    with pytest.raises(WeightsError, match=r"i3d=.*none\.pt"):
        Networks({"i3d": tmp_path / "none.pt"})
    (tmp_path / "i3d.pt").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="`weights` i3d"):
        Networks({"i3d": tmp_path / "i3d.pt"})["i3d"]
    (tmp_path / "i3d.ckpt").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="must hold NumPy arrays by name only"):
        Networks({"i3d": tmp_path / "i3d.ckpt"})["i3d"]
    assert all(kind.what for kind in KINDS.values())


@pytest.fixture(scope="module")
def two_balls(tmp_path_factory, write_ball):
    home = tmp_path_factory.mktemp("two")
    for name in ("true/wood/0", "true/wood/1", "made/wood/0", "made/wood/1"):
        write_ball(home / f"{name}.mp4", 0.3, 0.6, fps=12)
    return home, networks()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("folder", [False, True])
def test_a_network_that_cannot_be_read_stops_the_run(name, folder, tmp_path, two_balls):
    home, small = two_balls
    path = tmp_path / "weights.pt"
    path.mkdir() if folder else path.write_bytes(b"no weights")
    protocol = protocol_of(tmp_path, [score.name for score in SCORES if name in choose(score).needs][:1])
    others = {"syncnet": Track(), "faces": lambda frame: [[4, 4, 40, 40, 0.9]]}
    others |= dict.fromkeys(("lpips_trunk", "lpips_heads"), nn.Identity())
    weights = {**small, **others} | {name: path}
    with pytest.raises(WeightsError, match=f"`weights` {name}="):
        make_report(
            evaluate({"it": home / "made"}, home / "true", tmp_path / "out", protocol=protocol, weights=weights)
        )


def test_a_classifier_trained_here_is_taken(tmp_path):
    network = networks()["avsync"]
    network.save_pretrained(tmp_path / "model/sync")
    sounds, video = torch.rand(2, 1, 128, 204), torch.rand(2, 12, 3, 32, 32)
    for folder in (tmp_path / "model/sync", tmp_path / "model"):
        found = Networks({"avsync": folder})["avsync"]
        assert not found.training
        torch.testing.assert_close(found(sounds, video), network(sounds, video))
