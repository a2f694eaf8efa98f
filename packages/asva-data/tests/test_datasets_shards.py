"""Tar shards: what is written comes back, and nothing in them leads out."""

import io
import tarfile

import pytest

from asva_data import MediaError, TarShards, read_video, write_shards


def samples(count):
    return [(f"clip-{i:03d}", {"mp4": bytes([i]) * 3000, "json": {"caption": f"número {i}"}}) for i in range(count)]


def test_samples_come_back_from_several_shards(tmp_path):
    paths = write_shards(tmp_path, samples(9), max_bytes=15_000)
    assert [path.name for path in paths] == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    shards = TarShards(paths)
    assert len(shards) == 9 and shards.endings("clip-004") == ["json", "mp4"]
    assert shards.read("clip-008", "mp4") == bytes([8]) * 3000
    assert shards.read_json("clip-005") == {"caption": "número 5"}
    with tarfile.open(paths[0]) as archive:  # a plain tar in the convention of WebDataset
        assert archive.getnames()[:2] == ["clip-000.json", "clip-000.mp4"]


def test_the_same_samples_give_the_same_bytes(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        write_shards(folder, samples(3))
    first, second = ((folder / "shard-000000.tar").read_bytes() for folder in folders)
    assert first == second


def test_a_video_is_read_out_of_a_shard(media, tmp_path):
    video = media.write_media(tmp_path / "a.mp4").read_bytes()
    shards = TarShards(write_shards(tmp_path, [("x/a", {"mp4": video})]))
    with shards.as_file("x/a") as path:
        assert len(read_video(path).frames) == 48
    assert not path.exists()


def evil(path, names, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"bad"))
    return path


def test_members_that_lead_out_are_refused(tmp_path):
    names = ["../out.mp4", "/tmp/out.mp4", "a/../../out.mp4", "..\\out.mp4", "good.mp4"]
    shards = TarShards([evil(tmp_path / "evil.tar", names)])
    assert shards.keys == ["good"]
    assert [name for _, name in shards.refused] == names[:4]
    with pytest.raises(MediaError, match="got none"):
        TarShards([evil(tmp_path / "link.tar", ["a.mp4"], tarfile.SYMTYPE)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar", "link.tar"]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 99])
def test_what_is_no_tar_is_refused(content, tmp_path):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(MediaError, match="`paths` must"):
        TarShards([tmp_path / "a.tar"])


def test_a_shard_cut_short_is_refused(tmp_path):
    (path,) = write_shards(tmp_path, samples(3))
    shards = TarShards([path])
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(MediaError, match="cut short"):
        shards.read("clip-002", "mp4")


@pytest.mark.parametrize("key", ["../a", "/a", "a.b", "", "clip-000"])
def test_keys_are_checked_and_nothing_half_written_stays(key, tmp_path):
    with pytest.raises(MediaError, match="`key`"):
        write_shards(tmp_path, [*samples(1), (key, {"mp4": b"x"})])
    assert list(tmp_path.iterdir()) == []


def test_unknown_samples_and_endings(tmp_path):
    shards = TarShards(write_shards(tmp_path, samples(1)))
    with pytest.raises(MediaError, match="`ending`"):
        shards.read("clip-000", "wav")
    with pytest.raises(MediaError, match="`key`"):
        shards.read("clip-001", "mp4")
    with pytest.raises(MediaError, match="`folder`"):
        write_shards(tmp_path / "none", samples(1))
