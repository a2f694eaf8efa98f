"""The options of `asva sample`, in the panels of its help, the common ones first."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options


def _panel(name: str) -> Callable[..., Any]:
    return partial(typer.Option, rich_help_panel=name)


_INPUT, _OUTPUT, _TIMING = _panel("Input"), _panel("Output"), _panel("Timing")
_GUIDANCE, _LONG, _TRACKS = _panel("Guidance"), _panel("Long videos"), _panel("Tracks")
_MOVED = _panel("Moved regions (warp)")
_MANY, _MACHINE = _panel(options.MANY), _panel(options.MACHINE)


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Every option of `asva sample`; None is the model's own setting."""

    image: Annotated[
        Path | None,
        _INPUT("--image", "-i", help="First frame: a picture, or a video (at --start, if it is --audio's file too)."),
    ] = None
    audio: Annotated[
        Path | None, _INPUT("--audio", "-a", help="A sound, or a video with sound; or give tracks (mtv).")
    ] = None
    prompt: Annotated[str, _INPUT("--prompt", "-p", help="What is seen and done, in words.")] = ""
    model: Annotated[
        str | None, _INPUT("--model", "-m", help="A name (see asva models list), a folder, or a hub id owner/name.")
    ] = None
    method: Annotated[
        options.MethodName | None, _INPUT(help="How frames are made; by default the model's own method.")
    ] = None
    image_model: Annotated[
        str | None, _INPUT(help="Makes the first frame from the prompt: folder or hub id of a diffusers model.")
    ] = None
    lora: Annotated[
        list[str] | None,
        _INPUT(help="LoRA layers: a folder or file, with a scale behind it if not 1, layers:0.8; repeatable."),
    ] = None
    seed: Annotated[int, _INPUT(min=0, help="The same seed gives the same pixels again on the same machine.")] = 0

    output: Annotated[Path, _OUTPUT("--output", "-o", help="Video to write, .mp4.")] = Path("out.mp4")
    size: Annotated[str | None, _OUTPUT(help="Height x width, such as 320x512.")] = None
    fps: Annotated[float | None, _OUTPUT(min=0.1, help="Frames per second; by default the model's own.")] = None
    interpolator: Annotated[
        str | None, _OUTPUT(help="KeyVID model whose second stage makes the frames between those of another method.")
    ] = None
    plot: Annotated[bool, _OUTPUT("--plot", help="Also draw sound, motion and keyframes.")] = False
    strip: Annotated[bool, _OUTPUT("--strip", help="Also write the keyframes, or frames, as one picture.")] = False
    overwrite: options.Overwrite = False
    json: options.Json = False
    crf: Annotated[int, _OUTPUT(min=0, max=51, help="Quality of the video: 0 lossless, 18 very good.")] = 18
    resample: Annotated[
        options.Resampling, _OUTPUT(help="Frames at another rate than the model's: the nearest one, or a blend.")
    ] = options.Resampling.nearest

    start: Annotated[float, _TIMING(min=0.0, help="Second of the sound (or video) at which to begin.")] = 0.0
    duration: Annotated[
        float | None, _TIMING(min=0.0, help="Seconds of the video; by default as long as the sound.")
    ] = None
    loop: Annotated[bool, _TIMING("--loop", help="Repeat the sound until --duration is full.")] = False
    control_audio: Annotated[
        Path | None, _TIMING(help="A sound that moves the picture in place of the one that is heard.")
    ] = None
    stereo: options.StereoOption = options.Stereo.correct
    keyframes: options.Keyframes = None
    uniform: Annotated[bool, _TIMING("--uniform", help="Keyframes at equal distances.")] = False
    rule: Annotated[options.Rule | None, _TIMING(help="How keyframes are chosen from the motion curve.")] = None
    localizer: options.LocalizerOption = None
    curve: options.CurvePath = None
    gain: options.Gain = None
    threshold: options.Threshold = None
    attack: options.Attack = None
    release: options.Release = None

    guidance: Annotated[float | None, _GUIDANCE(help="How much the sound steers; 1 is none.")] = None
    text_guidance: Annotated[float | None, _GUIDANCE(help="How much the prompt steers; 1 is none.")] = None
    image_guidance: Annotated[float | None, _GUIDANCE(help="How much the picture steers; 1 is none.")] = None
    guidance_at: Annotated[
        str | None, _GUIDANCE(help="How much the sound steers over time, such as 0=1,3.5=4; or a .csv.")
    ] = None
    prompt_at: Annotated[
        list[str] | None, _GUIDANCE(help='A prompt from a time on, such as 3.0="it rains"; repeatable; or a .csv.')
    ] = None
    steps: Annotated[int | None, _GUIDANCE(min=1, help="Sampling steps; with KeyVID of the keyframe stage.")] = None
    interp_steps: Annotated[int | None, _GUIDANCE(min=1, help="Sampling steps of the interpolation stage.")] = None
    sampler: Annotated[
        options.Sampler | None, _GUIDANCE(help="How it steps; by default as the model was published.")
    ] = None
    eta: Annotated[float | None, _GUIDANCE(min=0.0, max=1.0, help="Noise of each step of ddim.")] = None
    interp_sampler: Annotated[
        options.Sampler | None, _GUIDANCE(help="The same of the interpolation stage, which follows --sampler.")
    ] = None
    interp_eta: Annotated[float | None, _GUIDANCE(min=0.0, max=1.0, help="The same of the interpolation stage.")] = None
    quality: Annotated[
        options.Quality,
        _GUIDANCE(help="best: as published; good and fast: fewer calls of the networks (keyvid, avsyncd)."),
    ] = options.Quality.best
    radius: Annotated[
        float | None, _GUIDANCE(help="How far a frame hears to either side, in frames (audio-window).")
    ] = None
    set: Annotated[
        list[str] | None,
        _GUIDANCE(
            "--set", help="Any other argument of the method's call: handover=pixels, planner=official; repeatable."
        ),
    ] = None
    words: Annotated[
        str | None, _GUIDANCE(help="Words of the prompt that loud sound stresses: drum,stick (aadiff).")
    ] = None

    anchor: Annotated[
        bool, _LONG("--anchor/--no-anchor", help="Correct the drift of long videos towards the first frame.")
    ] = True
    resume: Annotated[
        bool, _LONG("--resume/--no-resume", help="Go on where an interrupted run of the same command stopped.")
    ] = True

    region: Annotated[
        Path | None, _MOVED(help="Mask as large as the picture, white where it moves; by default it is found.")
    ] = None
    box: Annotated[str | None, _MOVED(help="The region as left,top,width,height in pixels of the picture.")] = None
    motion: Annotated[
        str | None,
        _MOVED(
            help="zoom, squash, swing, move or shake; behind it band=low|mid|high, strength=, angle=, pivot=x:y, "
            "edge=bend|cut: swing,pivot=120:300."
        ),
    ] = None
    part: Annotated[
        list[str] | None,
        _MOVED(help="One of several regions and its motion: mask.png=swing,band=low or 10,20,80,60=zoom; repeatable."),
    ] = None

    speech: Annotated[Path | None, _TRACKS(help="Track of speech, which moves mouths (mtv).")] = None
    speech2: Annotated[Path | None, _TRACKS(help="Speech of a second person, of a model that knows two (mtv).")] = None
    effects: Annotated[Path | None, _TRACKS(help="Track of effects, which time events (mtv).")] = None
    music: Annotated[Path | None, _TRACKS(help="Track of music, which sets the mood (mtv).")] = None
    demix: Annotated[
        Path | None, _TRACKS(help="HTDemucs checkpoint that takes --audio apart; masks without it (mtv).")
    ] = None
    frame: Annotated[
        list[str] | None, _TRACKS(help="A picture at a time of the clip, such as 1.5=end.png; repeatable (mtv, ltx2).")
    ] = None

    batch: Annotated[
        Path | None, _MANY(help="Rows of options, .csv or .jsonl, or a folder; --output is a folder then.")
    ] = None
    workers: options.Workers = 1
    ray_address: options.RayAddress = None
    gpus: options.Gpus = 1.0

    device: options.Device = "auto"
    dtype: options.DtypeOption = options.Dtype.auto
    offload: options.OffloadOption = options.Offload.auto
    storage: options.StorageOption = options.Storage.own
    tiling: options.Tiling = False
    compile: options.Compile = False
    yes: options.Yes = False


def takes_sample_options(command: Callable[[typer.Context, SampleOptions], Any]) -> Callable[..., Any]:
    """Decorator of a command that is called with its options as one object."""

    @wraps(command)
    def called(ctx: typer.Context, **given: Any) -> Any:
        return command(ctx, SampleOptions(**given))

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *inspect.signature(SampleOptions).parameters.values()]
    described: Any = called
    described.__signature__ = inspect.Signature(parameters)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return described
