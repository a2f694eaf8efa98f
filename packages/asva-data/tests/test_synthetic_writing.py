"""The world on disk: complete, resumable, and never mixed with another one."""

import json

import numpy as np
import pytest

from asva_data import MediaError, SyntheticWorld, VideoFolder, detect_events, read_video, write_world

SMALL = {"size": 32, "num_frames": 24}


def test_writes_video_and_truth(tmp_path):
    seen = []
    paths = write_world(
        tmp_path / "world", 3, 7, start=2, on_clip=lambda done, path: seen.append((done, path)), **SMALL
    )
    assert [path.name for path in paths] == ["clip_000002.mp4", "clip_000003.mp4", "clip_000004.mp4"]
    assert seen == list(enumerate(paths, start=1))
    world = SyntheticWorld(7, **SMALL)
    for index, path in enumerate(paths, start=2):
        note, clip, found = (
            json.loads(path.with_suffix(".json").read_text(encoding="utf-8")),
            world[index],
            read_video(path),
        )
        assert note["video"] == path.name and note["world"]["index"] == index and note["world"]["seed"] == 7
        assert note["caption"] == clip.caption and note["scene"] == clip.scene
        np.testing.assert_allclose(note["event_times"], clip.event_times, atol=1e-5)
        assert found.frames.shape == clip.frames.shape and found.fps == 24
        assert found.waveform.shape[-1] == pytest.approx(clip.waveform.shape[-1], abs=2000)
    names = {path.name for path in (tmp_path / "world").iterdir()}
    assert names == {f"clip_00000{i}.{end}" for i in (2, 3, 4) for end in ("mp4", "json")} | {"captions.jsonl"}


def test_the_folder_is_a_dataset(tmp_path):
    paths = write_world(tmp_path, 2, 1, **SMALL)
    folder = VideoFolder(tmp_path, num_frames=24, size=32, caption=tmp_path / "captions.jsonl", random_start=False)
    assert [folder[i]["caption"] for i in range(2)] == [
        clip.caption for clip in map(SyntheticWorld(1, **SMALL).__getitem__, [0, 1])
    ]
    assert len(folder) == len(paths)


def test_events_can_be_read_off_the_files(tmp_path):
    path = write_world(tmp_path, 1, 3, classes="hammer", two_objects=0.0)[0]
    note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    detection = detect_events(read_video(path).frames, note["scene"])
    np.testing.assert_allclose(detection.times, note["event_times"], atol=1 / 24)


def test_goes_on_where_it_stopped(tmp_path):
    paths = write_world(tmp_path, 3, 7, **SMALL)
    kept, torn = paths[0].stat().st_mtime_ns, paths[1].read_bytes()
    paths[1].write_bytes(b"half")
    paths[1].with_suffix(".json").unlink()  # a stop between video and note
    paths[2].unlink()
    assert write_world(tmp_path, 4, 7, **SMALL)[:3] == paths
    assert paths[0].stat().st_mtime_ns == kept and paths[1].read_bytes() == torn and paths[2].exists()
    assert len((tmp_path / "captions.jsonl").read_text(encoding="utf-8").splitlines()) == 4


def test_a_stop_in_the_middle_leaves_whole_files_only(tmp_path):
    def stop(done, path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path, 3, 7, on_clip=stop, **SMALL)
    assert {path.name for path in tmp_path.iterdir()} == {"clip_000000.mp4", "clip_000000.json"}


def test_refuses_to_mix_worlds(tmp_path):
    write_world(tmp_path, 1, 7, **SMALL)
    with pytest.raises(MediaError, match=r"clips of the same settings.*choose another folder"):
        write_world(tmp_path, 1, 8, **SMALL)
    (tmp_path / "clip_000000.json").write_text("[]", encoding="utf-8")
    with pytest.raises(MediaError, match="not of this kind"):
        write_world(tmp_path, 1, 7, **SMALL)


@pytest.mark.parametrize("options", [{"num": 0}, {"num": 1, "start": -1}, {"num": 1, "size": 33}])
def test_bad_arguments_are_named(tmp_path, options):
    with pytest.raises(ValueError, match="`num` must be at least 1"):
        write_world(tmp_path, **options)


def test_a_folder_that_cannot_be_made(tmp_path):
    with pytest.raises(MediaError, match="`folder` could not be made"):
        write_world(tmp_path / "no" / "such", 1, **SMALL)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MediaError, match="`folder` could not be made"):
        write_world(tmp_path / "file", 1, **SMALL)
