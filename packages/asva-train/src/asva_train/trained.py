"""What the trainings of a model folder have decided about how the model samples, and from what it is put together."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from asva_train.checkpoint import checkpoints, read_record
from asva_train.recipe import RecipeError

_OF_CLIPS = ("height", "width", "num_frames", "fps")
_NOISE = {"zero_terminal_snr": "zero_terminal_snr"}
_RESCALE = {"dynamic_rescale": "dynamic_rescale"} | _NOISE
# Settings of a family's pipeline, by the task that decides them, and what the task's recipe calls them.
_DECIDED: dict[str, dict[str, dict[str, str]]] = {
    "keyvid": {
        "keyframe": {name: name for name in ("num_keyframes", "keyframe_fps", "alignment")} | _RESCALE,
        "interp": {"interp_fill": "fill", "interp_mask_channel": "mask_channel"} | _RESCALE,
    },
    "avsyncd": {"avsyncd": {"segment_window": "segment_window"} | _NOISE},
    "i2vd": {"i2vd": _NOISE},
    "audio-window": {"audio-window": {"radius": "radius"} | _RESCALE},
    "mtv": {"mtv": {name: name for name in ("prediction_type", "snr_shift_scale")}},
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
    for task, recipe in _recipes(folder, family):
        decided = _DECIDED[family][task]
        settings = {name: recipe["data"][name] for name in _OF_CLIPS}
        settings |= {name: recipe[called] for name, called in decided.items() if called in recipe}
        for name in settings.keys() - set(given):
            _agree(found, name, _short(settings[name]), folder, f" Give it with `--set {name}=...`")
    return found


def named_settings(folder: Path) -> str:
    """The settings that the recipes of a folder's trainings name.

    Raises:
        RecipeError: If they name none, or several.
    """
    named = {recipe["settings"] for family in _DECIDED for _, recipe in _recipes(folder, family) if recipe["settings"]}
    if len(named) == 1:
        return named.pop()
    found = " and ".join(sorted(named)) or "no training that names any"
    raise RecipeError(f"`settings` must be given where the trainings of {folder} do not name one, got {found}.")


def trained_sources(folder: Path, family: str) -> tuple[list[str], dict[str, Path]]:
    """What the trainings of a folder build on: models, and components from elsewhere that did not learn.

    Raises:
        RecipeError: If two trainings had different components of the same name.
    """
    bases: list[str] = []
    parts: dict[str, Path] = {}
    for task, recipe in _recipes(folder, family):
        if recipe["base"] not in (None, *bases):
            bases.append(recipe["base"])
        learned = (f"{task.replace('-', '_')}_unet", "mtv_transformer", "taps", *recipe["train"])
        for name in recipe["init"].keys() - set(learned):
            called = f"interp_{name}" if task == "interp" and name == "image_projector" else name
            _agree(parts, called, Path(recipe["init"][name]), folder, "")
    return bases, parts


def _recipes(folder: Path, family: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The recipe of the last checkpoint of each task; its paths are good wherever the training was started."""
    for task in _DECIDED[family]:
        if done := checkpoints(folder / "training" / task):
            record = read_record(done[-1])
            home, recipe = Path(record.get("working_directory", "")), record["recipe"]
            init = {name: home / path if (home / path).exists() else path for name, path in recipe["init"].items()}
            base = recipe["base"]
            if base is not None and any((home / base).glob("*/config.json")):  # else it may be a name
                base = str(home / base)
            yield task, {"settings": None, **recipe, "base": base, "init": init}


def _agree(found: dict[str, Any], name: str, value: Any, folder: Path, fix: str) -> None:
    if found.setdefault(name, value) != value:
        either = f"{fix}, or train" if fix else " Train"
        raise RecipeError(
            f"`{name}` must be the same in all trainings of {folder}, got {found[name]} and {value}.{either} "
            f"one of them anew."
        )


def _short(value: Any) -> Any:
    """12 for 12.0, as people write settings."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
