"""Sound written and read again, sample for sample."""

import pytest
import torch

from asva_audio import Audio, load_audio, write_sound


@pytest.mark.parametrize(("channels", "rate"), [(1, 16000), (2, 44100), (6, 48000), (8, 8000), (2, 11127)])
def test_what_is_read_is_what_was_written(tmp_path, generator, channels, rate):
    audio = Audio(1.7 * torch.randn(channels, 70000, generator=generator), rate)
    path = write_sound(tmp_path / "a.wav", audio)
    again = load_audio(path, sample_rate=None, mono=False)
    assert again.sample_rate == rate
    torch.testing.assert_close(again.waveform, audio.waveform, rtol=0, atol=0)
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


def test_one_sample_and_a_file_that_exists(tmp_path):
    write_sound(tmp_path / "a.wav", Audio(torch.zeros(1, 900), 16000))
    write_sound(tmp_path / "a.wav", Audio(torch.full((1, 1), 0.25), 16000))
    torch.testing.assert_close(load_audio(tmp_path / "a.wav").waveform, torch.full((1, 1), 0.25))


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.wav, got .*a\.mp3"):
        write_sound(tmp_path / "a.mp3", Audio(torch.zeros(1, 9), 16000))
    for shape in ((1, 0), (9, 5), (0, 5)):
        with pytest.raises(ValueError, match="`audio` must hold 1 to 8 channels of samples, got shape"):
            write_sound(tmp_path / "a.wav", Audio(torch.zeros(shape), 16000))
    with pytest.raises(FileNotFoundError):
        write_sound(tmp_path / "no" / "a.wav", Audio(torch.zeros(1, 9), 16000))
    assert not list(tmp_path.iterdir())
