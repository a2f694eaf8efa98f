"""``asva sample`` by every method and ``asva keyframes``, on real recordings of any size and frame rate."""

import os
from pathlib import Path

import pytest
from fixtures.methods import METHODS

from asva_audio import load_audio
from asva_data import read_video

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR") or Path(__file__).parents[3].parent / "shared" / "clips")
TEN = sorted((CLIPS / "real").glob("*.mp4"))[::13][:10]
OTHERS = sorted(METHODS.keys() - {"keyvid"})

pytestmark = pytest.mark.skipif(not TEN, reason=f"no clips below {CLIPS}: set ASVA_CLIPS_DIR")
each_clip = pytest.mark.parametrize("clip", TEN, ids=lambda path: path.stem[:30])


def assert_as_long(made, clip):
    """The picture to the frame, the sound to a frame."""
    seconds = load_audio(clip).duration
    assert len(made.frames) == round(seconds * made.fps)
    assert abs(made.waveform.shape[1] / made.sample_rate - seconds) <= 1 / made.fps


@each_clip
def test_a_real_clip(asva, small_model, clip):
    ran = asva("sample", "--image", clip, "--audio", clip, "--model", small_model, "--output", "a.mp4")
    assert ran.code == 0, ran.err
    made = read_video("a.mp4")
    assert_as_long(made, clip)
    assert made.frames.shape[1:] == (16, 16, 3) and made.fps == 24
    for origin in ("motion", "sound"):
        ran = asva("keyframes", clip, "--from", origin, "--model", small_model, "--plot", f"{origin}.png")
        assert ran.code == 0, ran.err
        assert Path(f"{origin}.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("method", OTHERS)
@each_clip
def test_a_real_clip_by_every_method(asva, method_model, method, clip):
    """Small random models, except for the one that needs none."""
    size = {"static": (320, 512)}.get(method, (16, 16))
    words = ["--size", f"{size[0]}x{size[1]}"]
    words += ["--model", method_model(method), "--steps", 2] if METHODS[method].needs_model else []
    ran = asva("sample", "--image", clip, "--audio", clip, "--prompt", "a ball", "--method", method, *words, "--plot")
    assert ran.code == 0, ran.err
    made = read_video("out.mp4")
    assert_as_long(made, clip)
    assert made.frames.shape[1:] == (*size, 3)
    assert Path("out.plot.png").stat().st_size > 10_000
