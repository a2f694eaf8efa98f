"""``asva sample`` without a model or method: drawn pictures by the bundled model, photographs by ``warp``, and why."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow

from asva_data import SyntheticWorld, probe


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A drawn picture and one that nobody has drawn."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(SyntheticWorld(1_000_001)[3].frames[0]).save(folder / "drawn.png")
    noise = np.random.default_rng(0).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((200, 150), Image.Resampling.BICUBIC)
    photo.save(folder / "photo.png")
    from_pillow(photo).save(folder / "IMG_1.HEIC", tile_size=64)
    return folder


@pytest.fixture
def sample(asva, inputs, pictures, tmp_path):
    def run(picture, *words):
        words = (
            "--image",
            pictures / picture,
            "--audio",
            inputs / "knocks.wav",
            "--output",
            tmp_path / "a.mp4",
            *words,
        )
        ran = asva("sample", *words)
        path = tmp_path / "a.json"
        return ran, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    return run


@pytest.mark.parametrize("picture", ["photo.png", "IMG_1.HEIC"])
def test_a_photograph_is_moved_by_rule_at_its_own_size(sample, tmp_path, picture):
    ran, record = sample(picture)
    assert ran.code == 0 and record["method"] == "warp" and record["model"]["name"] is None
    assert (probe(tmp_path / "a.mp4").height, probe(tmp_path / "a.mp4").width) == (150, 200)
    assert ran.err.count("moved by rule (--method warp)") == 1 and "asva models list" in ran.err


def test_a_tile_of_a_photograph_is_not_taken_for_it(sample, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    ran, record = sample("IMG_1.HEIC")
    assert ran.code == 1 and record is None and "pip install 'asva-data[heic]'" in ran.complaint


def test_a_drawn_picture_is_of_the_bundled_model(sample):
    ran, record = sample("drawn.png")
    assert ran.code == 0 and record["method"] == "keyvid" and "Note:" not in ran.err
    assert "trained on drawn sounds alone" in record["model"]["localizer"]


def test_the_bundled_model_warns_of_a_photograph(sample):
    ran, record = sample("photo.png", "--model", "tiny", "--localizer", "onsets")
    assert ran.code == 0 and record["method"] == "keyvid"
    assert ran.err.count("does not know pictures like") == 1
    assert record["model"]["localizer"].startswith("onsets")


def test_options_of_one_method_choose_it(sample):
    _, record = sample("drawn.png", "--box", "10,10,30,30", "--motion", "swing,band=low", "--release", 0.1)
    assert record["method"] == "warp" and record["parts"][0] | {"kind": "swing", "band": "low"} == record["parts"][0]
    assert record["parts"][0]["region"] == [10, 10, 30, 30]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--region", "none.png"), "`--region` must be an existing file"),
        (("--part", "none.png=swing"), "`--part` must be an existing file"),
        (("--box", "1,2,3"), "`--box` must be left,top,width,height"),
        (("--box", "1,2,3,4", "--part", "1,2,3,4=zoom"), "exclude each other"),
        (("--motion", "zoom,band=tenor"), "`band` must be one of all, low, mid, high, got tenor"),
        (("--box", "1,2,3,4", "--steps", 2), "must be left out with the method"),
    ],
)
def test_wrong_regions_are_one_line(sample, words, message):
    ran, record = sample("photo.png", *words)
    assert ran.code in (1, 2) and message in ran.complaint and "Traceback" not in ran.err and record is None
