"""The paper's ablations: music as tokens of each interval (w/o SE), one injection for all tracks (w/o SI)."""

import pytest
import torch

from asva_dit import MTVTransformer3DModel, save_mtv_checkpoint
from asva_weights import ConversionError

TRACKS = ("speech_embeds", "effects_embeds", "music_embeds")
ABLATIONS = [
    {"separate_extraction": False},
    {"separate_injection": False},
    {"separate_extraction": False, "separate_injection": False},
]
either = pytest.mark.parametrize("ablation", ABLATIONS, ids=["no-extraction", "no-injection", "neither"])


@torch.no_grad()
@either
@pytest.mark.parametrize("speakers", [1, 2])
def test_starts_as_the_base_bit_for_bit(make_base, control_config, make_inputs, ablation, speakers):
    base = make_base()
    model = MTVTransformer3DModel.from_transformer(base, **control_config, **ablation, num_speakers=speakers)
    inputs = make_inputs(model, b=2)
    heard = model(**inputs).sample
    plain = {name: value for name, value in inputs.items() if name not in TRACKS}
    assert torch.equal(heard, base(**plain).sample)


@torch.no_grad()
@either
@pytest.mark.parametrize("track", TRACKS)
def test_hears_each_track_and_what_is_off_not_at_all(make_model, make_inputs, ablation, track):
    model = make_model(**ablation)
    inputs = make_inputs(model)
    before = model(**inputs).sample
    alone = {name.replace("embeds", "scale"): float(name == track) for name in TRACKS}
    only = model(**inputs, **alone).sample
    inputs[track] = inputs[track] + 1
    assert not torch.equal(model(**inputs).sample, before)
    assert not torch.equal(model(**inputs, **alone).sample, only)
    silent = {name: 1 - scale for name, scale in alone.items()}
    changed = model.encode_audio(*(inputs[name] for name in TRACKS))
    heard = model.control(changed, torch.zeros(1, 24), *silent.values())
    assert getattr(heard, track.removesuffix("_embeds")) is None


@torch.no_grad()
def test_music_has_a_time_only_without_separate_extraction(make_model, make_inputs):
    """A change of the music of one latent frame moves the tokens of that frame."""
    model = make_model(separate_extraction=False)
    inputs = make_inputs(model, t=4)
    tracks = [inputs[name] for name in TRACKS]
    emb = torch.randn(1, 24, generator=torch.Generator().manual_seed(0))
    before = model.control(model.encode_audio(*tracks), emb, 1.0, 1.0, 1.0).music
    tracks[2][:, 6] += 1  # of latent frame 2
    after = model.control(model.encode_audio(*tracks), emb, 1.0, 1.0, 1.0).music
    assert (before != after).any(dim=(0, 2, 3)).tolist() == [False, False, True, False]


@torch.no_grad()
@either
def test_a_control_file_brings_its_form(make_base, make_model, make_inputs, ablation, tmp_path):
    model = make_model(**ablation)
    model.save_control(tmp_path / "control.safetensors", trained=[n for n, _ in model.named_parameters()])
    again = MTVTransformer3DModel.from_control(make_base(), tmp_path / "control.safetensors")
    inputs = make_inputs(model)
    assert torch.equal(again(**inputs).sample, model(**inputs).sample)


@either
def test_has_no_released_form(make_model, ablation, tmp_path):
    with pytest.raises(ConversionError, match="published form"):
        save_mtv_checkpoint(make_model(**ablation, audio_temporal="tied_conv"), tmp_path / "x.pt")
