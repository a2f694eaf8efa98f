"""What stored latents and tokens save: steps of training from videos and from shards, in turns in one process.

Prints ratios of CPU time per step: pictures and sound decoded and encoded at every step against read from shards. The
bundled encoders and a network of the bundled size on drawn clips; nothing is prepared beside the training, so that all
of a step counts. ``--task`` says which training.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from asva_data import write_world
from asva_pipelines import resolve_model
from asva_train import load_recipe, make_task
from asva_train.draws import generator_at
from asva_train.precompute import precompute
from asva_train.run_order import collate
from asva_train.task_recipes import DenoiserRecipe

TASKS = ("keyframe", "interp", "avsyncd", "i2vd", "audio-window")


def training(kind: str, root: Path, options: argparse.Namespace) -> DenoiserRecipe:
    """The recipe: encoders are the bundled ones and stay as they are."""
    fields = {"data.kind": kind, "data.root": str(root), "data.height": options.size, "data.width": options.size}
    fields |= {"base": "tiny", "train": [], "loop.mixed_precision": "no", "loop.batch_size": options.batch}
    return load_recipe(f"tiny-{options.task}", fields)


def stepper(kind: str, root: Path, options: argparse.Namespace) -> Callable[[int], dict[str, float]]:
    """A training that makes one step at a time and says how long its halves took."""
    task = make_task(training(kind, root, options), Path(tempfile.gettempdir()) / "none")
    parameters = [p for p in task.module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5)

    def step(number: int) -> dict[str, float]:
        begin = time.process_time()
        indices = range(number * options.batch, (number + 1) * options.batch)
        batch = collate([task.view(task.source[index], generator_at(0, 1, index)) for index in indices])
        read = time.process_time()
        task.module(batch, generator_at(0, 2, number))["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        end = time.process_time()
        return {"clips": read - begin, "network": end - read, "step": end - begin}

    return step


def main() -> None:
    """Make clips and shards, then step by step in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=TASKS, default="keyframe")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--steps", type=int, default=12, help="of each kind; the first is not counted")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        raw, shards = Path(home) / "raw", Path(home) / "shards"
        raw.mkdir()
        write_world(raw, options.clips, 5, size=options.size)
        recipe = training("folder", raw, options)
        begin = time.process_time()
        precompute(recipe.data, resolve_model("tiny"), shards, recipe=recipe, device="cpu")
        once = time.process_time() - begin
        steppers = {"folder": stepper("folder", raw, options), "latents": stepper("latents", shards, options)}
        took: dict[str, list[dict[str, float]]] = {"folder": [], "latents": []}
        for number in range(options.steps + 1):
            for kind, step in steppers.items():
                took[kind].append(step(number))
        stored = sum(path.stat().st_size for path in shards.iterdir()) / options.clips
        films = sum(path.stat().st_size for path in raw.glob("*.mp4")) / options.clips
    ratios = sorted(a["step"] / b["step"] for a, b in zip(took["folder"][1:], took["latents"][1:], strict=True))
    middle = {kind: sorted(taken, key=lambda t: t["step"])[len(taken) // 2] for kind, taken in took.items()}
    whole = middle["folder"]["step"]
    print(
        f"steps from shards per step from videos: {ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    for kind, median in middle.items():
        print(f"{kind}: clips {median['clips'] / whole:.2f}, network {median['network'] / whole:.2f} of a video step")
    print(f"encoding everything once costs {once / options.clips / (whole / options.batch):.1f} video steps a clip")
    print(f"stored {stored / 1e6:.2f} MB a clip, {stored / films:.0f} times the videos")


if __name__ == "__main__":
    main()
