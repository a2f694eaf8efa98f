"""Cards, credits and the hub: the boundary to the network is a folder here."""

import json
import shutil

import pytest
import torch
import yaml
from fixtures.methods import METHODS

from asva_pipelines import METHODS as ALL
from asva_pipelines.loading import citations
from asva_pipelines.loading.cards import card_of, model_card
from asva_pipelines.loading.citations import credit_of, say_credit
from asva_pipelines.loading.families import ENCODERS, method_families

TRAINED = [name for name, method in METHODS.items() if method.needs_model]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A folder in place of the hub: what is uploaded lies there under its name."""
    from huggingface_hub import HfApi

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **how: (tmp_path / repo_id).mkdir(parents=True))

    def upload(self, *, repo_id, folder_path, commit_message):
        shutil.copytree(folder_path, tmp_path / repo_id, dirs_exist_ok=True)
        return f"hub/{repo_id}"

    monkeypatch.setattr(HfApi, "upload_folder", upload)
    return tmp_path


def load(method_model, name):
    return METHODS[name].pipeline_class.from_pretrained(method_model(name), local_files_only=True)


@pytest.mark.parametrize("method", TRAINED)
def test_what_is_pushed_is_what_is_read_again(hub, method_model, method):
    pushed = load(method_model, method)
    assert pushed.push_to_hub("someone/small") == "hub/someone/small"
    again = METHODS[method].pipeline_class.from_pretrained(hub / "someone/small", local_files_only=True)
    assert again.config.num_frames == pushed.config.num_frames
    for name, part in pushed.components.items():
        if isinstance(part, torch.nn.Module):
            for key, value in part.state_dict().items():
                assert torch.equal(again.components[name].state_dict()[key], value), f"{name}.{key}"
    card = (hub / "someone/small/README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "asva-kit" and header["pipeline_tag"] == "image-to-video"
    for heading in ("# small", "## Training", "## Figures", "## Licence and citation", "--model someone/small"):
        assert heading in card


def test_a_card_of_ones_own_is_taken_as_it_is(hub, method_model):
    load(method_model, "avsyncd").push_to_hub("someone/other", card="# Mine\n")
    assert (hub / "someone/other/README.md").read_text(encoding="utf-8") == "# Mine\n"


@pytest.mark.parametrize("name", ["small", "a/b/c", "/small", "a/"])
def test_a_name_that_no_hub_has_is_refused(method_model, name):
    with pytest.raises(ValueError, match="`repo_id` must be owner/name, got"):
        load(method_model, "avsyncd").push_to_hub(name)


def test_a_card_says_how_trained_how_well_and_under_which_licence(method_model):
    pipeline = load(method_model, "avsyncd")
    card = model_card(
        pipeline, "a/b", trained="800 steps.", scores={"F1": "0.9 [0.8, 1.0]"}, licence="apache-2.0"
    )  # fmt: skip
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    assert "800 steps." in card and "| F1 | 0.9 [0.8, 1.0] |" in card and "12 frames of 16x16 pixels at 6" in card
    assert "Not stated" in model_card(pipeline, "a/b")


def test_the_bundled_model_keeps_its_card():
    from asva_pipelines import load_pipeline

    assert card_of(load_pipeline("tiny", device="cpu"), "a/b").startswith("---\nlicense: apache-2.0")


def test_every_family_has_its_licence_and_papers():
    for family in method_families():
        credit = ALL[family.name].credit
        assert credit.papers and (credit.title, credit.licence) == (family.title, family.licence), family.name
    assert all(family.licence for family in ENCODERS)


def test_a_family_is_told_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(citations, "_said", set())
    (tmp_path / "source.json").write_text(json.dumps({"family": "avsyncd"}), encoding="utf-8")
    told = []
    say_credit(tmp_path, told.append)
    say_credit(tmp_path, told.append)
    assert len(told) == 1 and "no commercial use" in told[0] and "Audio-Synchronized Visual Animation" in told[0]


def test_what_was_trained_here_owes_nothing_and_stable_diffusion_is_known(tmp_path, method_model):
    assert credit_of(method_model("avsyncd")) is None
    assert credit_of(method_model("aadiff")) is ALL["aadiff"].credit
    assert credit_of(tmp_path) is None


def test_the_command_tells_it(asva, inputs, method_model, monkeypatch, tmp_path):
    monkeypatch.setattr(citations, "_said", set())
    folder = shutil.copytree(method_model("i2vd"), tmp_path / "model")
    (folder / "source.json").write_text(json.dumps({"family": "avsyncd", "localizer": None}), encoding="utf-8")
    ran = asva(
        "sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", folder, "--steps", 1,
        "--device", "cpu", "-o", tmp_path / "out.mp4",
    )  # fmt: skip
    assert ran.code == 0 and ran.err.count("Please cite") == 1
