"""Reading checkpoint files: mapped, refused, damaged."""

import os

import pytest
import torch
from safetensors.torch import save_file

from asva_weights import ConversionError, read_checkpoint

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("legacy", [False, True])
def test_lightning_checkpoint(tmp_path, legacy):
    path = tmp_path / "epoch=1.ckpt"
    torch.save({"state_dict": STATE, "epoch": 1}, path, _use_new_zipfile_serialization=not legacy)
    state = read_checkpoint(path)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], value) for key, value in STATE.items())


def test_deepspeed_checkpoint(tmp_path):
    path = tmp_path / "mp_rank_00_model_states.pt"
    torch.save({"module": {f"_forward_module.{key}": value for key, value in STATE.items()}, "epoch": 1}, path)
    state = read_checkpoint(path)
    assert state.keys() == STATE.keys()


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "weights.safetensors")
    assert torch.equal(read_checkpoint(tmp_path / "weights.safetensors")["a.bias"], STATE["a.bias"])


def test_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": STATE, "callback": RunsCode()}, tmp_path / "bad.ckpt")
    with pytest.raises(ConversionError, match=r"bad\.ckpt', which would run code"):
        read_checkpoint("bad.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_damage_is_named(tmp_path):
    torch.save({"state_dict": STATE}, tmp_path / "whole.ckpt")
    content = (tmp_path / "whole.ckpt").read_bytes()
    for name, cut in {"cut.ckpt": content[:-200], "empty.ckpt": b"", "text.safetensors": b"not a file"}.items():
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(ConversionError, match=f"{name}', which (is damaged|would run code)"):
            read_checkpoint(tmp_path / name)
    with pytest.raises(ConversionError, match="which does not exist"):
        read_checkpoint(tmp_path / "absent.ckpt")
    torch.save({"epoch": 3}, tmp_path / "bare.ckpt")
    with pytest.raises(ConversionError, match="without a single tensor"):
        read_checkpoint(tmp_path / "bare.ckpt")
