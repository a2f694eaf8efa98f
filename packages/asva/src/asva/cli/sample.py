"""`asva sample`: a picture and a sound become a video."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.progress import ShownStages
from asva.cli.rows import read_row
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import gigabytes, note

MOST_TOLD = 24  # keyframes


def sample(
    ctx: typer.Context,
    audio: Annotated[
        Path | None, typer.Option("--audio", "-a", help="A sound, or a video with sound; or tracks (mtv).")
    ] = None,
    image: Annotated[Path | None, typer.Option("--image", "-i", help="First frame: a picture, or a video.")] = None,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="What is seen and done, in words.")] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write, .mp4.")] = Path("out.mp4"),
    method: Annotated[
        options.MethodName | None, typer.Option(help="How frames are made; the model's own method without it.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A name (see asva models list), a folder, or a hub id owner/name."),
    ] = None,
    image_model: Annotated[
        str | None, typer.Option(help="Makes the first frame of the prompt: folder or hub id of diffusers.")
    ] = None,
    seed: options.Seed = 0,
    start: options.Start = 0.0,
    duration: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds of the video; as long as the sound without it.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat the sound until --duration is full.")] = False,
    control_audio: Annotated[
        Path | None, typer.Option(help="A sound that moves the picture in place of the one that is heard.")
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="Track of speech, which moves mouths (mtv).")] = None,
    effects: Annotated[Path | None, typer.Option(help="Track of effects, which time events (mtv).")] = None,
    music: Annotated[Path | None, typer.Option(help="Track of music, which sets the mood (mtv).")] = None,
    demix: Annotated[
        Path | None, typer.Option(help="HTDemucs checkpoint that takes --audio apart; masks without it (mtv).")
    ] = None,
    frame: Annotated[
        list[str] | None, typer.Option(help="A picture at a time of the clip, such as 1.5=end.png; repeatable (mtv).")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Height x width, such as 320x512.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, help="Frames per second; the model's own without it.")] = None,
    resample: Annotated[
        options.Resampling, typer.Option(help="Frames at another rate than the model's: nearest, or a blend.")
    ] = options.Resampling.nearest,
    interpolator: Annotated[
        str | None, typer.Option(help="KeyVID model whose second stage makes the frames between.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps; with KeyVID of the keyframe stage.")] = None,
    interp_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the interpolation stage.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How much the sound steers; 1 is none.")] = None,
    text_guidance: Annotated[float | None, typer.Option(help="How much the prompt steers; 1 is none.")] = None,
    image_guidance: Annotated[float | None, typer.Option(help="How much the picture steers; 1 is none.")] = None,
    guidance_at: Annotated[
        str | None, typer.Option(help="How much the sound steers over time, such as 0=1,3.5=4; or a .csv.")
    ] = None,
    prompt_at: Annotated[
        list[str] | None, typer.Option(help='A prompt from a time on, such as 3.0="it rains"; repeatable; or a .csv.')
    ] = None,
    radius: Annotated[
        float | None, typer.Option(help="Of the sound that a frame hears, in frames (audio-window).")
    ] = None,
    words: Annotated[
        str | None, typer.Option(help="Words of the prompt that loud sound stresses: drum,stick (aadiff).")
    ] = None,
    anchor: Annotated[
        bool, typer.Option("--anchor/--no-anchor", help="Hold long videos to the look of their beginning.")
    ] = True,
    keyframes: options.Keyframes = None,
    curve: options.CurvePath = None,
    gain: options.Gain = None,
    threshold: options.Threshold = None,
    attack: options.Attack = None,
    release: options.Release = None,
    uniform: Annotated[bool, typer.Option("--uniform", help="Keyframes at equal distances.")] = False,
    rule: Annotated[options.Rule | None, typer.Option(help="How keyframes are chosen from the motion curve.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw sound, motion and keyframes beside the video.")] = False,
    strip: Annotated[bool, typer.Option("--strip", help="Write the keyframes, or frames, as one picture too.")] = False,
    device: options.Device = "auto",
    dtype: Annotated[options.Dtype, typer.Option(help="Precision of the networks.")] = options.Dtype.auto,
    offload: Annotated[options.Offload, typer.Option(help="Save GPU memory: model is slower, sequential slowest.")] = (
        options.Offload.auto
    ),
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of the video: 0 lossless, 18 very good.")] = 18,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on where an interrupted run of the same command stopped.")
    ] = True,
    batch: Annotated[
        Path | None, typer.Option(help="Rows of options, .csv or .jsonl, or a folder; --output is a folder then.")
    ] = None,
    workers: options.Workers = 1,
    ray_address: options.RayAddress = None,
    gpus: options.Gpus = 1.0,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
) -> None:
    """Make a video of a picture that moves in time with a sound.

    The video is as long as the sound, or as --duration from --start on. A JSON with every setting, the versions,
    keyframes, motion curve and drift stands beside it; OUTPUT's folder must exist. While a long one is made, finished
    windows lie in OUTPUT.part, from which the same command goes on after an interruption.

    Examples:

      asva sample --image drum.png --audio drum.wav --output drum.mp4

      asva sample -i clip.mp4 -a song.mp3 --start 12.5 --duration 10 -o song.mp4 --plot --strip

      asva sample -i dog.jpg -a bark.wav --keyframes 0.2,0.9,1.4 --seed 7 -o dog.mp4

      asva sample -i dog.jpg -a bark.wav --model keyvid --device cuda --offload model -o dog.mp4

      asva sample -i dog.jpg -a bark.wav --method avsyncd --model FOLDER --interpolator keyvid -o dog.mp4

      asva sample -i dog.jpg -a bark.wav --curve edited.csv --prompt-at 3="a wet dog barks" -o dog.mp4

      asva sample -p "a dog barks" -a bark.wav --image-model FOLDER --model keyvid -o dog.mp4

      asva sample --method mtv --model FOLDER -p PROMPT --speech voice.wav --music piano.wav -o scene.mp4

      asva sample --batch jobs.csv --output videos --steps 2

      asva sample --batch jobs.csv --output videos --ray-address auto --workers 16
    """
    options = dict(locals())
    ctx, batch = options.pop("ctx"), options.pop("batch")
    place = {name: options.pop(name) for name in ("workers", "ray_address", "gpus")}
    if batch is not None:
        from asva_pipelines import make_batch

        if ctx.get_parameter_source("output").name == "DEFAULT":
            raise RequestError("`--output` must be given with `--batch`: the folder for the videos.")
        raise typer.Exit(make_batch(batch, output, partial(read_row, options), typer.echo, **place))
    if place["workers"] > 1 or place["ray_address"] is not None:
        raise RequestError("`--workers` and `--ray-address` must come with `--batch`: one process makes a video.")
    from asva.cli.job import read_job

    job = read_job(options)
    job.check_targets()
    began = time.monotonic()
    record, targets = job.make(stages=ShownStages())
    _say(record, targets, time.monotonic() - began)


def _say(record: dict[str, Any], targets: dict[str, Path], seconds: float) -> None:
    """The result on stdout, everything about it on stderr."""
    if "keyframes" in record:
        seconds_of = record["keyframes"]["seconds"]
        chosen = ", ".join(f"{second:.2f}" for second in seconds_of[:MOST_TOLD])
        more = f" and {len(seconds_of) - MOST_TOLD} more" if len(seconds_of) > MOST_TOLD else ""
        note(f"keyframes at {chosen} s{more}", quiet=True)
    memory = record["memory"]
    note(
        f"peak memory {gigabytes(memory['measured_bytes'])}, predicted {gigabytes(memory['predicted_bytes'])}; "
        f"{seconds:.1f} s in all",
        quiet=True,
    )
    for path in reversed(targets.values()):
        typer.echo(path)
