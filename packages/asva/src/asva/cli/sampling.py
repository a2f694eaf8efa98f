"""The stages of `asva sample`: read, load, run the pipeline, write everything or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva.cli.inputs import naming, read_picture, read_sound
from asva.cli.models import agree
from asva.cli.progress import Stages
from asva.cli.terminal import gigabytes, note
from asva.outputs import file_digest, keyframe_strip, package_versions, plot_keyframes, staged, write_json

if TYPE_CHECKING:
    from asva_audio import Audio

_NEEDED = ("num_frames", "fps", "num_keyframes", "height", "width", "sample_rate", "selection")
STAGES = {"keyframe": "keyframes", "interp": "frames between", "decode": "decoding"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for; None is the model's own setting."""

    image: Path
    audio: Path
    prompt: str
    model: str
    seed: int
    start: float
    size: tuple[int, int] | None
    times: list[float] | None
    selection: str | None
    settings: dict[str, Any]
    device: str
    dtype: str
    offload: str
    crf: int
    yes: bool


def run(request: Request, targets: dict[str, Path]) -> dict[str, Any]:
    """Make the video and everything beside it; returns the record."""
    from asva.models import resolve_model

    folder = resolve_model(request.model, confirm=lambda plan: agree(plan, yes=request.yes), on_progress=note)
    arguments = _arguments(request, model_settings(folder))
    with Stages() as stages:
        stages.stage("reading picture and sound")
        picture = read_picture(request.image, (arguments["height"], arguments["width"]))
        sound = read_sound(request.audio, request.start, clip_seconds(model_settings(folder)))
        stages.stage("loading the model")
        pipeline, predicted = _load(request, folder, arguments)
        result = _generate(pipeline, picture, sound, request, arguments, stages)
        stages.stage("writing")
        record = _record(request, folder, pipeline, arguments, result)
        record["memory"] = {"predicted_bytes": predicted, "measured_bytes": _measured(pipeline)}
        record["seconds"] = dict(stages.seconds)
        _write(request, targets, record, result)
    return record


def model_settings(folder: Path) -> dict[str, Any]:
    """Settings of a model folder, read without loading any network.

    Raises:
        ModelError: If ``model_index.json`` is damaged.
    """
    from asva.models import ModelError

    path = folder / "model_index.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        return settings | {name: settings[name] for name in _NEEDED}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"'{path}' is damaged: fetch or convert the model again.") from error


def clip_seconds(settings: dict[str, Any]) -> float:
    """Seconds of a video."""
    return settings["num_frames"] / settings["fps"]


def _arguments(request: Request, settings: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the call that are not the picture, the sound or the callback; the model's own where None."""
    from asva_keyframe import keyframes_from_times

    height, width = request.size or (settings["height"], settings["width"])
    indices = None
    if request.times is not None:
        with naming("--keyframes", "times"):
            indices = keyframes_from_times(
                request.times, settings["num_frames"], settings["fps"], num_keyframes=settings["num_keyframes"]
            )
    given = {name: value for name, value in request.settings.items() if value is not None}
    return {"height": height, "width": width, "keyframe_indices": indices, "selection": request.selection} | given


def _load(request: Request, folder: Path, arguments: dict[str, Any]) -> tuple[Any, int]:
    """The pipeline, and how many bytes it will need at most."""
    from asva.models import load_pipeline, predicted_peak, reset_peak

    pipeline = load_pipeline(folder, device=request.device, dtype=request.dtype, offload=request.offload)
    predicted = predicted_peak(pipeline, height=arguments["height"], width=arguments["width"], offload=request.offload)
    note(f"predicted peak memory: {gigabytes(predicted)}", quiet=True)
    reset_peak()
    return pipeline, predicted


def _measured(pipeline: Any) -> int:
    from asva.models import measured_peak

    return measured_peak(pipeline._execution_device)


def _generate(
    pipeline: Any, picture: np.ndarray, sound: Audio, request: Request, arguments: dict[str, Any], stages: Stages
) -> Any:
    import torch

    def on_step(stage: str, step: int, total: int, latents: Any) -> None:
        del latents
        stages.stage(STAGES[stage], total)
        stages.step(step + 1)

    stages.stage("listening")
    return pipeline(
        image=picture,
        audio=sound,
        prompt=request.prompt,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        callback_on_step_end=on_step,
        **arguments,
    )


def _record(request: Request, folder: Path, pipeline: Any, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    config = {name: value for name, value in pipeline.config.items() if not name.startswith("_")}
    plain = {name: value for name, value in config.items() if isinstance(value, int | float | str | bool | None)}
    call = {name: value for name, value in arguments.items() if value is not None}
    indices = np.asarray(result.keyframe_indices)
    chosen_by = "times given" if request.times is not None else call.get("selection", plain.get("selection"))
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {"name": _model_name(request.model), "localizer": _localizer(folder, pipeline)},
        "seed": request.seed,
        "prompt": request.prompt,
        "inputs": {
            "image": {"name": request.image.name, "sha256": file_digest(request.image)},
            "audio": {"name": request.audio.name, "sha256": file_digest(request.audio), "start": request.start},
        },
        "settings": plain | call | {"crf": request.crf},
        "device": {"name": str(pipeline._execution_device), "dtype": str(pipeline.dtype), "offload": request.offload},
        "keyframes": {"indices": indices, "seconds": indices / result.fps, "chosen_by": chosen_by},
        "motion_curve": result.motion_curve,
        "fps": result.fps,
        "num_frames": len(result.frames),
        "versions": package_versions(),
    }


def _model_name(model: str) -> str:
    """A name or hub id as it is; of a folder its last part, for a record says nothing about the machine."""
    return Path(model).resolve().name if Path(model).exists() else model


def _localizer(folder: Path, pipeline: Any) -> str | None:
    """Whose localizer heard the motion: released KeyVID weights come without one and borrow another's."""
    if pipeline.localizer is None:
        return None
    source = folder / "source.json"
    return json.loads(source.read_text(encoding="utf-8"))["localizer"] if source.is_file() else "the model's own"


def _write(request: Request, targets: dict[str, Path], record: dict[str, Any], result: Any) -> None:
    from PIL import Image

    from asva_data import write_video

    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        write_video(
            draft["video"],
            result.frames,
            fps=result.fps,
            waveform=result.waveform,
            sample_rate=result.sample_rate,
            crf=request.crf,
        )
        write_json(draft["json"], record)
        if "plot" in draft:
            plot_keyframes(
                draft["plot"],
                result.motion_curve,
                result.keyframe_indices,
                fps=result.fps,
                waveform=result.waveform,
                sample_rate=result.sample_rate,
                title=f"{request.audio.name}: motion heard and keyframes chosen",
            )
        if "strip" in draft:
            strip = keyframe_strip(result.frames[result.keyframe_indices], result.keyframe_indices, fps=result.fps)
            Image.fromarray(strip).save(draft["strip"])
