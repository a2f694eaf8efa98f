"""`asva bench`: a method on a dataset's test videos, judged and set beside the figures of the papers."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli import options
from asva.cli.datasets import LayoutName
from asva.cli.evaluate import named_paths, network_device
from asva.cli.models import agree
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.make.read_inputs import naming
from asva_pipelines.notes import note


def bench(
    dataset: Annotated[Path, typer.Argument(help="Folder of AVSync15, Landscapes, TheGreatestHits or one like them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for videos, report and rows.")],
    method: Annotated[options.MethodName | None, typer.Option(help="How frames are made.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A name, a folder, or a hub id owner/name.")
    ] = None,
    interpolator: Annotated[str | None, typer.Option(help="KeyVID model that makes the frames between.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the system in the rows; by default the method's.")] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--import", help="NAME=FOLDER of clips made elsewhere, CLASS/VIDEO_clip-KK.mp4; may be repeated."),
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", "-p", help="asva, keyvid-12, keyvid-48, open-6fps, asva-fixed or a YAML file.")
    ] = "asva",
    weights: Annotated[
        list[str] | None, typer.Option("--weights", "-w", help="NAME=PATH of a network, as asva evaluate has it.")
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", help="Test list in place of the dataset's test.txt (AVSync48 has none).")
    ] = None,
    layout: Annotated[LayoutName | None, typer.Option(help="Form of the dataset; by default the files tell.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every clip, as published, and of the intervals.")] = 0,
    guidance: Annotated[float | None, typer.Option(help="How much the sound steers; by default the model's.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps; by default the model's.")] = None,
    stereo: options.StereoOption = options.Stereo.correct,
    workers: options.Workers = 1,
    ray_address: options.RayAddress = None,
    gpus: options.Gpus = 1.0,
    device: options.Device = "auto",
    dtype: options.DtypeOption = options.Dtype.auto,
    offload: options.OffloadOption = options.Offload.auto,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Make three clips of each test video, judge them, and print a row beside those of the papers.

    Every clip begins at the protocol's moment with the true frame there and is told its class in words. A run that was
    stopped goes on. Videos lie in OUTPUT/NAME, first frames in OUTPUT/inputs, rows and report in OUTPUT/report.

    Examples:

      asva bench AVSync15 --method avsyncd --model FOLDER --guidance 4 -o bench -w i3d=i3d_torchscript.pt

      asva bench AVSync15 --model keyvid --protocol keyvid-12 -o bench --workers 8

      asva bench Landscapes --import theirs=their/videos -o bench
    """
    from asva_data import read_benchmark
    from asva_eval import check_benchmark, judge_benchmark
    from asva_eval.benchmark import benchmark_cells, other_list
    from asva_pipelines import Request, make_benchmark

    systems = {system: Path(folder) for system, folder in named_paths(others or [], "--import")}
    ours = name or (str(method) if method else "generated")
    makes = method is not None or model is not None
    if not makes and not systems:
        raise RequestError("`--method`, `--model` or `--import` must be given: there is nothing to judge.")
    if makes and (ours in systems or Path(ours).name != ours or ours in ("inputs", "report")):
        raise RequestError(f"`--name` must be a name of its own for a folder, got '{ours}'.")
    with naming("DATASET", "root"):
        benchmark = read_benchmark(dataset, layout=layout.value if layout else None, listed=listed)
    networks = {kind: Path(path) for kind, path in named_paths(weights or [], "--weights")}
    check_benchmark(benchmark, systems, protocol, networks)
    if makes:
        given = {"--guidance": guidance, "--steps": steps}
        request = Request(
            method=None if method is None else str(method),
            model=model,
            interpolator=interpolator,
            seed=seed,
            stereo=None if stereo is options.Stereo.correct else str(stereo),
            options={option: value for option, value in given.items() if value is not None},
            device=device,
            dtype=str(dtype),
            offload=str(offload),
            confirm=partial(agree, yes=yes),
        )
        place: dict[str, Any] = {"workers": workers, "ray_address": ray_address, "gpus": gpus}
        if make_benchmark(benchmark, request, output / ours, output / "inputs", **place):
            raise typer.Exit(1)
        systems = {ours: output / ours, **systems}
    with Stages() as stages:
        rows = judge_benchmark(
            benchmark,
            systems,
            output / "report",
            protocol=protocol,
            command=["asva", *sys.argv[1:]],
            seed=seed,
            weights=networks,
            device=network_device(device),
            workers=workers if ray_address is None else 1,
            on_step=lambda stage, done, total: (stages.stage(stage, total), stages.step(done)),
        )
    if json:
        print_json(rows)
        return
    table(*benchmark_cells(rows))
    if told := other_list(rows):
        note(f"Note: {told}")
    for row in rows["rows"]:
        if row["clips"] not in (None, len(benchmark.clips)):
            told = f"{row['clips']} of {len(benchmark.clips)} clips could be measured"
            note(f"{row['system']}: {told}; report.md says why.")
    for score, reason in rows["not_measured"].items():
        note(f"{rows['scores'][score]} was not measured: it {reason}.", quiet=True)
    note(f"wrote {output / 'report/rows.md'}, rows.json and the report beside it", quiet=True)
