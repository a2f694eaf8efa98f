"""`asva sample`: a picture and a sound become a video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.door import UsageProblem
from asva.cli.terminal import gigabytes, note

MOST_TOLD = 24  # keyframes


def sample(
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
        options.Offload.none
    ),
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of the video: 0 lossless, 18 very good.")] = 18,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on where an interrupted run of the same command stopped.")
    ] = True,
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
    """
    from asva.cli import mtv_sampling
    from asva.cli.plan import Request
    from asva.cli.sampling import run
    from asva.long.over_time import parse_points, parse_strengths

    if guidance is not None and guidance_at is not None:
        raise UsageProblem("`--guidance` and `--guidance-at` exclude each other: give one.")
    if uniform and keyframes is not None:
        raise UsageProblem("`--uniform` and `--keyframes` exclude each other: give one.")
    if image is not None and image_model is not None:
        raise UsageProblem("`--image` and `--image-model` exclude each other: give one.")
    if duration is not None and duration <= 0:
        raise UsageProblem(f"`--duration` must be a positive number of seconds, got {duration:g}.")
    if loop and duration is None:
        raise UsageProblem("`--loop` must have a `--duration` until which the sound is repeated.")
    targets = _targets(output, plot=plot, strip=strip, picture=image_model is not None)
    options.check_targets([path for name, path in targets.items() if name != "strip"], overwrite)
    given = {
        "--steps": steps,
        "--interp-steps": interp_steps,
        "--guidance": guidance,
        "--text-guidance": text_guidance,
        "--image-guidance": image_guidance,
        "--radius": radius,
        "--words": None if words is None else options.parse_words(words),
        "--keyframes": None if keyframes is None else options.parse_times(keyframes),
        "--curve": curve,
        "--gain": gain,
        "--threshold": threshold,
        "--attack": attack,
        "--release": release,
        "--guidance-at": None if guidance_at is None else parse_strengths(guidance_at, "--guidance-at"),
        "--prompt-at": parse_points(prompt_at, "--prompt-at") if prompt_at else None,
        "--rule": None if rule is None else str(rule),
        "--uniform": "uniform" if uniform else None,  # behind the rule, over which it counts
    }
    tracks = {"speech": speech, "effects": effects, "music": music}
    sounds = mtv_sampling.Sounds(
        tracks={name: path for name, path in tracks.items() if path is not None},
        demix=demix,
        frames=mtv_sampling.parse_frames(frame or []),
    )
    request = Request(
        image=image,
        image_model=image_model,
        audio=audio,
        prompt=prompt,
        method=None if method is None else str(method),
        model=model,
        interpolator=interpolator,
        fps=fps,
        seed=seed,
        start=start,
        duration=duration,
        loop=loop,
        control_audio=control_audio,
        anchor=anchor,
        resampling=str(resample),
        resume=resume,
        size=None if size is None else options.parse_size(size),
        options={name: value for name, value in given.items() if value is not None} | sounds.options,
        device=device,
        dtype=str(dtype),
        offload=str(offload),
        crf=crf,
        yes=yes,
    )
    began = time.monotonic()
    if mtv_sampling.is_mtv(request):
        record, targets = mtv_sampling.run(request, sounds, targets, overwrite=overwrite)
    elif audio is None and not sounds.tracks:
        raise UsageProblem("`--audio` must be given: a sound, or a video with sound.")
    else:
        record, targets = run(request, targets, overwrite=overwrite)
    _say(record, targets, time.monotonic() - began)


def _targets(output: Path, *, plot: bool, strip: bool, picture: bool) -> dict[str, Path]:
    """Final names of everything that will be written; the strip's may still change."""
    if output.suffix.lower() != ".mp4":
        raise UsageProblem(f"`--output` must end in .mp4, got '{output}'.")
    targets = {"json": output.with_suffix(".json")}
    if picture:
        targets["image"] = output.with_name(f"{output.stem}.image.png")
    if plot:
        targets["plot"] = output.with_name(f"{output.stem}.plot.png")
    if strip:
        targets["strip"] = output.with_name(f"{output.stem}.keyframes.png")
    return targets | {"video": output}


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
