"""The record beside a video: everything that its pixels depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_pipelines.lora_files import lora_file
from asva_pipelines.method import OF_SECOND_STAGE
from asva_weights.files import file_digest, package_versions

if TYPE_CHECKING:
    from asva_audio import Track
    from asva_pipelines.long.video import LongVideo
    from asva_pipelines.make.made import Made
    from asva_pipelines.make.plan import Plan, Request
    from asva_pipelines.make.prepare_audio import Heard


def scalars(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a pipeline that are single values."""
    named = {name: value for name, value in config.items() if not name.startswith("_")}
    return {name: value for name, value in named.items() if isinstance(value, int | float | str | bool | None)}


def make_record(made: Made) -> dict[str, Any]:
    """Everything about a video but its memory and its times."""
    plan, clip = made.request, made.plan
    request = plan.request
    call = {name: value for name, value in plan.arguments.items() if value is not None}
    record = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "method": plan.method.name,
        "model": {"name": _model_name(request.model or plan.method.model), "localizer": None},
        "seed": request.seed,
        "quality": request.quality,
        "prompt": request.prompt,
        "inputs": {"image": _image(made), "audio": _audio(request)},
        "settings": made.settings | call | {"num_frames": plan.window_size, "crf": request.crf},
        "device": {"name": made.device, "dtype": made.dtype, "offload": request.offload} | _prepared(request),
        "fps": float(clip.fps),
        "num_frames": clip.num_frames,
        "duration": float(clip.duration),
    }
    for name, value in made.tell().items():  # one level deep, as `model` and `inputs` have more to say
        record[name] = record[name] | value if isinstance(record.get(name), dict) else value
    return record | {"versions": package_versions()}


def told_of_windows(made: Made, heard: Heard, video: LongVideo, resumed: int) -> dict[str, Any]:
    """What was heard, how the video was put together, and how far each window has drifted from the first frame."""
    plan, request = made.request, made.request.request
    told: dict[str, Any] = {"model": {"localizer": heard.localizer}}
    told["windows"] = {
        "fps": float(video.plan.native_fps),
        "resampling": request.resampling,
        "anchor": request.anchor,
        "resumed": resumed,
        "each": [
            {"start": window.start, "keep": list(window.keep), "drift": drift}
            for window, drift in zip(video.plan.windows, video.drift, strict=True)
        ],
    }
    if times := over_time(request):
        told["over_time"] = times
    if heard.seconds is not None:
        told["keyframes"] = {"indices": made.shown, "seconds": heard.seconds, "chosen_by": heard.chosen_by}
    if "keyframe" in plan.method.stages or "--curve" in request.options:
        told |= {"motion_fps": plan.native_fps, "motion_curve": heard.curve}
    if plan.interpolator is not None:
        told["interpolator"] = _interpolator(plan)
    return told


def _prepared(request: Request) -> dict[str, Any]:
    """What was done to the networks before they ran; LoRA by name, content and scale."""
    told = dict(request.prepared)
    if request.lora:
        told["lora"] = [
            {"name": _model_name(name), "sha256": file_digest(lora_file(name)), "scale": scale}
            for name, scale in request.lora
        ]
    return told


def named_file(path: Path) -> dict[str, str]:
    """A file by its name, which says nothing about the machine, and its content."""
    return {"name": path.name, "sha256": file_digest(path)}


def _audio(request: Request) -> dict[str, Any] | None:
    """The sound, what was taken of it, and what steered in its place."""
    if request.audio is None:
        return None
    told: dict[str, Any] = named_file(request.audio) | {"start": request.start}
    told |= {"loop": True} if request.loop else {}
    if request.control_audio is not None:
        told["control"] = named_file(request.control_audio)
    told |= {"stereo": request.stereo} if request.stereo else {}
    return told


def over_time(request: Request) -> dict[str, Any]:
    """What was asked for at times, and how the curve was bent."""
    names = ("--prompt-at", "--guidance-at", "--curve", "--gain", "--threshold", "--attack", "--release")
    told: dict[str, Any] = {
        name[2:].replace("-", "_"): request.options[name] for name in names if name in request.options
    }
    if "curve" in told:
        told["curve"] = named_file(told["curve"])
    return told


def job(
    plan: Plan, picture: np.ndarray | None, control: Track, heard: Heard, device: str, dtype: str
) -> dict[str, Any]:
    """Everything that the latents of the windows depend on."""
    request = plan.request
    return {
        "method": plan.method.name,
        "model": _model_name(request.model or plan.method.model),
        "settings": scalars(plan.settings),
        "arguments": plan.arguments,
        "seed": request.seed,
        "prompt": request.prompt,
        "anchor": request.anchor,
        "picture": None if picture is None else hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest(),
        "sound": [hashlib.sha256(np.ascontiguousarray(control.waveform).data).hexdigest(), control.sample_rate],
        "windows": [[window.start, *window.keep] for window in heard.plan.windows],
        "each": [{name: _listed(value) for name, value in each.items()} for each in heard.each],
        "device": [device, dtype, request.offload],
        "prepared": _prepared(request),
        "versions": package_versions(),
    }


def _listed(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()


def _interpolator(plan: Plan) -> dict[str, Any]:
    settings = {name: value for name, value in plan.interpolator_settings.items() if name.startswith("interp_")}
    options = plan.request.options
    given = {name: options[option] for option, name in OF_SECOND_STAGE.items() if option in options}
    return {
        "name": _model_name(plan.request.interpolator),
        "from_fps": plan.settings["fps"],
        "settings": settings | given,
    }


def _image(made: Made) -> dict[str, Any] | None:
    """The first frame, or by what it was made; None where the method made it with the others."""
    request = made.request.request
    if made.picture is not None:
        digest = hashlib.sha256(made.picture).hexdigest()
        return {"name": None, "sha256": digest, "made_by": _model_name(request.image_model)}
    if request.image is None:
        return None
    return named_file(request.image) | ({"start": request.image_start} if request.image_start else {})


def _model_name(model: str) -> str | None:
    """A name or hub id as it is; of a folder its last part, for a record says nothing about the machine."""
    if not model:
        return None
    return Path(model).resolve().name if Path(model).exists() else model
