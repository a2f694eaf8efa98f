"""Small copies of parts of videos: their size, length, time and sound, whatever the source."""

import numpy as np
import pytest

from asva_data import MediaError, probe, read_video
from asva_data.preview import write_preview


def test_a_part_is_small_and_on_its_clock(media, tmp_path):
    source = media.write_media(tmp_path / "a.mkv", size=(288, 512), clicks=(0.25, 1.25))
    target = write_preview(source, tmp_path / "b.mp4", start=1.0, seconds=0.5, side=96)
    clip = read_video(target)
    assert clip.frames.shape == (12, 96, 170, 3)
    assert [media.number_of(frame) for frame in clip.frames] == list(range(24, 36))
    assert media.click_times(clip.waveform, clip.sample_rate, 1) == pytest.approx([0.25], abs=0.01)


def test_a_small_picture_is_not_enlarged_and_odd_sides_become_even(media, tmp_path):
    source = media.write_media(tmp_path / "a.mkv", size=(63, 95), codec="ffv1", pix_fmt="bgr0", sound=False)
    info = probe(write_preview(source, tmp_path / "b.mp4"))
    assert (info.height, info.width, info.has_sound) == (64, 96, False)


@pytest.mark.parametrize(("rate", "channels", "wanted"), [(48000, 6, (48000, 1)), (9600, 1, (32000, 1))])
def test_any_sound_becomes_one_that_browsers_play(rate, channels, wanted, media, tmp_path):
    codec = "aac" if channels == 6 else "pcm_s16le"
    source = media.write_media(tmp_path / "a.mkv", sample_rate=rate, channels=channels, audio_codec=codec)
    clip = read_video(write_preview(source, tmp_path / "b.mp4"))
    assert (clip.sample_rate, len(clip.waveform)) == wanted
    assert clip.waveform.shape[1] == pytest.approx(2 * wanted[0], abs=64)
    assert np.abs(clip.waveform).max() > 0.01


def test_what_cannot_be_read_is_said(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match="media file"):
        write_preview(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()
