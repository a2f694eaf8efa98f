"""Records, plots and strips beside a video."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from asva_weights import files as outputs


def test_staged_files_appear_together(tmp_path):
    video, record = tmp_path / "out.mp4", tmp_path / "out.json"
    with outputs.staged(video, record) as drafts:
        for draft in drafts:
            draft.write_text("whole", encoding="utf-8")
        assert not video.exists() and not record.exists()
    assert video.read_text(encoding="utf-8") == record.read_text(encoding="utf-8") == "whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.mp4"]


@pytest.mark.parametrize("accident", [RuntimeError, KeyboardInterrupt])
def test_staged_files_leave_nothing_after_an_accident(tmp_path, accident):
    (tmp_path / "out.mp4").write_text("before", encoding="utf-8")
    with pytest.raises(accident), outputs.staged(tmp_path / "out.mp4", tmp_path / "out.json") as drafts:
        drafts[0].write_text("half", encoding="utf-8")
        raise accident
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text(encoding="utf-8") == "before"


def test_an_error_of_a_writer_names_the_final_file(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"cannot write {tmp_path / 'out.mp4'}.")):
        with outputs.staged(tmp_path / "out.mp4") as drafts:
            raise ValueError(f"cannot write {drafts[0]}.")
    with pytest.raises(OSError) as caught, outputs.staged(tmp_path / "out.mp4") as drafts:
        raise OSError(28, "No space left on device", str(drafts[0]))
    assert caught.value.filename == str(tmp_path / "out.mp4")


def test_json_keeps_numbers_on_one_line_and_text_as_it_is(tmp_path):
    record = {"curve": np.arange(3, dtype=np.float32), "count": np.int64(3), "prompt": "[ 1,  2 ] ü", "path": tmp_path}
    outputs.write_json(tmp_path / "a.json", record)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert '"curve": [0.0, 1.0, 2.0]' in text
    assert json.loads(text) == {"curve": [0, 1, 2], "count": 3, "prompt": "[ 1,  2 ] ü", "path": str(tmp_path)}


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError):
        outputs.write_json(tmp_path / "a.json", {"curve": [float("nan")]})
    with pytest.raises(TypeError, match="cannot hold a object"):
        outputs.write_json(tmp_path / "a.json", {"x": object()})


def test_versions_name_the_packages_that_make_pixels():
    versions = outputs.package_versions()
    assert {"python", "torch", "diffusers", "asva-kit", "asva-unet"} <= versions.keys()


def test_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert outputs.file_digest(tmp_path / "a").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("waveform", [None, np.zeros(10), np.random.default_rng(0).normal(size=(2, 32000)) / 5])
def test_plot_is_a_picture(tmp_path, waveform):
    curve = np.sin(np.arange(48) / 4) ** 2
    outputs.plot_keyframes(
        tmp_path / "a.png", curve, [0, 6, 47], fps=24, waveform=waveform, sample_rate=16000, title="a_$b$ \u6c34.wav"
    )
    assert Image.open(tmp_path / "a.png").size == (1200, 432)


def test_plot_takes_a_curve_that_never_moves(tmp_path):
    outputs.plot_keyframes(tmp_path / "a.png", np.zeros(48), [0], fps=24)
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_strip_shows_every_keyframe():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, 64, 96, 3))
    strip = outputs.keyframe_strip(frames, [0, 20, 47], fps=24)
    assert strip.shape == (146, 3 * 196 - 4, 3)
    for place, colour in enumerate(colours):
        assert (strip[64, place * 196 + 96] == colour).all()


def test_strip_refuses_indices_without_frames():
    with pytest.raises(ValueError, match=r"`frames` must be as many as the indices \(2\), got 1"):
        outputs.keyframe_strip(np.zeros((1, 8, 8, 3), np.uint8), [0, 1], fps=24)
