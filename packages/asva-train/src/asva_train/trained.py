"""What the trainings of a model folder have decided about how the model samples."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from asva_train.checkpoint import checkpoints, read_record
from asva_train.recipe import RecipeError

_OF_CLIPS = ("height", "width", "num_frames", "fps")
_RESCALE = {"dynamic_rescale": "dynamic_rescale"}
# Settings of a family's pipeline, by the task that decides them, and what the task's recipe calls them.
_DECIDED: dict[str, dict[str, dict[str, str]]] = {
    "keyvid": {
        "keyframe": {name: name for name in ("num_keyframes", "keyframe_fps", "alignment")} | _RESCALE,
        "interp": {"interp_fill": "fill", "interp_mask_channel": "mask_channel"} | _RESCALE,
    },
    "avsyncd": {"avsyncd": {"segment_window": "segment_window"}},
    "i2vd": {"i2vd": {}},
    "audio-window": {"audio-window": {"radius": "radius"} | _RESCALE},
    "mtv": {"mtv": {"prediction_type": "prediction_type"}},
}


def trained_settings(folder: Path, family: str, *, given: Collection[str] = ()) -> dict[str, Any]:
    """Settings of the pipeline as the last checkpoints in a model folder say; none where nothing was trained.

    Args:
        folder: Model folder.
        family: A name of :data:`asva_train.assemble.FAMILIES`.
        given: Names of settings that are left out.

    Raises:
        RecipeError: If two trainings of the folder do not agree.
    """
    found: dict[str, Any] = {}
    for task, decided in _DECIDED[family].items():
        recipe = _last_recipe(folder / "training" / task)
        if recipe is None:
            continue
        settings = {name: recipe["data"][name] for name in _OF_CLIPS}
        settings |= {name: recipe[called] for name, called in decided.items() if called in recipe}
        for name in settings.keys() - set(given):
            value = _short(settings[name])
            if found.setdefault(name, value) != value:
                raise RecipeError(
                    f"`{name}` must be the same in all trainings of {folder}, got {found[name]} and {value}. "
                    f"Give it with `--set {name}=...`, or train one of them anew."
                )
    return found


def _last_recipe(folder: Path) -> dict[str, Any] | None:
    done = checkpoints(folder)
    return read_record(done[-1])["recipe"] if done else None


def _short(value: Any) -> Any:
    """12 for 12.0, as people write settings."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
