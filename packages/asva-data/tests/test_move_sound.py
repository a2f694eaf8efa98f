"""Sound moved against its picture: every packet's bytes stay, the sound comes when it should."""

import av
import numpy as np
import pytest

from asva_data import MediaError, move_sound, probe, read_video, write_video

RATE = 16000


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    waveform = np.zeros(2 * RATE, np.float32)
    waveform[RATE : RATE + 800] = np.random.default_rng(0).uniform(-0.9, 0.9, 800)  # a knock at 1 s
    frames = np.random.default_rng(0).integers(0, 255, (48, 32, 32, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("moved") / "clip.mp4"
    return write_video(path, frames, fps=24, waveform=waveform, sample_rate=RATE, metadata={"title": "a knock"})


def packets(path):
    """Bytes of every packet, by kind, as they lie in the file."""
    found = {}
    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream.type, []).append(bytes(packet))
    return found


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("seconds", [-0.25, 0.0, 0.192, 0.5])
def test_packets_stay_and_the_sound_moves(clip, tmp_path, ending, seconds):
    moved = move_sound(clip, tmp_path / f"moved{ending}", seconds)
    assert packets(moved) == packets(clip)
    before, after = read_video(clip), read_video(moved)
    np.testing.assert_array_equal(before.frames, after.frames)
    knock = int(np.abs(after.waveform[0]).argmax()) / RATE - after.times[0]
    original = int(np.abs(before.waveform[0]).argmax()) / RATE
    assert knock - original == pytest.approx(seconds, abs=0.003)
    if ending == ".mp4":
        assert max(0.0, seconds) - 0.07 <= probe(moved).sound_start <= max(0.0, seconds) + 0.002  # priming counts
        with av.open(str(moved)) as container:
            assert container.metadata["title"] == "a knock"


def test_what_cannot_be_moved_is_named(clip, tmp_path):
    silent = write_video(tmp_path / "silent.mp4", np.zeros((12, 32, 32, 3), np.uint8), fps=24)
    with pytest.raises(MediaError, match="must have picture and sound"):
        move_sound(silent, tmp_path / "out.mp4", 0.1)
    with pytest.raises(MediaError, match=r"must end in \.mp4"):
        move_sound(clip, tmp_path / "out.avi", 0.1)
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    with pytest.raises(MediaError):
        move_sound(tmp_path / "text.mp4", tmp_path / "out.mp4", 0.1)
    assert not (tmp_path / "out.mp4").exists()
