"""How a model samples follows from how it was trained."""

import pytest
import torch

from asva_train import RecipeError, load_recipe, recipe_record
from asva_train.checkpoint import save_checkpoint
from asva_train.trained import named_settings, trained_settings, trained_sources


@pytest.fixture
def trained(tmp_path):
    """``trained("keyframe", step, ...)`` leaves a checkpoint of a recipe."""

    def leave(task, step=1, recipe=None, **overrides):
        record = recipe_record(load_recipe(recipe or f"tiny-{task}", overrides))
        home = tmp_path / "training" / task
        save_checkpoint(home, step, {"weight": torch.zeros(1)}, {}, {"num_processes": 1, "recipe": record})
        return tmp_path

    return leave


def test_nothing_trained_decides_nothing(tmp_path):
    assert trained_settings(tmp_path, "keyvid") == {}


def test_the_last_checkpoint_decides(trained):
    trained("audio-window", 1, radius=1)
    folder = trained("audio-window", 2, radius=3.0, **{"data.fps": 12, "data.num_frames": 24})
    wanted = {"height": 64, "width": 64, "num_frames": 24, "fps": 12, "radius": 3}
    wanted |= {"dynamic_rescale": False, "zero_terminal_snr": True}
    assert trained_settings(folder, "audio-window") == wanted
    assert trained_settings(folder, "avsyncd") == {}
    assert "radius" not in trained_settings(folder, "audio-window", given=["radius"])


def test_each_stage_decides_what_is_its_own(trained):
    trained("keyframe", num_keyframes=8)
    found = trained_settings(trained("interp", fill="zeros", mask_channel=False), "keyvid")
    assert found["num_keyframes"] == 8 and found["keyframe_fps"] == 6
    assert found["interp_fill"] == "zeros" and found["interp_mask_channel"] is False


def test_stages_that_do_not_agree_are_refused_unless_told(trained):
    trained("keyframe")
    folder = trained("interp", **{"data.fps": 12})
    with pytest.raises(RecipeError, match=r"`fps` must be the same .* got 24 and 12"):
        trained_settings(folder, "keyvid")
    assert "fps" not in trained_settings(folder, "keyvid", given={"fps": 24})


@pytest.mark.parametrize("family", ["keyvid", "avsyncd", "i2vd", "audio-window", "mtv"])
def test_the_bundled_settings_are_those_of_the_bundled_recipes(trained, family):
    """What the documents train and assemble fits without a further word."""
    import yaml

    from asva_train.recipe import RECIPES

    for task in ("keyframe", "interp") if family == "keyvid" else (family,):
        folder = trained(task)
    name = "tiny" if family == "keyvid" else f"tiny-{family}"
    assert named_settings(folder) == ("tiny" if family == "keyvid" else f"tiny-{family}")
    settings = yaml.safe_load((RECIPES / "pipelines" / f"{name}.yaml").read_text(encoding="utf-8"))
    found = trained_settings(folder, family)
    assert found.pop("zero_terminal_snr", True) and found.pop("snr_shift_scale", 1) == 1  # as the schedulers have it
    assert {name: settings.get(name, value) for name, value in found.items()} == found and found["fps"] == 24


def test_parts_come_from_where_the_trainings_had_them(trained):
    trained("keyframe", base="one", init={"vae": "a", "image_projector": "b", "keyframe_unet": "c"})
    folder = trained("interp", base="two", init={"vae": "a", "image_projector": "d"})
    bases, parts = trained_sources(folder, "keyvid")
    assert bases == ["one", "two"]
    assert {name: str(place) for name, place in parts.items()} == {"vae": "a", "interp_image_projector": "d"}
    trained("interp", 2, init={"vae": "e"})
    with pytest.raises(RecipeError, match=r"`vae` must be the same in all trainings .* got a and e"):
        trained_sources(folder, "keyvid")


def test_recipes_that_name_no_settings_or_several_need_them(trained, tmp_path):
    with pytest.raises(RecipeError, match=r"`settings` must be given .* no training"):
        named_settings(tmp_path)
    trained("keyframe")
    folder = trained("interp", recipe="keyvid-interp")
    with pytest.raises(RecipeError, match=r"`settings` must be given .* got keyvid and tiny"):
        named_settings(folder)
