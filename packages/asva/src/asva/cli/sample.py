"""`asva sample`: a picture and a sound become a video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.door import UsageProblem
from asva.cli.terminal import gigabytes, note

Scale = Annotated[float | None, typer.Option(help="1 is none; the model's own without it.")]


def sample(
    image: Annotated[Path, typer.Option("--image", "-i", help="First frame: a picture, or a video.")],
    audio: Annotated[Path, typer.Option("--audio", "-a", help="A sound, or a video with sound.")],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="What is seen and done, in words.")] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write, .mp4.")] = Path("out.mp4"),
    model: options.Model = "tiny",
    seed: options.Seed = 0,
    start: options.Start = 0.0,
    size: Annotated[str | None, typer.Option(help="Height x width, such as 320x512.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the keyframe stage.")] = None,
    interp_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the interpolation stage.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How much the sound steers, both stages; 1 is none.")] = None,
    text_guidance: Annotated[float | None, typer.Option(help="How much the prompt steers; 1 is none.")] = None,
    image_guidance: Annotated[float | None, typer.Option(help="How much the picture steers; 1 is none.")] = None,
    keyframes: options.Keyframes = None,
    uniform: Annotated[bool, typer.Option("--uniform", help="Keyframes at equal distances.")] = False,
    rule: Annotated[options.Rule | None, typer.Option(help="How keyframes are chosen from the motion curve.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw curve, keyframes and waveform beside the video.")] = False,
    strip: Annotated[bool, typer.Option("--strip", help="Write the keyframes as one picture too.")] = False,
    device: options.Device = "auto",
    dtype: Annotated[options.Dtype, typer.Option(help="Precision of the networks.")] = options.Dtype.auto,
    offload: Annotated[options.Offload, typer.Option(help="Save GPU memory: model is slower, sequential slowest.")] = (
        options.Offload.none
    ),
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality of the video: 0 lossless, 18 very good.")] = 18,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
) -> None:
    """Make a video of a picture that moves in time with a sound.

    The video is as long as the model's window (2 s): a longer sound is cut, a shorter one filled with silence. A JSON
    with every setting, the versions, keyframes and motion curve stands beside it; OUTPUT's folder must exist.

    Examples:

      asva sample --image drum.png --audio drum.wav --output drum.mp4

      asva sample -i clip.mp4 -a song.mp3 --start 12.5 -o song.mp4 --plot --strip

      asva sample -i dog.jpg -a bark.wav --keyframes 0.2,0.9,1.4 --seed 7 -o dog.mp4

      asva sample -i dog.jpg -a bark.wav --model keyvid --device cuda --offload model -o dog.mp4
    """
    from asva.cli.sampling import Request, run

    if uniform and keyframes is not None:
        raise UsageProblem("`--uniform` and `--keyframes` exclude each other: give one.")
    targets = _targets(output, plot=plot, strip=strip)
    options.check_targets(list(targets.values()), overwrite)
    request = Request(
        image=image,
        audio=audio,
        prompt=prompt,
        model=model,
        seed=seed,
        start=start,
        size=None if size is None else options.parse_size(size),
        times=None if keyframes is None else options.parse_times(keyframes),
        selection="uniform" if uniform else None if rule is None else str(rule),
        settings={
            "num_inference_steps": steps,
            "interp_num_inference_steps": interp_steps,
            "audio_guidance_scale": guidance,
            "interp_audio_guidance_scale": guidance,
            "text_guidance_scale": text_guidance,
            "interp_text_guidance_scale": text_guidance,
            "image_guidance_scale": image_guidance,
            "interp_image_guidance_scale": image_guidance,
        },
        device=device,
        dtype=str(dtype),
        offload=str(offload),
        crf=crf,
        yes=yes,
    )
    began = time.monotonic()
    record = run(request, targets)
    _say(record, targets, time.monotonic() - began)


def _targets(output: Path, *, plot: bool, strip: bool) -> dict[str, Path]:
    """Final names of everything that will be written."""
    if output.suffix.lower() != ".mp4":
        raise UsageProblem(f"`--output` must end in .mp4, got '{output}'.")
    targets = {"json": output.with_suffix(".json")}
    if plot:
        targets["plot"] = output.with_name(f"{output.stem}.plot.png")
    if strip:
        targets["strip"] = output.with_name(f"{output.stem}.keyframes.png")
    return targets | {"video": output}


def _say(record: dict[str, Any], targets: dict[str, Path], seconds: float) -> None:
    """The result on stdout, everything about it on stderr."""
    chosen = ", ".join(f"{second:.2f}" for second in record["keyframes"]["seconds"])
    memory = record["memory"]
    note(f"keyframes at {chosen} s", quiet=True)
    note(
        f"peak memory {gigabytes(memory['measured_bytes'])}, predicted {gigabytes(memory['predicted_bytes'])}; "
        f"{seconds:.1f} s in all",
        quiet=True,
    )
    for path in reversed(targets.values()):
        typer.echo(path)
