"""Control weights apart from the base (A10.9)."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file

from asva_dit import MTVTransformer3DModel, freeze_all_but_control


@pytest.fixture
def base(make_base):
    return make_base()


def learned(base, control_config, **changes):
    model = MTVTransformer3DModel.from_transformer(base, **control_config, **changes).eval()
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if ".control." in f".{name}":
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


@torch.no_grad()
def test_the_control_alone_gives_the_outputs_again(base, control_config, make_inputs, tmp_path):
    model = learned(base, control_config, num_speakers=2)
    path = tmp_path / "folder" / "control.safetensors"
    model.save_control(path)
    again = MTVTransformer3DModel.from_control(base, path).eval()
    inputs = make_inputs(model)
    assert torch.equal(model(**inputs).sample, again(**inputs).sample)
    assert again.config.num_speakers == 2
    names = set(load_file(path))
    assert names == {name for name in model.state_dict() if ".control." in f".{name}"}
    assert [entry.name for entry in path.parent.iterdir()] == ["control.safetensors"]

    fresh = MTVTransformer3DModel.from_transformer(base, **control_config, num_speakers=2).eval()
    fresh.load_control(path)
    assert torch.equal(model(**inputs).sample, fresh(**inputs).sample)


@torch.no_grad()
def test_weights_of_the_base_that_were_trained_come_along(make_base, control_config, make_inputs, tmp_path):
    base = make_base()
    model = learned(copy.deepcopy(base), control_config)
    trained = tuple(name for name in freeze_all_but_control(model) if ".control." not in f".{name}")
    for name, parameter in model.named_parameters():
        if name in trained:
            parameter += 0.1
    model.save_control(tmp_path / "c.safetensors", trained=trained)
    again = MTVTransformer3DModel.from_control(base, tmp_path / "c.safetensors").eval()
    inputs = make_inputs(model)
    assert torch.equal(model(**inputs).sample, again(**inputs).sample)


def test_a_control_that_does_not_fit_is_an_error(base, control_config, make_base, tmp_path):
    model = learned(base, control_config)
    path = tmp_path / "control.safetensors"
    model.save_control(path)
    with pytest.raises(ValueError, match=r"of the model's configuration, got \{'num_speakers': 1\}"):
        learned(base, control_config, num_speakers=2).load_control(path)
    with pytest.raises(ValueError, match="must hold a control of this base's size"):
        MTVTransformer3DModel.from_control(make_base(num_attention_heads=3), path)
    with pytest.raises(ValueError, match="must hold the weights of this control and base"):
        MTVTransformer3DModel.from_control(make_base(num_layers=3), path)
    with pytest.raises(ValueError, match="`trained` must name weights"):
        model.save_control(path, trained=("nothing",))


def test_a_file_that_is_no_control_is_an_error(base, tmp_path):
    with pytest.raises(ValueError, match="which does not exist"):
        MTVTransformer3DModel.from_control(base, tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="which is damaged"):
        MTVTransformer3DModel.from_control(base, tmp_path / "cut.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="must be written by `save_control`"):
        MTVTransformer3DModel.from_control(base, tmp_path / "other.safetensors")
