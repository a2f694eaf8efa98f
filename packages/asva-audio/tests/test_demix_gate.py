"""Spleeter's networks from stored arrays, and tracks of crumbs that become silent."""

import math

import numpy as np
import pytest
import torch

from asva_audio import GatedDemixer, SpleeterDemixer, Stems, level, load_spleeter
from asva_audio.spleeter import FILES, SpleeterNetwork
from asva_weights import ConversionError

RATE = 16000


def stored(seed=0):
    """Arrays as the package of the weights names them."""
    rng, arrays = np.random.default_rng(seed), {}
    widths = [2, 16, 32, 64, 128, 256, 512]
    seen, made = [512, 512, 256, 128, 64, 32], [256, 128, 64, 32, 16, 1]

    def norm(name, width):
        arrays.update({f"{name}.{part}": rng.uniform(0.5, 1, width) for part in ("weight", "running_var")})
        arrays.update({f"{name}.{part}": rng.normal(size=width) / 10 for part in ("bias", "running_mean")})

    def conv(name, *shape, out):
        arrays.update({f"{name}.weight": rng.normal(size=shape) / 20, f"{name}.bias": rng.normal(size=out) / 10})

    for i in range(6):
        conv(f"down{i + 1}_conv.1", widths[i + 1], widths[i], 5, 5, out=widths[i + 1])
        norm(f"down{i + 1}_act.0", widths[i + 1])
        conv(f"up{i + 1}.0", seen[i], made[i], 5, 5, out=made[i])
        norm(f"up{i + 1}.3", made[i])
    conv("up7.0", 2, 1, 4, 4, out=2)
    return {name: value.astype(np.float32) for name, value in arrays.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("spleeter")
    for name in FILES:  # the same weights for the voice and the rest
        torch.save(stored(), place / name)
    return place


def test_two_equal_networks_share_the_sound_in_halves(folder):
    demixer, time = load_spleeter(folder), torch.arange(RATE) / RATE
    sound = sum(0.1 * torch.sin(2 * torch.pi * hertz * time) for hertz in (200, 900, 3100))[None]
    stems = demixer(sound, RATE)
    torch.testing.assert_close(stems.mix, sound, atol=1e-6, rtol=0)
    torch.testing.assert_close(stems.speech[:, 500:-500], sound[:, 500:-500] / 2, atol=3e-3, rtol=0)


def test_what_one_network_hears_louder_is_the_voice(folder):
    quiet = stored()
    quiet["up7.0.bias"] = quiet["up7.0.bias"] - 6
    loud, soft = (SpleeterNetwork.from_arrays(arrays) for arrays in (stored(), quiet))
    sound = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, (2, RATE)).astype(np.float32))
    voice, rest = (level(SpleeterDemixer(*pair)(sound, RATE).speech) for pair in ((loud, soft), (soft, loud)))
    assert level(sound) - voice < 1 and level(sound) - rest > 20


def test_weights_of_something_else_are_refused(folder, tmp_path):
    arrays = stored()
    with pytest.raises(ConversionError, match="must be Spleeter's"):
        SpleeterNetwork.from_arrays({name: value for name, value in arrays.items() if name != "up3.0.bias"})
    with pytest.raises(ConversionError, match="must be Spleeter's"):
        SpleeterNetwork.from_arrays(arrays | {"up8.0.bias": np.zeros(1)})
    with pytest.raises(ConversionError, match="does not exist"):
        load_spleeter(tmp_path)


class Given:
    """Tracks at the levels that a test asks for."""

    def __init__(self, *dbfs):
        rng = np.random.default_rng(0)
        self.tracks = [torch.from_numpy(rng.normal(0, 10 ** (db / 20), (1, RATE)).astype(np.float32)) for db in dbfs]

    @property
    def mix(self):
        return sum(self.tracks)

    def __call__(self, waveform, sample_rate):
        return Stems(*self.tracks, sample_rate)


@pytest.mark.parametrize(
    ("levels", "silent"),
    [((-20, -20, -20), set()), ((-60, -20, -25), {"speech"}), ((-20, -60, -70), {"effects", "music"})],
)
def test_crumbs_are_silent_and_nothing_is_lost(levels, silent):
    given = Given(*levels)
    stems = GatedDemixer(given)(given.mix, RATE)
    assert {name for name, track in stems.items() if level(track) == -math.inf} == silent
    torch.testing.assert_close(stems.mix, given.mix, atol=1e-6, rtol=0)


def test_speech_is_silent_where_no_voice_is_heard():
    given = Given(-20, -20, -20)
    stems = GatedDemixer(given, speech_seconds=lambda waveform, rate: 0.1)(given.mix, RATE)
    assert level(stems.speech) == -math.inf and level(stems.effects) > -18
    heard = GatedDemixer(given, speech_seconds=lambda waveform, rate: 0.5)(given.mix, RATE)
    assert torch.equal(heard.speech, given.tracks[0])
