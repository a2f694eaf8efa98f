"""Networks of the Demucs family: tiny ones of the released class, saved as released, and files that are not."""

import json
from fractions import Fraction

import pytest
import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from asva_audio import DemucsDemixer, demix_networks, load_demucs

pytestmark = pytest.mark.filterwarnings("ignore:Initializing zero-element", "ignore:std():UserWarning")
TINY = {
    "channels": 8,
    "dconv_comp": 4,
    "depth": 4,
    "t_layers": 1,
    "t_heads": 2,
    "bottom_channels": 16,
    "nfft": 1024,
    "segment": Fraction(1, 2),
    "samplerate": 16000,
}


def network(sources):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HTDemucs(sources, **TINY).eval()


def package(model):
    """What Demucs saves: class and arguments beside half-precision weights."""
    args, kwargs = model._init_args_kwargs
    state = {key: value.half() for key, value in model.state_dict().items()}
    return {"klass": type(model), "args": args, "kwargs": kwargs, "state": state, "training_args": {"lr": 3e-4}}


@pytest.fixture(scope="module")
def cinematic(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "cdx.th"
    torch.save(package(network(["music", "effect", "dialog"])), path)
    return path


@pytest.fixture(scope="module")
def demixer(cinematic):
    return load_demucs(cinematic, overlap=0.25)


@pytest.mark.parametrize(
    ("channels", "samples", "rate"), [(1, 9000, 16000), (2, 7000, 22050), (6, 3000, 16000), (1, 1, 8000)]
)
def test_the_tracks_sum_to_the_mix(demixer, generator, channels, samples, rate):
    waveform = 0.3 * torch.randn(channels, samples, generator=generator)
    stems = demixer(waveform, rate)
    torch.testing.assert_close(stems.mix, waveform, rtol=0, atol=1e-6)
    assert stems.speech.shape == waveform.shape and stems.sample_rate == rate


def test_sources_go_to_their_tracks(demixer, generator):
    assert demixer.tracks == {"music": "music", "effect": "effects", "dialog": "speech"}
    waveform = 0.3 * torch.randn(2, 8000, generator=generator)
    with torch.no_grad():
        direct = demixer.network(waveform[None])[0]
    stems = demixer(waveform, 16000)
    whole = DemucsDemixer(demixer.network, demixer.tracks, overlap=0.0)(waveform, 16000)
    torch.testing.assert_close(whole.music, direct[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(whole.speech, direct[2], rtol=0, atol=1e-5)
    assert not torch.equal(stems.speech, stems.music)


def test_nothing_is_random_and_silence_stays_finite(demixer, generator):
    waveform = 0.3 * torch.randn(1, 5000, generator=generator)
    torch.testing.assert_close(demixer(waveform, 16000).speech, demixer(waveform, 16000).speech, rtol=0, atol=0)
    silent = demixer(torch.zeros(1, 5000), 16000)
    assert all(track.isfinite().all() for _, track in silent.items())


def test_songs_have_no_effects_and_safetensors_carry_their_settings(tmp_path, generator):
    model = network(["drums", "bass", "other", "vocals"])
    args, kwargs = model._init_args_kwargs
    fraction = {"_type": "fraction", "numerator": 1, "denominator": 2}
    stated = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": json.dumps(args),
        "kwargs": json.dumps(kwargs | {"segment": fraction}),
    }
    save_file(model.state_dict(), tmp_path / "songs.safetensors", stated)
    waveform = 0.3 * torch.randn(2, 4000, generator=generator)
    demixer = load_demucs(tmp_path / "songs.safetensors")
    assert demixer.network.segment == Fraction(1, 2)
    stems = demixer(waveform, 16000)
    torch.testing.assert_close(stems.mix, waveform, rtol=0, atol=1e-6)
    struck = load_demucs(
        tmp_path / "songs.safetensors",
        {"drums": "effects", "bass": "music", "other": "music", "vocals": "speech"},
    )(waveform, 16000)
    torch.testing.assert_close(struck.speech, stems.speech, rtol=0, atol=0)
    assert not torch.equal(struck.music, stems.music)
    save_file(model.state_dict(), tmp_path / "other.safetensors", stated | {"klass": "os.system"})
    with pytest.raises(ValueError, match="damaged or another network"):
        load_demucs(tmp_path / "other.safetensors")


class Code:
    """A pickle that calls a function when it is loaded."""

    def __reduce__(self):
        return (eval, ("1 / 0",))


def test_files_that_are_refused(tmp_path, cinematic):
    path = tmp_path / "file.th"
    with pytest.raises(ValueError, match=r"`path` must name a checkpoint file, got .*file\.th, which does not exist"):
        load_demucs(path)
    torch.save(package(network(["dialog"])) | {"more": Code()}, path)
    with pytest.raises(ValueError, match=r"must hold weights only, got .*file\.th., which would run code"):
        load_demucs(path)
    torch.save(package(network(["dialog"])) | {"klass": torch.nn.Linear}, path)
    with pytest.raises(ValueError, match="would run code"):
        load_demucs(path)
    path.write_bytes(cinematic.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"must be whole, got .*file\.th"):
        load_demucs(path)
    torch.save({"state": {}}, path)
    with pytest.raises(ValueError, match="`path` must hold a whole checkpoint of one HTDemucs"):
        load_demucs(path)
    short = package(network(["dialog"]))
    short["state"].popitem()
    torch.save(short, path)
    with pytest.raises(ValueError, match="damaged or another network"):
        load_demucs(path)


def test_wrong_arguments_are_named(tmp_path, cinematic, monkeypatch):
    model = network(["a", "b"])
    torch.save(package(model), tmp_path / "unknown.th")
    with pytest.raises(
        ValueError, match=r"`tracks` must name the track of each of \['a', 'b'\]; \['a', 'b'\] not known"
    ):
        load_demucs(tmp_path / "unknown.th")
    with pytest.raises(ValueError, match=r"`tracks` must give each of \['a', 'b'\] one of speech, effects, music, got"):
        load_demucs(tmp_path / "unknown.th", {"a": "speech"})
    with pytest.raises(ValueError, match=r"`overlap` must lie in \[0, 1\), got 1"):
        DemucsDemixer(model, {"a": "speech", "b": "music"}, overlap=1)
    with pytest.raises(ValueError, match="`waveform` must be finite"):
        load_demucs(cinematic)(torch.full((1, 9), torch.nan), 16000)
    monkeypatch.setitem(__import__("sys").modules, "demucs.htdemucs", None)
    with pytest.raises(ImportError, match=r"`demucs` must be installed .* `pip install 'asva-audio\[demucs\]'`"):
        demix_networks.load_demucs(cinematic)
