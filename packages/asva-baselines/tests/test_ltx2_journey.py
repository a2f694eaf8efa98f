"""LTX-2 from its released layout, small and random, to a video at the command line."""

import json

import numpy as np
import pytest

pytest.importorskip("diffusers", "0.42")

from fixtures.ltx2 import write_released

from asva_data import probe, read_video


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return write_released(tmp_path_factory.mktemp("ltx2") / "LTX-2")


@pytest.fixture
def sample(asva, inputs, released):
    """``sample(...)``: the frames, the record and the command's end."""

    def run(*more, output="out.mp4", sound="knocks.wav", steps=1):
        words = ("--model", released, "--size", "64x64", "--steps", steps, "--prompt", "a ball", "--output", output)
        ran = asva("sample", *words, "--audio", inputs / sound, *more)
        assert ran.code == 0, ran.err
        return read_video(output), json.loads(open(output.replace(".mp4", ".json"), encoding="utf-8").read()), ran

    return run


def test_from_released_files_to_a_video(sample, inputs, knocks, released):
    clip, told, ran = sample(
        "--image", inputs / "ball.png", "--frame", f"1.5={inputs / 'ball.png'}", "--method", "ltx2"
    )
    assert clip.frames.shape == (48, 64, 64, 3) and clip.frames.std() > 0
    assert "LTX-2 Community License" in ran.err
    assert np.corrcoef(clip.waveform[0, :32000], knocks[: clip.waveform.shape[1]])[0, 1] > 0.98
    assert told["method"] == "ltx2" and list(told["inputs"]["frames"]) == ["1.5"]


LENGTHS = (0.05, 0.13, 0.34, 0.5, 0.71, 1.0, 1.33, 1.7, 2.0)


@pytest.mark.parametrize("fps", [24, 25, 12])
def test_frames_are_as_many_as_asked_for(sample, fps):
    for seconds in LENGTHS:
        clip, told, _ = sample("--duration", seconds, "--fps", fps, "--overwrite")
        assert len(clip.frames) == max(round(seconds * fps), 1) == told["num_frames"]
        assert probe("out.mp4").fps == fps
