"""`asva offset` from files to files: reads, refuses, moves, and reads again."""

import json
import re

import numpy as np
import pytest

from asva_data import SyntheticWorld, move_sound, write_video


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Three drawn clips whose sound comes 0.192 s late, as an encoder's delays make it, and one that stands still."""
    folder = tmp_path_factory.mktemp("offset")
    world = SyntheticWorld(5, classes=["hammer", "drums"], num_frames=72)
    for index in range(3):
        clip = world[index]
        path = write_video(
            folder / "clip.mp4", clip.frames, fps=24, waveform=clip.waveform, sample_rate=clip.sample_rate
        )
        move_sound(path, folder / f"{index}.mp4", 0.192)
    still = np.repeat(clip.frames[:1], 72, axis=0)
    write_video(folder / "still.mp4", still, fps=24, waveform=clip.waveform, sample_rate=clip.sample_rate)
    return folder


def test_read_fix_and_read_again(moved, tmp_path, asva):
    videos = [moved / f"{index}.mp4" for index in range(3)]
    found = json.loads(asva("offset", *videos, "--together", "--fix", "--output", tmp_path / "fixed", "--json").out)
    assert found["shared"]["offset"] == pytest.approx(-0.192, abs=0.03) and not found["shared"]["reason"]
    copies = list(found["copies"].values())
    again = json.loads(asva("offset", *copies, "--json").out)
    assert abs(again["shared"]["offset"]) <= 0.03
    shown = asva("offset", *videos).out
    assert re.search(r"all together +0\.(1[6-9]|2[0-2]) s late", shown) and "chance 10 %" in shown


def test_what_cannot_be_read_is_said_and_not_copied(moved, tmp_path, asva):
    result = asva("offset", moved / "still.mp4", "--fix", "--output", tmp_path / "fixed")
    assert "nothing moves" in result.out and "1 of 1 were not copied" in result.err
    assert not list((tmp_path / "fixed").glob("*"))
    found = json.loads(asva("offset", moved / "still.mp4", "--json").out)
    assert found["videos"][str(moved / "still.mp4")]["offset"] is None and found["shared"] is None


def test_bad_input_is_one_line(moved, tmp_path, asva):
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    for given, said in (
        (("offset", tmp_path / "text.mp4"), "text.mp4"),
        (("offset", moved / "0.mp4", "--together"), "two videos or more"),
        (("offset", moved / "0.mp4", "--output", tmp_path), "must come with --fix"),
        (("offset", moved / "0.mp4", "--fix", "--output", tmp_path / "no/where"), "does not exist"),
        (("offset", moved / "0.mp4", moved / "." / "../x/0.mp4", "--fix", "--output", tmp_path), "different names"),
    ):
        result = asva(*given)
        assert result.code != 0 and said in result.complaint
