"""``asva train``: train one part of a model from a recipe."""

from pathlib import Path
from typing import Annotated, Any

import typer

train_app = typer.Typer(
    no_args_is_help=True,
    help="""Train one part of a model. A model is built up in one folder, part by part:

    asva train vae --recipe tiny-vae --folder runs/tiny

    asva train localizer --recipe tiny-localizer --folder runs/tiny

    asva train keyframe --recipe tiny-keyframe --folder runs/tiny

    asva train interp --recipe tiny-interp --folder runs/tiny

    asva train assemble --folder runs/tiny --output runs/my-model

    asva sample --model runs/my-model --image PICTURE --audio SOUND

Each writes its checkpoints and log to FOLDER/training/<part> and its weights to FOLDER when it is done. Several
processes: torchrun --nproc-per-node 2 -m asva train ...""",
)

Recipe = Annotated[str, typer.Option(help="A recipe's name, or the path of a YAML file.")]
Folder = Annotated[Path, typer.Option(help="Model folder: parts are read from it and written to it.")]
Data = Annotated[Path | None, typer.Option(help="Folder of videos with sound, instead of the recipe's data.")]
Resume = Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the newest checkpoint.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimizer steps, instead of the recipe's.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any recipe field: --set loop.learning_rate=0.0001")]
Device = Annotated[str, typer.Option(help="auto, or cpu.")]


def _overrides(data: Path | None, steps: int | None, fields: list[str] | None) -> dict[str, Any]:
    import yaml

    overrides: dict[str, Any] = {}
    for item in fields or []:
        name, separator, value = item.partition("=")
        if not separator:
            raise ValueError(f"`--set` must be NAME=VALUE, got {item}.")
        overrides[name] = yaml.safe_load(value)
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
    resume: bool,
    steps: int | None,
    fields: list[str] | None,
    device: str,
) -> None:
    from asva.training import Run, RunError, load_recipe, make_task
    from asva.training.checkpoint import checkpoints

    resolved = load_recipe(recipe, _overrides(data, steps, fields))
    if resolved.task != task:
        raise RunError(f"`--recipe` must be a recipe for {task}, got one for {resolved.task}.")
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(make_task(resolved, folder), folder, device=device)
    if resume:
        run.resume()
    elif checkpoints(run.home):
        raise RunError(f"`--folder` holds a run already: {run.home}. Add --resume, or choose another folder.")
    _with_progress(run)


def _with_progress(run) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(quiet=not run.accelerator.is_main_process)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    name = run.task.recipe.task
    with Progress(*columns, TextColumn("{task.fields[losses]}"), console=console) as bars:
        bar = bars.add_task(f"training {name}", total=run.recipe.max_steps, completed=run.step, losses="")

        def on_step(progress) -> None:
            losses = "  ".join(f"{key} {value:.4g}" for key, value in progress.losses.items())
            bars.update(bar, completed=progress.step, losses=losses)
            if not console.is_terminal:
                console.print(f"{name} {progress.step}/{progress.max_steps}  {losses}", soft_wrap=True)

        run.train(on_step)
    console.print(f"{name} is in {run.folder}; log: tensorboard --logdir {run.home}", soft_wrap=True)


@train_app.command()
def vae(
    folder: Folder,
    recipe: Recipe = "tiny-vae",
    data: Data = None,
    resume: Resume = False,
    steps: Steps = None,
    fields: Set = None,
    device: Device = "auto",
) -> None:
    """The autoencoder between pixels and latents."""
    _train("vae", recipe, folder, data, resume, steps, fields, device)


@train_app.command()
def localizer(
    folder: Folder,
    recipe: Recipe = "tiny-localizer",
    data: Data = None,
    resume: Resume = False,
    steps: Steps = None,
    fields: Set = None,
    device: Device = "auto",
) -> None:
    """The network that hears how much a clip moves when."""
    _train("localizer", recipe, folder, data, resume, steps, fields, device)


@train_app.command()
def keyframe(
    folder: Folder,
    recipe: Recipe = "tiny-keyframe",
    data: Data = None,
    resume: Resume = False,
    steps: Steps = None,
    fields: Set = None,
    device: Device = "auto",
) -> None:
    """The generator of keyframes."""
    _train("keyframe", recipe, folder, data, resume, steps, fields, device)


@train_app.command()
def interp(
    folder: Folder,
    recipe: Recipe = "tiny-interp",
    data: Data = None,
    resume: Resume = False,
    steps: Steps = None,
    fields: Set = None,
    device: Device = "auto",
) -> None:
    """The interpolator from keyframes to every frame."""
    _train("interp", recipe, folder, data, resume, steps, fields, device)


@train_app.command()
def assemble(
    folder: Folder,
    output: Annotated[Path, typer.Option(help="Folder to write, for --model of asva sample.")],
    settings: Annotated[str, typer.Option(help="How the model samples: a bundled name, or a YAML file.")] = "tiny",
) -> None:
    """Put the trained parts together into a model that asva sample loads."""
    from asva.training.assemble import assemble as put_together

    typer.echo(f"The model is in {put_together(folder, output, settings)}.")
