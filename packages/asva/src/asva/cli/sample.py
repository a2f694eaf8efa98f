"""`asva sample`: a picture and a sound become a video."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import typer

from asva.cli.progress import ShownStages
from asva.cli.rows import read_row
from asva.cli.sample_options import SampleOptions, takes_sample_options
from asva.cli.terminal import print_json
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import gigabytes, note

MOST_TOLD = 24  # keyframes


@takes_sample_options
def sample(ctx: typer.Context, options: SampleOptions) -> None:
    """Make a video of a picture that moves in time with a sound.

    The video is as long as the sound, or as --duration from --start on. A JSON with every setting, the versions,
    keyframes, motion curve and drift stands beside it; --json prints the same. OUTPUT's folder must exist. While a long
    video is made, finished windows lie in OUTPUT.part, from which the same command goes on after an interruption.

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
    if options.batch is not None:
        from asva_pipelines import make_batch

        if ctx.get_parameter_source("output").name == "DEFAULT":
            raise RequestError("`--output` must be given with `--batch`: the folder for the videos.")
        say = _say_video if options.json else typer.echo
        place = {"workers": options.workers, "ray_address": options.ray_address, "gpus": options.gpus}
        raise typer.Exit(make_batch(options.batch, options.output, partial(read_row, options), say, **place))
    if options.workers > 1 or options.ray_address is not None:
        raise RequestError("`--workers` and `--ray-address` must come with `--batch`: one process makes a video.")
    from asva.cli.job import read_job

    job = read_job(options)
    job.check_targets()
    began = time.monotonic()
    record, targets = job.make(stages=ShownStages())
    _say(record, time.monotonic() - began)
    if options.json:
        print_json(record | {"files": {name: str(path) for name, path in targets.items()}})
    else:
        for path in reversed(targets.values()):
            typer.echo(path)


def _say_video(video: Path) -> None:
    """A video of a batch, on a line of its own."""
    print_json({"video": str(video), "record": str(video.with_suffix(".json"))}, indent=None)


def _say(record: dict[str, Any], seconds: float) -> None:
    """Everything about the result, on stderr."""
    if "keyframes" in record:
        seconds_of = record["keyframes"]["seconds"]
        chosen = ", ".join(f"{second:.2f}" for second in seconds_of[:MOST_TOLD])
        more = f" and {len(seconds_of) - MOST_TOLD} more" if len(seconds_of) > MOST_TOLD else ""
        note(f"keyframes at {chosen} s{more}", quiet=True)
    memory = record["memory"]
    predicted = f", predicted {gigabytes(memory['predicted_bytes'])}" if memory["predicted_bytes"] else ""
    note(f"peak memory {gigabytes(memory['measured_bytes'])}{predicted}; {seconds:.1f} s in all", quiet=True)
