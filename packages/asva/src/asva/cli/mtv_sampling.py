"""`asva sample --method mtv`: tracks or a mix, frames at any time, a video as long as the sound or as asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva.cli.devices import settle, spare
from asva.cli.door import UsageProblem
from asva.cli.inputs import naming, read_picture
from asva.cli.plan import Plan, Request, make_plan
from asva.cli.progress import Stages
from asva.cli.record import scalars
from asva.cli.terminal import note
from asva.outputs import file_digest, keyframe_strip, package_versions, plot_keyframes, staged, write_json

if TYPE_CHECKING:
    from asva.long import ClipPlan
    from asva_audio import Audio

TRACKS = ("speech", "effects", "music")
_ON_STRIP = 12


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """What the command line was given to hear, and frames.

    Attributes:
        tracks: Files by the name of their track.
        demix: Checkpoint of the network that takes the mix apart; masks without it.
        frames: Pictures by their seconds.
    """

    tracks: dict[str, Path] = field(default_factory=dict)
    demix: Path | None = None
    frames: dict[float, Path] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Those that were given, by their names on the command line."""
        named = {f"--{name}": path for name, path in self.tracks.items()}
        return (
            named | ({"--demix": self.demix} if self.demix else {}) | ({"--frame": self.frames} if self.frames else {})
        )


def parse_frames(entries: list[str]) -> dict[float, Path]:
    """Pictures by their seconds from ``1.5=picture.png``."""
    frames: dict[float, Path] = {}
    for entry in entries:
        seconds, sign, path = entry.partition("=")
        try:
            at = float(seconds)
        except ValueError:
            at = math.nan
        if not sign or not path or not math.isfinite(at) or at in frames:
            raise UsageProblem(
                f"`--frame` must be seconds=picture, each time once, such as 1.5=end.png, got '{entry}'."
            )
        frames[at] = Path(path)
    return frames


def is_mtv(request: Request) -> bool:
    """Whether a request is for this method: by its name, or by the model's own."""
    if request.method is not None or request.model is None:
        return request.method == "mtv"
    from asva.models.folders import read_index

    folder = Path(request.model)
    return (folder / "model_index.json").is_file() and read_index(folder)["_class_name"] == "MTVPipeline"


def run(
    request: Request,
    sounds: Sounds,
    targets: dict[str, Path],
    *,
    overwrite: bool,
    load: Callable[..., Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Make the video and everything beside it; returns the record and the files, the video last."""
    from asva.cli import options
    from asva.models import load_pipeline, measured_peak, reset_peak

    check(request, sounds)
    plan = make_plan(request)
    if "strip" in targets:
        strip = targets["video"].with_name(f"{targets['video'].stem}.frames.png")
        options.check_targets([strip], overwrite)
        targets = targets | {"strip": strip}
    reset_peak()
    with Stages() as stages:
        stages.stage("reading pictures and sound")
        arguments, clip = _inputs(plan, sounds)
        stages.stage("planning")
        plan = settle(plan, num_frames=arguments["num_frames"])
        stages.stage("loading the model")
        request = plan.request
        place = {"device": request.device, "dtype": request.dtype, "offload": request.offload}
        pipeline = (load or load_pipeline)(plan.folder, method="mtv", **place)
        spare(pipeline, plan.choice)
        stages.stage("taking the sound apart" if arguments["audio"] is not None else "listening")
        result = pipeline(
            prompt=request.prompt,
            generator=_generator(request.seed),
            callback_on_step_end=_report(stages, plan),
            **plan.arguments,
            **arguments,
        )
        if result.demixed_by == "masks":
            note("Note: masks took the sound apart, approximately. Pass --speech and so on, or --demix WEIGHTS.")
        stages.stage("writing")
        record = _record(plan, sounds, pipeline, result, clip)
        record["memory"] = {
            "predicted_bytes": plan.choice.prediction.peak,
            "measured_bytes": measured_peak(str(pipeline.device)),
        }
        record["seconds"] = dict(stages.seconds)
        _write(targets, record, result, request, clip)
    return record, targets


def check(request: Request, sounds: Sounds) -> None:
    """Whether what was asked for is anything that this method has."""
    if request.audio is None and not sounds.tracks:
        raise UsageProblem("`--audio` must be given, or one of `--speech`, `--effects` and `--music`.")
    if sounds.demix is not None and (sounds.tracks or request.audio is None):
        raise UsageProblem("`--demix` must stand beside `--audio` alone: with tracks there is nothing to take apart.")
    for name in ("loop", "control_audio", "image_model"):
        if getattr(request, name, None):
            raise UsageProblem(f"`--{name.replace('_', '-')}` must be left out with the method mtv.")


def _inputs(plan: Plan, sounds: Sounds) -> tuple[dict[str, Any], ClipPlan]:
    """Sounds and pictures, and how long the video is."""
    from asva.long import Track, make_clip_plan

    request, fps = plan.request, plan.settings["fps"]
    size = (plan.arguments["height"], plan.arguments["width"])
    duration = getattr(request, "duration", None)
    heard: dict[str, Any] = {"audio": None}
    if request.audio is not None:
        heard["audio"] = _sound(request.audio, request.start, duration, "--audio")
    for name, path in sounds.tracks.items():
        heard[name] = _sound(path, request.start, duration, f"--{name}")
    clip = make_clip_plan(
        duration or max(Track.of(sound).duration for sound in heard.values() if sound is not None),
        plan.fps,
        native_fps=fps,
        window_size=plan.settings["num_frames"],
        resampling=request.resampling,
    )
    # The sound is as long as the frames made, and the video may end within the last of them.
    num_frames = max(clip.native_frames, math.ceil(clip.duration * clip.native_fps))
    pictures = {}
    for seconds, path in sounds.frames.items():
        if seconds < 0 or round(seconds * fps) >= num_frames:
            raise UsageProblem(
                f"`--frame` must be at 0 to {(num_frames - 1) / fps:g} s, in the clip, got {seconds:g} s."
            )
        with naming("--frame"):
            pictures[seconds] = read_picture(path, size)
    arguments = {
        **heard,
        "image": None if request.image is None else read_picture(request.image, size),
        "frames": pictures or None,
        "demixer": _demixer(sounds.demix),
        "num_frames": num_frames,
    }
    return arguments, clip


def _sound(path: Path, start: float, duration: float | None, option: str) -> Audio:
    from asva_audio import load_audio

    with naming(option):
        return load_audio(path, sample_rate=None, mono=False, start=start, duration=duration)


def _demixer(weights: Path | None) -> Any:
    if weights is None:
        return None
    from asva_audio import load_demucs

    try:
        with naming("--demix"):
            return load_demucs(weights)
    except ImportError as error:  # a line for the user, not a defect
        raise UsageProblem(str(error)) from None


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def _report(stages: Stages, plan: Plan) -> Any:
    def on_step(stage: str, step: int, total: int, latents: Any) -> None:
        del latents
        stages.stage(plan.method.stages[stage], total)
        stages.step(step + 1)

    return on_step


def _record(plan: Plan, sounds: Sounds, pipeline: Any, result: Any, clip: ClipPlan) -> dict[str, Any]:
    """Everything that the pixels depend on."""
    request = plan.request
    model = Path(request.model)
    inputs = {"image": request.image, "audio": request.audio, **sounds.tracks, "demix": sounds.demix}
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "method": plan.method.name,
        "model": {"name": model.resolve().name if model.exists() else request.model, "localizer": None},
        "seed": request.seed,
        "prompt": request.prompt,
        "inputs": {name: None if path is None else _named(path) for name, path in inputs.items()}
        | {"frames": {f"{seconds:g}": _named(path) for seconds, path in sounds.frames.items()}, "start": request.start},
        "tracks": {"taken_apart_by": result.demixed_by, "approximate": result.demixed_by == "masks"},
        "windows": [list(window) for window in result.windows],
        "given_frames": list(result.given_frames),
        "settings": scalars(pipeline.config) | plan.arguments | {"crf": request.crf},
        "device": {"name": str(pipeline._execution_device), "dtype": str(pipeline.dtype), "offload": request.offload},
        "fps": float(clip.fps),
        "num_frames": clip.num_frames,
        "duration": float(clip.duration),
        "versions": package_versions(),
    }


def _named(path: Path) -> dict[str, str]:
    return {"name": path.name, "sha256": file_digest(path)}


def _write(targets: dict[str, Path], record: dict[str, Any], result: Any, request: Request, clip: ClipPlan) -> None:
    from PIL import Image

    from asva.long import Track
    from asva_data import write_video

    frames, fps = np.stack(list(clip.resample(result.frames))), float(clip.fps)
    heard = Track(np.atleast_2d(np.asarray(result.waveform)), result.sample_rate).fit(clip.duration)
    sound = {"waveform": heard.waveform, "sample_rate": heard.sample_rate}
    with staged(*targets.values()) as drafts:
        draft = dict(zip(targets, drafts, strict=True))
        write_video(draft["video"], frames, fps=clip.fps, crf=request.crf, **sound)
        write_json(draft["json"], record)
        if "plot" in draft:
            change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
            curve = np.r_[0.0, change] / max(float(change.max(initial=0.0)), 1e-9)
            title = "The sound, and the motion measured in the video"
            plot_keyframes(draft["plot"], curve, [], fps=fps, title=title, **sound)
        if "strip" in draft:
            count = min(len(frames), _ON_STRIP)
            shown = np.arange(count) * len(frames) // count
            Image.fromarray(keyframe_strip(frames[shown], shown, fps=fps)).save(draft["strip"])
