"""Files of every bad kind: measured or refused with a reason, never a crash of the run."""

import os
import re
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from asva_curate import (
    curate,
    judge,
    load_recipe,
    measure_files,
    measure_safely,
    read_measurements,
    sources,
    write_results,
)
from asva_curate.curation.results import read_verdicts
from asva_data import VideoFolder, check_dataset, prepare_dataset, wanted_from_folder
from asva_data.listing import video_files
from asva_data.preview import write_preview

RECIPE = load_recipe("open-asva", {"filters.resolution.min": 16})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mp4", b"", "empty file"),
        ("text.mp4", b"only words, again and again\n" * 99, "media file"),
        ("noise.mkv", bytes(range(256)) * 20, "whole media file"),
        ("picture.mp4", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "media file|picture"),
    ],
)
def test_what_is_no_video_is_refused(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert re.search(reason, measure_safely(tmp_path / name).failure)


def test_a_truncated_file_is_refused(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert "whole media file" in measure_safely(path).failure


def test_a_missing_file_and_a_folder(tmp_path):
    assert "existing file" in measure_safely(tmp_path / "none.mp4").failure
    assert "existing file" in measure_safely(tmp_path).failure


@pytest.mark.parametrize("name", ['it\'s "here" & there.mp4', "видео 動画.mp4", "file:a%20b.mp4", "-rf.mp4"])
def test_odd_names_are_read(name, media, tmp_path):
    path = media.write_media(tmp_path / name)
    assert measure_safely(path).num_frames == 48


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as a name")
def test_a_name_that_is_no_utf8_fails_alone(media, tmp_path):
    raw, out = tmp_path / "raw", tmp_path / "out"
    for folder in (raw / "a", out):
        folder.mkdir(parents=True)
    good = media.write_media(raw / "a" / "good.mp4", num_frames=96, seconds=4.0)
    odd = os.fsdecode(os.fsencode(raw / "a") + b"/\xff\xfe.mp4")
    shutil.copy(good, odd)
    files = sources(video_files(raw), raw)
    (measured,) = measure_files([(raw, files)], tmp_path / "records")
    verdicts = judge(measured, RECIPE)
    write_results(out, measured, verdicts, RECIPE)
    reasons = {Path(one.path).name: one.reason for one in read_verdicts(out / "reasons.csv")}
    assert not reasons["good.mp4"].startswith("failed")
    assert r"\xff\xfe.mp4; rename it" in reasons[r"\xff\xfe.mp4"]
    assert [one.failure == "" for one in read_measurements(out / "measurements.parquet")] == [True, False]
    assert "rename it" in measure_safely(odd).failure
    assert not check_dataset(raw, layout="folder", sound=False).ok
    done = prepare_dataset(wanted_from_folder(raw), raw, tmp_path / "data", test_share=0.0)
    assert done.videos["train"] == ["a/good.mp4"] and "rename it" in done.refused[0][1]
    assert "rename it" in (tmp_path / "data" / "refused.jsonl").read_text(encoding="utf-8")
    assert VideoFolder(raw, num_frames=8, fps=24, size=32).broken[0][1].endswith("rename it.")


def test_a_wrong_ending_does_not_matter(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4").rename(tmp_path / "a.avi")
    assert measure_safely(path).ok


@pytest.mark.parametrize("degrees", [90, 180, 270, "mirror"])
def test_a_rotated_file_is_measured_upright(degrees, media, tmp_path):
    path = media.turn_track(media.write_media(tmp_path / "a.mp4"), degrees)
    found = measure_safely(path, scores={"upright": lambda excerpt: excerpt.frames.shape[1]})
    tall = degrees in (90, 270)
    assert (found.height, found.width) == ((96, 64) if tall else (64, 96))
    assert set(found.curves["upright"].values) <= {96.0 if tall else 64.0}


def test_a_variable_rate_keeps_its_own_times(media, tmp_path):
    times = [Fraction(n, 24) for n in range(24)] + [1 + Fraction(n, 8) for n in range(8)]
    found = measure_safely(media.write_media(tmp_path / "a.mp4", num_frames=32, times=times))
    assert found.ok and found.num_frames == 32
    assert found.duration == pytest.approx(2.0, abs=0.02)


def test_ten_bits_are_measured(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", codec="libx265", pix_fmt="yuv420p10le")
    plain = measure_safely(media.write_media(tmp_path / "b.mp4"))
    found = measure_safely(path)
    assert found.curves["light"].values.mean() == pytest.approx(plain.curves["light"].values.mean(), abs=3)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_measured_and_cut(transfer, media, tmp_path):
    params = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    path = media.write_media(tmp_path / "a.mp4", codec="libx265", pix_fmt="yuv420p10le", x265_params=params)
    found = measure_safely(path, scores={"kind": lambda excerpt: float(excerpt.frames.dtype == np.uint8)})
    assert found.ok and found.num_frames == 48 and set(found.curves["kind"].values) == {1.0}
    assert 5 < found.curves["light"].values.mean() < 250 and found.curves["contrast"].values.mean() > 15
    preview = write_preview(path, tmp_path / "b.mp4")
    assert measure_safely(preview).num_frames == 48


def test_one_frame(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=1, sound=False)
    ((found, verdict),) = curate(sources([path]), RECIPE)
    assert found.ok and found.num_frames == 1
    assert verdict.reason.startswith("duration: ")


def test_sound_without_a_picture(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", picture=False)
    assert "picture" in measure_safely(path).failure


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_sound_shorter_or_longer_than_the_picture(seconds, media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", seconds=seconds, clicks=(0.25,))
    found = measure_safely(path)
    assert found.duration == pytest.approx(2.0, abs=0.05)
    assert found.sound_seconds == pytest.approx(seconds, abs=0.07)


def test_surround_sound(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", channels=6, sample_rate=48000)
    found = measure_safely(path, scores={"channels": lambda excerpt: len(excerpt.waveform)})
    assert set(found.curves["channels"].values) == {6.0}


def test_loops_of_links_end(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4")
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.mp4").symlink_to(tmp_path / "self.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing.mp4")
    assert video_files(tmp_path) == [path]
    assert "existing file" in measure_safely(tmp_path / "self.mp4").failure


def test_nothing_is_written_beside_the_files(media, tmp_path):
    media.write_media(tmp_path / "a.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"x")
    list(curate(sources(video_files(tmp_path)), RECIPE))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "bad.mp4"]
