"""Every real clip decodes, and keeps its frames, its sound and its length through `write_video`."""

import os
from pathlib import Path

import numpy as np
import pytest

from asva_data import read_video, resize_crop, write_video

FOLDER = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).parents[4] / "shared" / "clips"))
CLIPS = sorted(FOLDER.glob("*/*.mp4"))


@pytest.mark.skipif(not CLIPS, reason="no real clips; set ASVA_CLIPS_DIR")
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_round_trip(path, tmp_path):
    clip = read_video(path)
    assert np.all(np.diff(clip.times) > 0)
    assert abs(clip.waveform.shape[1] / clip.sample_rate - clip.duration) < 1.5 / clip.fps
    frames = resize_crop(clip.frames, 64)
    start = round(clip.times[0] * clip.sample_rate)
    written = write_video(
        tmp_path / "a.mp4",
        frames,
        fps=clip.fps,
        waveform=clip.waveform[:, start:],
        sample_rate=clip.sample_rate,
        crf=28,
    )
    again = read_video(written)
    assert again.frames.shape == frames.shape
    assert np.abs(again.frames.astype(int) - frames).mean() < 12
    assert abs(again.duration - len(frames) / clip.fps) < 1e-3
    assert abs(again.waveform.shape[1] / again.sample_rate - again.duration) < 1 / clip.fps
