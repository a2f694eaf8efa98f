"""Scores of the picture alone, from files: frozen videos, LPIPS and SSIM of equal and of other frames."""

import pytest
import torch
import yaml

from asva_eval import evaluate, load_protocol, write_report
from asva_metrics import LPIPSHeads, LPIPSTrunk


@pytest.fixture(scope="module")
def scores(tmp_path_factory, write_ball):
    home = tmp_path_factory.mktemp("picture")
    for place in range(3):
        write_ball(home / f"true/{place}.mp4", 0.3, 0.5 + place / 10, side=64)
        write_ball(home / f"same/{place}.mp4", 0.3, 0.5 + place / 10, side=64)
        write_ball(home / f"still/{place}.mp4", 0.3, 0.5 + place / 10, side=64, still=place > 0)
    names = ["frozen", "flicker", "warp_error", "jerk", "ssim", "lpips", "local_sync"]
    (home / "p.yaml").write_text(yaml.safe_dump({"description": "", "scores": names}), encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trunk, heads = LPIPSTrunk(), LPIPSHeads()
        for weight in heads.weights:
            weight.data.fill_(1.0)
    systems = {name: home / name for name in ("same", "still")}
    weights = {"lpips_trunk": trunk, "lpips_heads": heads}
    result = evaluate(systems, home / "true", home / "out", protocol=load_protocol(home / "p.yaml"), weights=weights)
    report = write_report(result, home / "out", command=[], page=False)
    return {score["name"]: score["systems"] for score in report["scores"]}


def test_the_share_of_frozen_videos(scores):
    assert scores["frozen"]["still"]["value"] == pytest.approx(2 / 3) and scores["frozen"]["reference"]["value"] == 0
    assert scores["jerk"]["still"]["num_clips"] == 1 and "nothing moves" in scores["jerk"]["still"]["undefined"]


def test_equal_frames_are_equal(scores):
    assert scores["ssim"]["same"]["value"] == pytest.approx(1, abs=1e-9) and scores["lpips"]["same"]["value"] == 0
    assert scores["ssim"]["still"]["value"] < 0.99 and scores["lpips"]["still"]["value"] > 0


def test_the_amount_of_motion_stands_beside_every_score_of_sync(scores):
    assert next(iter(scores)) == "motion" and scores["motion"]["still"]["value"] < scores["motion"]["same"]["value"]
