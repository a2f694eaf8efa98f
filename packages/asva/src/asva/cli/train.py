"""``asva train``: train one part of a model from a recipe."""

from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.options import Json, Yes, parse_fields
from asva.cli.terminal import print_json
from asva_train.trainings import TRAININGS

train_app = typer.Typer(
    no_args_is_help=True,
    help="""Train one part of a model. A model is built up in one folder, part by part:

    asva train vae --recipe tiny-vae --folder runs/tiny

    asva train localizer --recipe tiny-localizer --folder runs/tiny

    asva train keyframe --recipe tiny-keyframe --folder runs/tiny

    asva train interp --recipe tiny-interp --folder runs/tiny

    asva train assemble --folder runs/tiny --output runs/my-model

    asva sample --model runs/my-model --image PICTURE --audio SOUND

The other methods take what they do not train from a model that is there (`base` in their recipes):

    asva train avsyncd --folder runs/avsyncd

    asva train assemble --folder runs/avsyncd --output runs/my-avsyncd

Each writes its checkpoints and log to FOLDER/training/<part> and its weights to FOLDER when it is done. Several
processes: torchrun --nproc-per-node 2 -m asva train ...""",
)

Recipe = Annotated[str, typer.Option(help="A recipe's name, or the path of a YAML file.")]
Folder = Annotated[Path, typer.Option(help="Model folder: parts are read from it and written to it.")]
Data = Annotated[Path | None, typer.Option(help="Dataset, or folder of videos with sound, in the recipe's place.")]
Base = Annotated[str | None, typer.Option(help="Model that is built on, instead of the recipe's: folder or hub id.")]
Resume = Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the newest checkpoint.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimizer steps, instead of the recipe's.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any recipe field: --set loop.learning_rate=0.0001")]
Device = Annotated[str, typer.Option(help="auto, or cpu.")]


def _overrides(data: Path | None, base: str | None, steps: int | None, fields: list[str] | None) -> dict[str, Any]:
    overrides = parse_fields(fields) | ({} if base is None else {"base": base})
    if data is not None:
        overrides |= {"data.kind": "folder", "data.root": str(data)}
    if steps is not None:
        overrides["loop.max_steps"] = steps
    return overrides


def _train(
    task: str,
    recipe: str,
    folder: Path,
    data: Path | None,
    base: str | None,
    resume: bool,
    steps: int | None,
    fields: list[str] | None,
    device: str,
    yes: bool,
    json: bool,
) -> None:
    from asva.cli.models import agree
    from asva_train import Run, RunError, load_recipe, make_task
    from asva_train.checkpoint import checkpoints
    from asva_train.diffusion_task import fetch_base

    resolved = load_recipe(recipe, _overrides(data, base, steps, fields))
    if resolved.task != task:
        raise RunError(f"`--recipe` must be a recipe for {task}, got one for {resolved.task}.")
    fetch_base(resolved, lambda plan: agree(plan, yes=yes), cpu=device == "cpu")
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(make_task(resolved, folder), folder, device=device)
    if resume:
        run.resume()
    elif checkpoints(run.home):
        raise RunError(f"`--folder` holds a run already: {run.home}. Add --resume, or choose another folder.")
    losses = _with_progress(run, quiet=json)
    if json and run.accelerator.is_main_process:
        print_json({"task": task, "folder": run.folder, "log": run.home, "steps": run.step, "losses": losses})


def _with_progress(run: Any, *, quiet: bool) -> dict[str, float]:
    """Train, and return the last losses; `quiet` leaves stdout alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console, last = Console(quiet=not run.accelerator.is_main_process, stderr=quiet), {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    name = run.task.recipe.task
    console.print(f"{name}: {run.num_trainable:,} parameters learn", soft_wrap=True)
    with Progress(*columns, TextColumn("{task.fields[losses]}"), console=console) as bars:
        bar = bars.add_task(f"training {name}", total=run.recipe.max_steps, completed=run.step, losses="")

        def on_step(progress) -> None:
            last.update(progress.losses)
            losses = "  ".join(f"{key} {value:.4g}" for key, value in progress.losses.items())
            bars.update(bar, completed=progress.step, losses=losses)
            if not console.is_terminal:
                console.print(f"{name} {progress.step}/{progress.max_steps}  {losses}", soft_wrap=True)

        run.train(on_step)
    run.accelerator.end_training()
    console.print(f"{name} is in {run.folder}; log: tensorboard --logdir {run.home}", soft_wrap=True)
    return last


def _add_command(task: str, recipe_name: str, help_text: str) -> None:
    """``asva train TASK``."""

    @train_app.command(name=task, help=help_text)
    def command(
        folder: Folder,
        recipe: Recipe = recipe_name,
        data: Data = None,
        base: Base = None,
        resume: Resume = False,
        steps: Steps = None,
        fields: Set = None,
        device: Device = "auto",
        yes: Yes = False,
        json: Json = False,
    ) -> None:
        _train(task, recipe, folder, data, base, resume, steps, fields, device, yes, json)


for _training in TRAININGS.values():
    _add_command(_training.name, str(_training.default), _training.summary)


@train_app.command()
def assemble(
    folder: Folder,
    output: Annotated[Path, typer.Option(help="Folder to write, for --model of asva sample.")],
    settings: Annotated[
        str | None, typer.Option(help="How it samples: a name or a YAML file, in place of what the recipes say.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Model for what FOLDER lacks, in place of the recipes'.")] = None,
    fields: Annotated[list[str] | None, typer.Option("--set", help="Any of the settings: --set radius=2")] = None,
    json: Json = False,
) -> None:
    """Put the trained parts together into a model that asva sample loads.

    What the recipes do not train comes from where the training had it, and the model samples as they say: a published
    recipe's as published. Size, frame rate, radius and whatever else the training has decided are taken from it; --set
    overrules them.
    """
    from asva_pipelines.notes import note
    from asva_train.assemble import assemble as put_together

    def on_trained(changed: dict[str, Any]) -> None:
        note("as in the training: " + ", ".join(f"{name} {value}" for name, value in sorted(changed.items())))

    written = put_together(folder, output, settings, base=base, overrides=parse_fields(fields), on_trained=on_trained)
    if json:
        print_json({"model": written})
    else:
        typer.echo(f"The model is in {written}.")
