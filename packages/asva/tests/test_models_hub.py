"""From the hub to a video: released files fetched, resumed, checked, converted, sampled, against a hub on loopback."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.hub import COMMIT
from fixtures.released import INTERP_CKPT, KEYFRAME_CKPT

from asva_data import read_video
from asva_pipelines import MODELS, cache_folder, resolve_model
from asva_pipelines.loading.hub import gather
from asva_pipelines.loading.shared_files import TOKENIZER_FILES
from asva_weights import ModelError, file_digest
from asva_weights.remote import size_text

TOKENIZER, CHECKPOINT = TOKENIZER_FILES[0].repo, "model.ckpt"
TOKENS = [file.path for file in TOKENIZER_FILES]


pytestmark = pytest.mark.usefixtures("room")


@pytest.fixture
def keyvid(hub, released):
    hub.serve("RyanWW/KeyVID", released, KEYFRAME_CKPT, INTERP_CKPT)
    hub.serve(TOKENIZER, released, *TOKENS)
    return hub


@pytest.fixture
def dynamicrafter(hub, released_dynamicrafter):
    hub.serve("Doubiiu/DynamiCrafter_512", released_dynamicrafter, CHECKPOINT)
    hub.serve(TOKENIZER, released_dynamicrafter, *TOKENS)
    return hub


def sample(asva, inputs, model, *words):
    small = ("--size", "32x32", "--steps", 1, "--prompt", "a hammer on a nail", "--overwrite", "--device", "cpu")
    return asva(
        "sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", model, *small, *words
    )


def downloads(hub):
    return [name for method, name, _ in hub.asked if method == "GET"]


def test_keyvid_from_the_hub_to_a_video(asva, keyvid, released, inputs):
    """Half of one file arrives, then the connection breaks: the rest alone is asked for again."""
    keyvid.drop.add(KEYFRAME_CKPT)
    ran = sample(asva, inputs, "keyvid", "--interp-steps", 1, "--yes")
    assert ran.code == 0, ran.err
    assert all(text in ran.err for text in ("31.1 GB", KEYFRAME_CKPT, "0.9 MB", "this is done once"))
    assert read_video("out.mp4").frames.shape == (48, 32, 32, 3)
    size = (released / KEYFRAME_CKPT).stat().st_size
    first, second = (span for method, name, span in keyvid.asked if (method, name) == ("GET", KEYFRAME_CKPT))
    begun = int(second.removeprefix("bytes=").rstrip("-"))
    assert first is None and size // 2 - (1 << 16) <= begun <= size // 2
    assert sorted(downloads(keyvid)) == sorted([KEYFRAME_CKPT, KEYFRAME_CKPT, INTERP_CKPT, *TOKENS])
    assert keyvid.sent == {
        KEYFRAME_CKPT: size // 2 + size - begun,
        **{name: (released / name).stat().st_size for name in (INTERP_CKPT, *TOKENS)},
    }
    pinned = {file.path: file.revision or "main" for file in MODELS["keyvid"].files}
    assert keyvid.revisions == pinned and pinned["vocab.json"] != "main"

    asked = len(keyvid.asked)
    ours, theirs = resolve_model("keyvid"), resolve_model(released)  # the latter never saw a hub
    weights = sorted(path.relative_to(ours) for path in ours.rglob("*.safetensors"))
    assert len(keyvid.asked) == asked and len(weights) == 8 and ours != theirs
    assert all((ours / name).read_bytes() == (theirs / name).read_bytes() for name in weights)


def test_a_folder_downloaded_whole_gets_its_tokenizer(asva, keyvid, released, inputs, tmp_path):
    for name in (KEYFRAME_CKPT, INTERP_CKPT):
        (tmp_path / "KeyVID" / name).parent.mkdir(parents=True)
        (tmp_path / "KeyVID" / name).symlink_to(released / name)
    ran = sample(asva, inputs, "KeyVID")
    assert ran.code == 1 and "'KeyVID' needs a download of 1.4 MB that was not agreed to" in ran.complaint
    assert keyvid.asked == [] and "`--yes`" in ran.complaint
    ran = asva("models", "convert", "KeyVID", "converted", "--yes")
    assert ran.code == 0 and sorted(downloads(keyvid)) == sorted(TOKENS), ran.err
    assert (tmp_path / "converted" / "tokenizer").is_dir()


def test_dynamicrafter_from_the_hub_to_a_video(asva, dynamicrafter, inputs):
    dynamicrafter.drop.add(CHECKPOINT)
    ran = sample(asva, inputs, "dynamicrafter", "--yes")
    assert ran.code == 0, ran.err
    assert read_video("out.mp4").frames.shape[1:] == (32, 32, 3)
    (source,) = cache_folder().glob("*/source.json")
    assert json.loads(source.read_text(encoding="utf-8"))["model"] == "DynamiCrafter_512"
    assert sorted(downloads(dynamicrafter)) == sorted([CHECKPOINT, CHECKPOINT, *TOKENS])
    assert dynamicrafter.revisions[CHECKPOINT] == MODELS["dynamicrafter"].files[0].revision


def test_a_model_of_this_form_from_the_hub(asva, hub, small_model, inputs):
    hub.serve("somebody/small", small_model)
    ran = asva(
        "sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", "somebody/small", "--yes"
    )
    assert ran.code == 0, ran.err
    assert "licence mit" in ran.err and set(hub.revisions.values()) == {COMMIT}
    assert read_video("out.mp4").frames.shape == (48, 16, 16, 3)


def test_another_hash_is_thrown_away(asva, dynamicrafter, inputs):
    dynamicrafter.damage.add(CHECKPOINT)
    refused(asva, inputs, dynamicrafter, f"File '{CHECKPOINT}' of Doubiiu/DynamiCrafter_512 must have the SHA-256")
    dynamicrafter.damage.clear()
    assert resolve_model("dynamicrafter", confirm=lambda plan: True).is_dir()  # fetched anew


def test_a_known_hash_is_held_against_what_arrives(dynamicrafter, released_dynamicrafter):
    whole = replace(TOKENIZER_FILES[0], sha256=file_digest(released_dynamicrafter / "vocab.json"))
    assert gather("it", [whole], lambda plan: True)["vocab.json"].is_file()
    other = replace(TOKENIZER_FILES[1], sha256=whole.sha256)
    with pytest.raises(ModelError, match=f"'merges.txt' .* must have the SHA-256 {whole.sha256}, got .* was deleted"):
        gather("it", [other], lambda plan: True)
    assert not list(dynamicrafter.cache.rglob("merges.txt"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "hf auth login"),
        (403, "accept the model's licence"),
        (404, "does not have it"),
        (429, "too many requests"),
    ],
)
def test_a_hub_that_refuses(asva, dynamicrafter, inputs, status, words):
    dynamicrafter.status = status
    refused(asva, inputs, dynamicrafter, f"(HTTP {status})", words)
    assert dynamicrafter.asked == []


def test_a_connection_that_always_breaks(asva, dynamicrafter, inputs, monkeypatch):
    class Always(set):
        def __isub__(self, other):
            return self

    dynamicrafter.drop = Always({CHECKPOINT})
    refused(asva, inputs, dynamicrafter, "could not be downloaded")


@pytest.mark.parametrize("option", ["--image", "--audio", "--control-audio"])
def test_a_missing_file_is_said_before_the_first_byte(asva, dynamicrafter, inputs, option):
    refused(
        asva, inputs, dynamicrafter, f"`{option}` must be an existing file, got 'none.wav'", more=(option, "none.wav")
    )
    assert dynamicrafter.asked == []


@pytest.mark.parametrize("free", [10.0, 20.0])
def test_a_disk_too_small_is_said_before_the_first_byte(asva, dynamicrafter, inputs, monkeypatch, free):
    """10 GB do not hold the download; 20 GB do not hold its conversion too, which lies on the same disk."""
    usage = shutil.disk_usage("/")._replace(free=int(free * 1e9))
    monkeypatch.setattr("asva_weights.storage.shutil.disk_usage", lambda path: usage)
    refused(asva, inputs, dynamicrafter, size_text(free), "20.8 GB", "ASVA_CACHE", "HF_HOME")
    assert dynamicrafter.asked == []


def refused(asva, inputs, hub, *words, more=()):
    """One line, and nothing left: neither a video, nor a file in the hub's cache that could be taken for whole."""
    ran = sample(asva, inputs, "dynamicrafter", "--yes", *more)
    assert ran.code == 1 and all(word in ran.complaint for word in words), ran.err
    assert "Traceback" not in ran.err and not Path("out.mp4").exists()
    assert not [path for path in hub.cache.glob("models--Doubiiu*/blobs/*") if path.suffix != ".incomplete"]
    assert not cache_folder().exists() or not list(cache_folder().iterdir())
