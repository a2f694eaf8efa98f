"""`asva evaluate`: folders of generated and of true clips become a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from asva.cli.options import Device, Json
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note


def _show_protocol(name: str | None) -> None:
    if name:
        from asva_eval.protocol import protocol_text

        typer.echo(protocol_text(name), nl=False)
        raise typer.Exit()


def evaluate(
    generated: Annotated[
        list[str], typer.Option("--generated", "-g", help="Folder of generated clips, or NAME=FOLDER; may be repeated.")
    ],
    reference: Annotated[Path, typer.Option("--reference", "-r", help="Folder of the true clips.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report; made if it is missing.")],
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", "-p", help="asva-fixed, asva, keyvid-12, keyvid-48, open-6fps, mtv, or a YAML file of yours."
        ),
    ] = "asva-fixed",
    weights: Annotated[
        list[str] | None, typer.Option("--weights", "-w", help="NAME=PATH of a network, such as i3d=i3d.pt.")
    ] = None,
    manifest: Annotated[
        list[str] | None,
        typer.Option(
            help="CSV or JSONL that matches files (generated, reference, class, caption, start), of all systems; or "
            "NAME=FILE of one, may be repeated."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that measure clips; the numbers stay the same.")] = 1,
    shard: Annotated[
        str | None, typer.Option(help="I/N: measure every N-th clip from the I-th (0, 1, ...) on.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals and tests.")] = 0,
    html: Annotated[bool, typer.Option(help="Write report.html, with plots and playable clips.")] = True,
    examples: Annotated[int, typer.Option(min=0, help="Best and worst clips of each system in report.html.")] = 3,
    device: Device = "auto",
    json: Json = False,
    print_protocol: Annotated[
        str | None,
        typer.Option(callback=_show_protocol, is_eager=True, help="Print the YAML of a protocol, to change, and stop."),
    ] = None,
) -> None:
    """Measure generated clips against true ones and write a report.

    Files are matched by their names (dog/a.mp4 or dog/a_clip-00.mp4 to dog/a.mp4); what has no partner is listed, and a
    file that cannot be read is left out with its reason. A run that was stopped goes on where it was. Scores whose
    networks are not given with --weights are listed with what they need; the others need none.

    Examples:

      asva evaluate --generated mine --reference true --output report

      asva evaluate -g mine=runs/mine -g theirs=runs/theirs -r true -o report --protocol keyvid-12 --workers 4

      asva evaluate -g mine -r true -o report -w i3d=i3d_torchscript.pt -w inception=pt_inception.pth

      asva evaluate --print-protocol asva-fixed > mine.yaml
    """
    from asva_eval import evaluate as measure
    from asva_eval import load_protocol, write_report

    resolved = load_protocol(protocol)
    systems = named_folders(generated)
    with Stages() as stages:
        result = measure(
            systems,
            reference,
            output,
            protocol=resolved,
            weights={name: Path(path) for name, path in named_paths(weights or [], "--weights")},
            manifest=_manifests(manifest or []),
            device=network_device(device),
            workers=workers,
            shard=_shard(shard),
            on_step=stages.at,
        )
        if not result.complete:
            note("This part is measured; run without --shard (or the other parts) for the report.", quiet=True)
            if json:
                print_json({"complete": False})
            return
        stages.stage("adding up")
        command = ["asva", *sys.argv[1:]]
        report = write_report(result, output, command=command, name=protocol, seed=seed, page=html, examples=examples)
    if json:
        print_json(report)
    else:
        _print(report)
    left = len(report["broken"])
    if left:
        note(f"{left} clips could not be measured; report.md says why.")
    written = ["report.html"] * html + ["report.md", "report.json"]
    note(f"wrote {', '.join(str(output / name) for name in written)}", quiet=True)


def _print(report: dict) -> None:
    from asva_eval.wording import figure

    names = [*report["systems"], "reference"]
    measured = [score for score in report["scores"] if "systems" in score]
    rows = [(score["title"], *(figure(score["systems"].get(name)) for name in names)) for score in measured]
    table(("score", *names), rows)
    missing = [score["title"] for score in report["scores"] if "not_measured" in score]
    if missing:
        note(f"Not measured without weights: {', '.join(missing)}.", quiet=True)


def named_folders(items: list[str]) -> dict[str, Path]:
    """Folders by name; a bare folder has its own name."""
    systems: dict[str, Path] = {}
    for item in items:
        name, separator, path = item.partition("=")
        folder = Path(path if separator else item)
        name = name if separator else folder.resolve().name
        if name in systems:
            raise RequestError(f"`--generated` must name each folder once, got {name} twice; write NAME=FOLDER.")
        systems[name] = folder
    return systems


def named_paths(items: list[str], option: str, what: str = "PATH") -> list[tuple[str, str]]:
    """Names and values of NAME=PATH and the like."""
    pairs = [item.partition("=")[::2] for item in items]
    for pair, item in zip(pairs, items, strict=True):
        if not all(pair):
            raise RequestError(f"`{option}` must be NAME={what}, got '{item}'.")
    return pairs


def _manifests(items: list[str]) -> Path | dict[str, Path] | None:
    """One table of all systems, or tables by their names."""
    if len(items) == 1 and "=" not in items[0]:
        return Path(items[0])
    return {name: Path(path) for name, path in named_paths(items, "--manifest")} or None


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    first, separator, count = text.partition("/")
    if not (separator and first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise RequestError(f"`--shard` must be I/N with I from 0 to N - 1, such as 0/4, got '{text}'.")
    return int(first), int(count)


def network_device(name: str) -> str:
    """Where the networks of scores run."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
