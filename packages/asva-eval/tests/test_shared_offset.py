"""A delay that all clips of a system share: read from the records, said in the report, and taken off again."""

from dataclasses import replace

import pytest

from asva_data import SyntheticWorld, move_sound, write_video
from asva_eval import evaluate, load_protocol, write_report

LATE = 0.192
"""Three delays of an AAC encoder at 16 kHz."""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    home = tmp_path_factory.mktemp("shared")
    world = SyntheticWorld(11, classes=["hammer", "drums", "bell"])
    for name in ("true", "late", "own"):
        (home / name).mkdir()
    for index in range(8):
        clip = world[index]
        path = home / f"true/{index}.mp4"
        write_video(path, clip.frames, fps=clip.fps, waveform=clip.waveform, sample_rate=clip.sample_rate)
        move_sound(path, home / f"late/{index}.mp4", LATE)
        move_sound(path, home / f"own/{index}.mp4", 0.0)
    systems = {"late": home / "late", "own": home / "own"}
    result = evaluate(systems, home / "true", home / "out", protocol=_protocol(home))
    return write_report(result, home / "out", command=[], page=False), (home / "out/report.md").read_text(
        encoding="utf-8"
    )


def _protocol(home):
    return replace(load_protocol("asva-fixed"), scores=("motion", "event_f1", "local_sync", "small_sync"), clips=1)


def test_the_offset_is_read_and_said(report):
    found, text = report
    late, own = (found["offsets"][name] for name in ("late", "own"))
    assert late["shared"] and late["offset"] == pytest.approx(-LATE, abs=0.03)
    assert not own["shared"] and abs(own["offset"]) < 0.03
    assert f"comes {-late['offset']:.2f} s late together" in text and "asva offset" in text


def test_every_system_is_scored_without_its_own(report):
    found, _ = report
    before = {score["name"]: score["systems"] for score in found["scores"]}
    after = {score["name"]: score["systems"] for score in found["without_offsets"]}
    assert set(after) == {"event_f1", "local_sync", "small_sync"}  # what does not hear is not measured again
    for name in ("local_sync", "small_sync"):
        truth = before[name]["reference"]["value"]
        assert before[name]["late"]["value"] < truth - 0.1
        assert after[name]["late"]["value"] == pytest.approx(truth, abs=0.3 if name == "local_sync" else 0.06)
        assert after[name]["own"]["value"] == pytest.approx(before[name]["own"]["value"], abs=0.2)
