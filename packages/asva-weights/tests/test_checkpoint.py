"""Reading checkpoint files: mapped, refused, damaged."""

import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from asva_weights import ConversionError, KeyTable, read_checkpoint

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


def test_random_states_beside_the_weights_are_passed_over(tmp_path, monkeypatch):
    """As DeepSpeed and Lightning leave them; not even numpy's own code is run."""
    draw, path = np.random.RandomState(0), tmp_path / "mp_rank_00_model_states.pt"
    states = {"np_rng_state": draw.get_state(), "generator": draw, "loss": np.float64(1), "steps": np.arange(3)}
    torch.save({"module": STATE, "random_rng_state": random.Random(0).getstate(), **states}, path)
    monkeypatch.setattr("numpy._core.multiarray.scalar", lambda *given: pytest.fail("numpy was called"))
    state = read_checkpoint(path)
    assert state.keys() == STATE.keys() and torch.equal(state["a.weight"], STATE["a.weight"])


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


def test_pieces_of_stacked_tensors_both_ways():
    table = KeyTable(((r"^norm_(a|b)", lambda m: "scale#4:" + {"a": "0,2", "b": "1,3"}[m[1]]),), unused=r"extra\..+")
    original = {"scale.weight": torch.arange(8.0), "extra.bias": torch.ones(1)}
    like = {"norm_a.weight": torch.empty(4, device="meta"), "norm_b.weight": torch.empty(4, device="meta")}
    ours = table.to_ours(original, like, "The file")
    assert ours["norm_a.weight"].tolist() == [0, 1, 4, 5] and ours["norm_b.weight"].tolist() == [2, 3, 6, 7]
    back = table.to_original(ours, like) | table.rest(original)
    assert back.keys() == original.keys() and all(torch.equal(back[name], original[name]) for name in back)
    with pytest.raises(ConversionError, match=r"every piece of scale\.weight, 2 missing"):
        table.to_original({"norm_a.weight": ours["norm_a.weight"]})
    with pytest.raises(ConversionError, match=r"1 missing: norm_b\.weight; 1 unknown: norm_c\.weight"):
        table.to_original({"norm_a.weight": ours["norm_a.weight"], "norm_c.weight": ours["norm_b.weight"]}, like)


def test_counters_that_old_files_lack_are_zero():
    like = {"norm.weight": torch.empty(2), "norm.num_batches_tracked": torch.empty(())}
    assert KeyTable().to_ours({"norm.weight": torch.ones(2)}, like, "The file")["norm.num_batches_tracked"] == 0


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes, self.share = [1, 2], 0.5  # plain values beside the weights
        self.layers = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 1), torch.nn.BatchNorm1d(3))
        self.register_buffer("turned", torch.arange(6).reshape(2, 3).t())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) * self.sizes[0] * self.share


@pytest.mark.filterwarnings("ignore:.*jit.script:FutureWarning")
def test_a_torchscript_archive_is_data(tmp_path):
    module = Inner()
    torch.jit.script(module).save(tmp_path / "inner.pt")
    state, expected = read_checkpoint(tmp_path / "inner.pt"), module.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) and state[name].dtype == value.dtype for name, value in expected.items())


@pytest.mark.filterwarnings("ignore:.*jit.script:FutureWarning")
def test_a_torchscript_archive_with_a_foreign_class_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(torch.nn.Linear(1, 1)).save("good.pt")
    with zipfile.ZipFile("good.pt") as old, zipfile.ZipFile("bad.pt", "w") as new:
        for name in old.namelist():
            bad = name.endswith("data.pkl")
            new.writestr(name, pickle.dumps(RunsCode()) if bad else old.read(name))
    with pytest.raises(ConversionError, match=r"bad\.pt', which would run code"):
        read_checkpoint("bad.pt")
    assert not (tmp_path / "pwned").exists()


def test_an_archive_that_grows_as_it_is_read_is_refused(tmp_path):
    """100 kB that become 100 MB of pickle; torch itself leaves everything as it is."""
    torch.save(STATE, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, b"(" * 10**8 if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(ConversionError, match=r"bomb\.pt', which is damaged"):
        read_checkpoint(tmp_path / "bomb.pt")
