"""Files of weights: each form that is published, and refusal of what is not weights."""

import pytest
import torch
from safetensors.torch import save_file

from asva_metrics import SyncNet, invert_network, load_network
from asva_weights import ConversionError, read_checkpoint


@pytest.fixture(scope="module")
def syncnet():
    network = SyncNet()
    state = invert_network(network.state_dict(), "syncnet")
    return network, {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}  # as the file of 2016


@torch.no_grad()
def test_syncnet_from_a_file(syncnet, tmp_path):
    network, state = syncnet
    torch.save(state, tmp_path / "syncnet_v2.model")
    save_file(state, tmp_path / "syncnet.safetensors")
    mfcc = torch.randn(2, 1, 13, 20, generator=torch.Generator().manual_seed(0))
    expected = network.eval().embed_audio(mfcc)
    for name in ("syncnet_v2.model", "syncnet.safetensors"):
        loaded = load_network(tmp_path / name, "syncnet")
        assert not loaded.training
        torch.testing.assert_close(loaded.embed_audio(mfcc), expected)


@pytest.mark.filterwarnings("ignore:.*jit.script:FutureWarning")
def test_torchscript_is_read_and_not_run(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 1))
    torch.jit.script(module).save(tmp_path / "i3d_torchscript.pt")
    state = read_checkpoint(tmp_path / "i3d_torchscript.pt")
    assert state.keys() == module.state_dict().keys()
    with pytest.raises(ConversionError, match=r"whole checkpoint of i3d: .* must hold every weight"):
        load_network(tmp_path / "i3d_torchscript.pt", "i3d")


def test_the_classifier_s_release_is_a_folder(tmp_path):
    for part in ("audio_encoder", "video_encoder"):
        (tmp_path / part).mkdir()
        torch.save({"x": torch.zeros(1)}, tmp_path / part / "diffusion_pytorch_model.bin")
    with pytest.raises(ConversionError, match=r"head.diffusion_pytorch_model\.bin', which does not exist"):
        load_network(tmp_path, "avsync")
    (tmp_path / "head").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "head" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ConversionError, match=r"3 unknown: audio_encoder\.x, head\.x, video_encoder\.x"):
        load_network(tmp_path, "avsync")


class Trap:
    def __reduce__(self):
        return print, ("run",)


def test_bad_files(tmp_path):
    torch.save({"x": Trap()}, tmp_path / "trap.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    for name, text in (
        ("trap.pt", "would run code"),
        ("list.pt", "must hold weights by name"),
        ("cut.pt", "damaged|would run code"),
        ("cut.safetensors", "damaged"),
        ("none.pt", "does not exist"),
    ):
        with pytest.raises(ConversionError, match=text):
            load_network(tmp_path / name, "inception")
