"""``asva demix``: three tracks that sum to the sound, a record of how, and one line where something is wrong."""

import json

import numpy as np
import pytest
import torch

from asva_audio import Audio, load_audio, write_sound

RATE = 16000


@pytest.fixture
def sound(tmp_path):
    generator = torch.Generator().manual_seed(0)
    audio = Audio(0.1 * torch.randn(2, RATE, generator=generator), RATE)
    write_sound(tmp_path / "mix.wav", audio)
    write_sound(tmp_path / "voice.wav", Audio(0.5 * audio.waveform, RATE))
    write_sound(tmp_path / "short.wav", Audio(audio.waveform[:, :9000], RATE))
    write_sound(tmp_path / "slow.wav", Audio(audio.waveform, 8000))
    return audio


def tracks(folder):
    return {name: load_audio(folder / f"{name}.wav", sample_rate=None, mono=False) for name in TRACKS}


TRACKS = ("speech", "effects", "music")


def test_masks_by_default(asva, sound, tmp_path):
    ran = asva("demix", "mix.wav", "--output", "out")
    assert ran.code == 0 and "approximate" in ran.err
    found = tracks(tmp_path / "out")
    total = sum(track.waveform for track in found.values())
    torch.testing.assert_close(total, sound.waveform, rtol=0, atol=1e-6)
    record = json.loads((tmp_path / "out/stems.json").read_text(encoding="utf-8"))
    assert record["method"] == "masks" and record["approximate"]
    assert record["sample_rate"] == RATE and record["num_samples"] == RATE and record["channels"] == 2
    assert record["source"]["name"] == "mix.wav" and len(record["source"]["sha256"]) == 64
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["stems.json", *(f"{name}.wav" for name in TRACKS)]
    )


def test_a_given_track_stays_and_the_rest_goes_where_it_is_told(asva, sound, tmp_path):
    ran = asva("demix", "mix.wav", "--output", "out", "--stem", "speech=voice.wav", "--rest", "music")
    assert ran.code == 0 and "which went to music" in ran.err
    found = tracks(tmp_path / "out")
    torch.testing.assert_close(found["speech"].waveform, 0.5 * sound.waveform, rtol=0, atol=0)
    torch.testing.assert_close(found["music"].waveform, 0.5 * sound.waveform, rtol=0, atol=1e-6)
    assert not found["effects"].waveform.any()
    record = json.loads((tmp_path / "out/stems.json").read_text(encoding="utf-8"))
    assert record["rest"] == {"track": "music", "dbfs": pytest.approx(-26, abs=0.2)}
    assert record["tracks"]["effects"] == {"file": "effects.wav", "dbfs": None, "silent": True}


def test_json_is_the_record_on_stdout(asva, sound, tmp_path):
    ran = asva("demix", "mix.wav", "-o", "out", "--json")
    assert ran.code == 0 and "approximate" in ran.err
    assert json.loads(ran.out) == json.loads((tmp_path / "out/stems.json").read_text(encoding="utf-8"))


def test_a_part_of_a_sound(asva, sound, tmp_path):
    assert asva("demix", "mix.wav", "-o", "out", "--start", "0.25", "--duration", "0.5").code == 0
    assert tracks(tmp_path / "out")["music"].duration == 0.5


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["none.wav"], 1, "none.wav"),
        (["mix.wav", "--stem", "voice=voice.wav"], 2, "`--stem` must be track=file, such as speech=voice.wav, got"),
        (["mix.wav", "--stem", "speech=a.wav", "--stem", "speech=b.wav"], 2, "must name each track once, got speech"),
        (["mix.wav", "--stem", "speech=none.wav"], 1, "none.wav does not exist"),
        (
            ["mix.wav", "--stem", "speech=short.wav"],
            1,
            "`speech` must be as long as the sound, 16000 samples, got 9000",
        ),
        (["mix.wav", "--stem", "music=slow.wav"], 1, "`music` must have the rate of the sound, 16000 Hz, got 8000 Hz"),
        (["mix.wav", "--method", "given"], 2, "`--method given` and `--stem` go together"),
        (["mix.wav", "--method", "demucs"], 2, "`--method demucs` and `--weights` go together"),
        (["mix.wav", "--weights", "a.th"], 2, "`--method demucs` and `--weights` go together"),
        (["mix.wav", "--method", "demucs", "--weights", "none.th"], 1, "must name a checkpoint file, got none.th"),
        (["mix.wav", "--output", "mix.wav"], 2, "'mix.wav' is a file: name a folder"),
        (["mix.wav", "--output", "no/such"], 2, "Folder 'no' does not exist"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(asva, sound, tmp_path, words, code, complaint):
    before = sorted(tmp_path.rglob("*"))
    ran = asva("demix", *words, *(() if "--output" in words else ("--output", "out")))
    assert ran.code == code and complaint in ran.complaint, ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_files_are_replaced_only_when_told(asva, sound, tmp_path):
    assert asva("demix", "mix.wav", "-o", "out").code == 0
    ran = asva("demix", "mix.wav", "-o", "out")
    assert ran.code == 2 and "pass --overwrite" in ran.complaint
    assert asva("demix", "mix.wav", "-o", "out", "--overwrite").code == 0


def test_silence_and_a_single_sample(asva, tmp_path):
    for name, samples in (("silence", 5000), ("sample", 1)):
        write_sound(tmp_path / f"{name}.wav", Audio(torch.zeros(1, samples), RATE))
        assert asva("demix", f"{name}.wav", "-o", name).code == 0
        assert all(np.isfinite(track.waveform.numpy()).all() for track in tracks(tmp_path / name).values())
