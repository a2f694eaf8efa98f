"""Twenty attacks by files and by the page; docs/reliability.md says what each tried. None may succeed."""

import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette import testclient

from asva_weights import read_arrays, read_checkpoint

ROOT = Path(__file__).parents[1]
HOME = "http://127.0.0.1:7860"


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


class Scripted(torch.nn.Module):
    """Its code in a TorchScript archive prints, or loops for ever, as soon as it is loaded."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    @torch.jit.export
    def __getstate__(self):
        return self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]
        raise RuntimeError("the code of the file has run")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("pwned").exists(), "the attack has run code"


def refused(call, *given, match=None):
    with pytest.raises((ValueError, OSError), match=match):
        call(*given)


def scripted(path="a.pt"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Scripted()).save(path)


def repacked(source, target, change):
    """A zip whose members pass through `change(name, content)`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def test_reduce_in_a_checkpoint():
    torch.save({"state_dict": {}, "callback": Payload()}, "a.ckpt")
    refused(read_checkpoint, "a.ckpt", match="would run code")


def test_reduce_in_an_old_checkpoint():
    torch.save({"state_dict": {}, "callback": Payload()}, "a.ckpt", _use_new_zipfile_serialization=False)
    refused(read_checkpoint, "a.ckpt", match="would run code")


def test_setstate_of_a_scripted_module():
    scripted()
    with pytest.raises(torch.jit.Error, match="the code of the file has run"):
        torch.jit.load("a.pt")
    refused(read_checkpoint, "a.pt", match="damaged")


def test_a_foreign_class_in_a_scripted_module():
    scripted()
    repacked("a.pt", "b.pt", lambda name, data: pickle.dumps(Payload(), 2) if name.endswith("data.pkl") else data)
    refused(read_checkpoint, "b.pt", match="would run code")


def test_a_state_that_changes_a_function():
    scripted()
    state = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__(K\x01tsbtb\x86b."
    repacked("a.pt", "b.pt", lambda name, data: state if name.endswith("data.pkl") else data)
    before = torch._utils._rebuild_tensor_v2.__defaults__
    refused(read_checkpoint, "b.pt")
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_a_storage_longer_than_its_bytes():
    torch.save({"a": torch.ones(4)}, "a.pt")
    longer = (b"K\x04tq", b"M\xff\x7ftq"), (b"K\x04\x85", b"M\xff\x7f\x85")

    def change(name, data):
        for old, new in longer if name.endswith("data.pkl") else ():
            data = data.replace(old, new)
        return data

    repacked("a.pt", "b.pt", change)
    refused(read_checkpoint, "b.pt", match="damaged")


def test_code_beside_arrays():
    Path("a.ckpt").write_bytes(pickle.dumps({"params": Payload()}))
    refused(read_arrays, "a.ckpt", match="could run code")


def test_an_array_of_objects():
    Path("a.ckpt").write_bytes(pickle.dumps({"a": np.array([object()], dtype=object)[:0]}))
    refused(read_arrays, "a.ckpt", match="none of plain numbers")


def test_a_pickle_that_asks_for_a_far_memo():
    Path("a.ckpt").write_bytes(b"\x80\x02]r\xff\xff\xff\x7f.")  # C's reader asks for 32 GiB
    refused(read_arrays, "a.ckpt", match="by name only")


def test_a_zip_bomb():
    torch.save({"a": torch.ones(4)}, "a.pt")
    with zipfile.ZipFile("a.pt") as old, zipfile.ZipFile("b.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, b"(" * 10**8 if name.endswith("data.pkl") else old.read(name))
    refused(read_checkpoint, "b.pt", match="damaged")


def test_objects_in_motion_scores():
    from asva_data.listing import read_scores

    np.save("a.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    refused(read_scores, Path("a.npy"), match=r"a\.npy")


def test_remote_code_of_a_tokenizer():
    """What is downloaded may name a module of its own, which transformers would ask to run."""
    from asva_train.components import read_tokenizer

    home = Path("model/tokenizer")
    home.mkdir(parents=True)
    (home / "evil.py").write_text("import os\nos.mkdir('pwned')\nclass Evil: pass\n", encoding="utf-8")
    auto = {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}, "tokenizer_class": "Evil"}
    (home / "tokenizer_config.json").write_text(json.dumps(auto), encoding="utf-8")
    (home / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": "evil.Evil"}}), encoding="utf-8")
    refused(read_tokenizer, [Path("model")])


def test_a_module_named_by_a_model_folder():
    """``model_index.json`` names libraries and classes; a file beside it is none of them."""
    from asva_pipelines import load_pipeline, resolve_model

    folder = Path("model")
    folder.mkdir()
    index = json.loads((resolve_model("tiny") / "model_index.json").read_text(encoding="utf-8"))
    (folder / "evil.py").write_text("import os\nos.mkdir('pwned')\nclass Evil: pass\n", encoding="utf-8")
    (folder / "vae").mkdir()
    (folder / "vae" / "evil.py").write_bytes((folder / "evil.py").read_bytes())
    (folder / "model_index.json").write_text(json.dumps(index | {"vae": ["evil", "Evil"]}), encoding="utf-8")
    refused(load_pipeline, folder, match="damaged")


def test_a_python_object_in_a_recipe():
    from asva_train import load_recipe

    Path("a.yaml").write_text("task: !!python/object/apply:os.mkdir [pwned]\n", encoding="utf-8")
    refused(load_recipe, "a.yaml", match="must be valid YAML")


def test_a_bomb_of_aliases():
    from asva_eval.protocol import load_protocol

    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)
    ]
    Path("a.yaml").write_text("\n".join(rows), encoding="utf-8")
    refused(load_protocol, "a.yaml", match="aliases")


def test_a_member_that_leads_out_of_an_archive():
    from asva_data.datasets.shards import TarShards

    with tarfile.open("a.tar", "w") as archive:
        for name in ("../pwned", "/tmp/pwned", "good.json"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    shards = TarShards(["a.tar"])
    assert len(shards.refused) == 3 and list(shards.keys) == ["good"]


def test_a_list_that_leads_out_of_a_dataset():
    from asva_data.datasets.layouts import LAYOUTS
    from asva_data.datasets.splits import read_split

    Path("train.txt").write_text("../../../etc/passwd\n", encoding="utf-8")
    refused(read_split, Path(), LAYOUTS["avsync15"], "train", match="must stay below")


def test_a_playlist_in_place_of_a_video():
    from asva_audio import load_audio
    from asva_data import probe

    for text in ("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "ffconcat version 1.0\nfile /etc/passwd\n"):
        Path("a.mp4").write_text(text, encoding="utf-8")
        refused(probe, "a.mp4")
        refused(load_audio, "a.mp4")


def test_more_channels_than_planes():
    """A sound of 8 planar channels, of which PyAV would read a ninth; a header that claims 65,535."""
    head = struct.pack("<IHHIIHH", 16, 1, 65535, 16000, 16000 * 131070, 65534, 16)
    body = b"WAVEfmt " + head + b"data" + struct.pack("<I", 131070) + bytes(131070)
    Path("a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    script = (
        "import sys\nfrom asva_audio import load_audio\ntry: load_audio('a.wav')\nexcept ValueError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "refused\n")


@pytest.fixture
def page():
    from asva_pages import Settings
    from asva_pages.demo.app import make_app
    from asva_pipelines import resolve_model

    return make_app(Settings(model="tiny", folder=resolve_model("tiny"), hosts=("127.0.0.1",)))


def test_another_site_and_another_name(page):
    """A page elsewhere that posts to the server, and a name of elsewhere that leads to this machine."""
    client = testclient.TestClient(page, base_url=HOME)
    client.get("/")
    assert client.post("/api/jobs", headers={"Origin": "http://evil.example"}, json={}).status_code == 403
    assert client.post("/api/jobs", json={}).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/static/..%2f..%2fserver.py").status_code == 404


def test_the_list_of_attacks_is_whole():
    """Every attack stands in the documents, and every one there is tried here."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(test_\w+)` \|", text, flags=re.M)
    here = [name for name in globals() if name.startswith("test_") and name != "test_the_list_of_attacks_is_whole"]
    assert sorted(listed) == sorted(here) and len(here) == 20
