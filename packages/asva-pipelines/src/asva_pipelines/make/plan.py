"""Whether method, model and options of a request go together; no network is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asva_data import MediaError
from asva_pipelines.make.default_method import default_method, warn_of_bundled
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.request import Request
from asva_pipelines.method import OF_SECOND_STAGE, Method
from asva_pipelines.methods import METHODS, find_model
from asva_pipelines.notes import note
from asva_pipelines.presets import preset

if TYPE_CHECKING:
    from asva_pipelines.memory.choice import Choice


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request whose parts go together.

    Attributes:
        folder: Of the model; None where the method needs none.
        settings: Of the model.
        arguments: Of the pipeline's call, without picture, sound and callback.
        interpolator: Folder of the model that makes the frames between.
        interpolator_settings: Its settings.
        image_model: Folder of the model that makes the first frame.
        choice: How it is made to fit into memory, see :func:`asva_pipelines.make.devices.settle`; None before that.
    """

    request: Request
    method: Method
    folder: Path | None
    settings: dict[str, Any]
    arguments: dict[str, Any]
    interpolator: Path | None
    interpolator_settings: dict[str, Any]
    image_model: Path | None
    choice: Choice | None = None

    @property
    def native_fps(self) -> float:
        """Frames per second that the method makes."""
        return self.arguments.get("fps", self.settings["fps"])

    @property
    def window_size(self) -> int:
        """Frames that the method makes at once."""
        return round(self.settings["num_frames"] / self.settings["fps"] * self.native_fps)

    @property
    def ratio(self) -> int:
        """Frames of the interpolator to each of the method's."""
        return round(self.interpolator_settings["fps"] / self.settings["fps"])

    @property
    def fps(self) -> float:
        """Frames per second of the video."""
        return self.request.fps or self.interpolator_settings.get("fps", self.native_fps)


def make_plan(request: Request) -> Plan:
    """Find the models and see that everything goes together.

    Raises:
        RequestError: If the command line cannot be right.
        MediaError: If a file is not there.
        ModelError: If a model cannot be had, is damaged, or does not fit the method or the interpolator.
    """
    from asva_pipelines.loading.folders import method_of_model, model_settings

    _check_files(request)
    method, folder = _told_by_name(request), None
    if method is not None:
        _check(request, method)
    if method is None or method.needs_model:
        folder = _resolve(request, request.model or method.model)
        of_the_model = method_of_model(folder, request.method)
        if of_the_model is not method:
            _check(request, of_the_model)
        method = of_the_model
        warn_of_bundled(request, folder)
    settings = method.settings({}) if folder is None else model_settings(folder, method)
    settings |= method.settings_by(request.options)
    interpolator, further = _interpolator(request, settings)
    return Plan(
        request=request,
        method=method,
        folder=folder,
        settings=settings,
        arguments=_arguments(request, method, settings),
        interpolator=interpolator,
        interpolator_settings=further,
        image_model=_image_model(request),
    )


def _told_by_name(request: Request) -> Method | None:
    """The method, where it can be told without looking for a model."""
    if request.method is not None:
        return METHODS[request.method]
    if request.model is None:
        return default_method(request, _given(request))
    named = find_model(request.model)
    return None if named is None else named[0]


def method_asked_for(request: Request) -> Method:
    """The method of a request, by its model's folder where it names none.

    Raises:
        ModelError: If the model cannot be had or is damaged.
    """
    from asva_pipelines.loading.folders import method_of_model

    return _told_by_name(request) or method_of_model(_resolve(request, request.model or ""))


def _check_files(request: Request) -> None:
    """Whether all that goes in is there, before a model is looked for, or downloaded."""
    files = [("--audio", request.audio), ("--image", request.image), ("--control-audio", request.control_audio)]
    files += [(f"--{name}", path) for name, path in request.tracks.items()] + [("--demix", request.demix)]
    files += [("--frame", path) for path in request.frames.values()]
    files += [(option, path) for option, path in request.options.items() if isinstance(path, Path)]
    files += [("--part", part.region) for part in request.options.get("--part", ()) if isinstance(part.region, Path)]
    for option, path in files:
        if path is not None and not path.is_file():
            raise MediaError(f"`{option}` must be an existing file, got '{path}'.")


def _check(request: Request, method: Method) -> None:
    """Whether the method has what was asked for, and was given what it needs."""
    has = {"--set", *method.options, *(OF_SECOND_STAGE if request.interpolator is not None else ())}
    for option in _given(request):
        if option not in has:
            others = ", ".join(other.name for other in METHODS.values() if option in other.options)
            raise RequestError(f"`{option}` must be left out with the method {method.name}: it is for {others}.")
    for name in request.prepared if not method.needs_model else ():
        raise RequestError(f"`--{name}` must be left out with the method {method.name}, which has no network.")
    if request.model is not None and not method.needs_model:
        raise RequestError(f"`--model` must be left out with the method {method.name}, which needs none.")
    if request.model is None and method.needs_model and not method.model:
        raise RequestError(f"`--model` must be given with the method {method.name}: a folder or a hub id.")
    if request.interpolator is not None and "keyframe" in method.stages:
        raise RequestError(
            f"`--interpolator` must be left out with the method {method.name}, which has one of its own."
        )
    for name in method.without:
        if getattr(request, name):
            raise RequestError(f"`--{name.replace('_', '-')}` must be left out with the method {method.name}.")
    if request.audio is None and not request.tracks:
        tracks = "--speech" in method.options
        others = ", or one of `--speech`, `--effects` and `--music`" if tracks else ": a sound, or a video with sound"
        raise RequestError(f"`--audio` must be given{others}.")
    if request.demix is not None and (request.tracks or request.audio is None):
        raise RequestError("`--demix` must stand beside `--audio` alone: with tracks there is nothing to take apart.")
    if request.image is None and request.image_model is None and method.needs_picture:
        raise RequestError(
            "`--image` must be given, or `--image-model` with a `--prompt` of which it makes the picture."
        )
    if not request.prompt.strip() and (method.needs_prompt or request.image_model is not None):
        reason = "the picture is made of it" if request.image_model is not None else "the sound stresses its words"
        raise RequestError(f"`--prompt` must hold words here: {reason}.")


def _given(request: Request) -> list[str]:
    """Options that were given and that not every method has."""
    more = {"--demix": request.demix, "--frame": request.frames}
    return [*request.options, *(f"--{name}" for name in request.tracks), *(name for name in more if more[name])]


def _resolve(request: Request, model: str) -> Path:
    from asva_pipelines.loading.resolve import resolve_model

    return resolve_model(model, confirm=request.confirm, on_progress=note)


def _image_model(request: Request) -> Path | None:
    if request.image_model is None:
        return None
    from asva_pipelines.loading.text_to_image import resolve_image_model

    return resolve_image_model(request.image_model, confirm=request.confirm)


def _interpolator(request: Request, settings: dict[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """Folder and settings of the model that makes the frames between."""
    from asva_pipelines.loading.folders import method_of_model, model_settings
    from asva_weights import ModelError

    if request.interpolator is None:
        return None, {}
    folder = _resolve(request, request.interpolator)
    method = method_of_model(folder)
    if method.name != "keyvid":
        raise ModelError(f"`--interpolator` must be a KeyVID model, got '{request.interpolator}' for {method.name}.")
    further = model_settings(folder, method)
    lengths = [one["num_frames"] / one["fps"] for one in (settings, further)]
    ratio = further["fps"] / settings["fps"]
    if abs(lengths[0] - lengths[1]) > 1e-6 or ratio < 2 or ratio % 1:
        raise ModelError(
            f"`--interpolator` must make videos of {lengths[0]:g} s at a multiple of {settings['fps']:g} frames per "
            f"second, got '{request.interpolator}' for {lengths[1]:g} s at {further['fps']:g}."
        )
    return folder, further


def _arguments(request: Request, method: Method, settings: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the pipeline's call."""
    height, width = request.size or (settings["height"], settings["width"])
    chosen = preset(method.name, request.quality, settings)
    if request.quality != "best" and not chosen:
        steps = settings["num_inference_steps"]
        note(f"Note: `--quality {request.quality}` changes nothing: the model takes {steps} steps.", quiet=True)
    arguments: dict[str, Any] = {"height": height, "width": width} | chosen
    if further := request.options.get("--set"):
        from asva_pipelines.settings import read_arguments

        arguments |= read_arguments(method.pipeline_class, further)
    for option, value in request.options.items():
        if option != "--keyframes":  # they are of the whole video
            arguments |= dict.fromkeys(method.options.get(option, ()), value)
    if request.fps is not None and "--fps" in method.options and request.interpolator is None:
        arguments["fps"] = _own_rate(request.fps, settings)
    return arguments


def _own_rate(fps: float, settings: dict[str, Any]) -> float:
    """The rate asked for, or the multiple of the method's above it where that gives no whole number of frames."""
    count = settings["num_frames"] / settings["fps"] * fps
    whole = abs(count - round(count)) < 1e-6 and round(count) >= 2
    return fps if whole else settings["fps"] * -(-fps // settings["fps"])
