"""Recipes: the bundled ones parse, wrong ones say where."""

import pytest
import yaml

from asva_train import RecipeError, load_recipe, recipe_names, recipe_record


@pytest.mark.parametrize("name", recipe_names())
def test_every_bundled_recipe_parses_and_names_its_task(name):
    assert load_recipe(name).task in name


def test_overrides_reach_nested_fields():
    recipe = load_recipe("tiny-vae", {"loop.max_steps": 7, "data.seed": 3})
    assert (recipe.loop.max_steps, recipe.data.seed) == (7, 3)


def test_the_published_recipe_has_the_published_batch_and_dropout():
    recipe = load_recipe("keyvid-keyframe")
    assert recipe.loop.batch_size * recipe.loop.gradient_accumulation_steps * 8 == 64
    assert recipe.dropout_rule == "official" and recipe.dropout == {"p": 0.05}
    assert (recipe.data.height, recipe.data.width, recipe.data.num_frames) == (320, 512, 48)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"loop.max_step": 7}, "loop.max_step"),
        ({"loop.max_steps": "many"}, "loop.max_steps"),
        ({"task": "vea"}, "task"),
        ({"loop.mixed_precision": "fp8"}, "mixed_precision"),
    ],
)
def test_a_wrong_field_is_named(overrides, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("tiny-vae", overrides)


def test_a_missing_recipe_lists_those_there_are():
    with pytest.raises(RecipeError, match="tiny-vae"):
        load_recipe("no-such-recipe")


def test_broken_yaml_is_one_line(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("task: [vae", encoding="utf-8")
    with pytest.raises(RecipeError, match="valid YAML") as error:
        load_recipe(path)
    assert "\n" not in str(error.value)


def test_a_record_is_a_recipe_again(tmp_path):
    recipe = load_recipe("tiny-keyframe")
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(recipe_record(recipe)), encoding="utf-8")
    assert load_recipe(path) == recipe


def test_every_training_of_this_package_has_a_task_and_a_recipe():
    from asva_train.trainings import ADDED, TRAININGS

    own = [one for name, one in TRAININGS.items() if name not in ADDED]
    assert all(callable(one.task_class) and one.default in recipe_names() for one in own)
