"""The record beside a video: everything that its pixels depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva.outputs import file_digest, package_versions

if TYPE_CHECKING:
    from asva.cli.plan import Plan
    from asva.cli.sampling import Made


def scalars(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a pipeline that are single values."""
    named = {name: value for name, value in config.items() if not name.startswith("_")}
    return {name: value for name, value in named.items() if isinstance(value, int | float | str | bool | None)}


def make_record(plan: Plan, made: Made) -> dict[str, Any]:
    """Everything about a video but its memory and its times."""
    request, result = plan.request, made.result
    call = {name: value for name, value in plan.arguments.items() if value is not None}
    record = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "method": plan.method.name,
        "model": {"name": _model_name(request.model or plan.method.model), "localizer": _localizer(plan, made)},
        "seed": request.seed,
        "prompt": request.prompt,
        "inputs": {
            "image": _image(plan, made),
            "audio": {"name": request.audio.name, "sha256": file_digest(request.audio), "start": request.start},
        },
        "settings": made.settings | call | {"num_frames": plan.num_frames, "crf": request.crf},
        "device": {"name": made.device, "dtype": made.dtype, "offload": request.offload},
        "fps": result.fps,
        "num_frames": len(result.frames),
    }
    if "keyframe" in plan.method.stages:
        record |= _keyframes(plan, made, call)
    if plan.interpolator is not None:
        record["interpolator"] = _interpolator(plan)
    return record | {"versions": package_versions()}


def _keyframes(plan: Plan, made: Made, call: dict[str, Any]) -> dict[str, Any]:
    indices = np.asarray(made.result.keyframe_indices)
    given = "--keyframes" in plan.request.options
    chosen_by = "times given" if given else call.get("selection", made.settings.get("selection"))
    return {
        "keyframes": {"indices": indices, "seconds": indices / made.result.fps, "chosen_by": chosen_by},
        "motion_curve": made.result.motion_curve,
    }


def _interpolator(plan: Plan) -> dict[str, Any]:
    settings = {name: value for name, value in plan.interpolator_settings.items() if name.startswith("interp_")}
    steps = plan.request.options.get("--interp-steps")
    given = {} if steps is None else {"interp_num_inference_steps": steps}
    return {
        "name": _model_name(plan.request.interpolator),
        "from_fps": plan.settings["fps"],
        "settings": settings | given,
    }


def _image(plan: Plan, made: Made) -> dict[str, Any] | None:
    """The first frame, or by what it was made; None where the method made it with the others."""
    if made.picture is not None:
        digest = hashlib.sha256(made.picture).hexdigest()
        return {"name": None, "sha256": digest, "made_by": _model_name(plan.request.image_model)}
    if plan.request.image is None:
        return None
    return {"name": plan.request.image.name, "sha256": file_digest(plan.request.image)}


def _model_name(model: str) -> str | None:
    """A name or hub id as it is; of a folder its last part, for a record says nothing about the machine."""
    if not model:
        return None
    return Path(model).resolve().name if Path(model).exists() else model


def _localizer(plan: Plan, made: Made) -> str | None:
    """Whose localizer heard the motion: released KeyVID weights come without one and borrow another's."""
    if not made.localizer:
        return None
    source = plan.folder / "source.json"
    return json.loads(source.read_text(encoding="utf-8"))["localizer"] if source.is_file() else "the model's own"
