"""The training loop: any task, one or many processes, stopped and continued without a trace."""

import logging
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from asva_data.many import only_run
from asva_pipelines.notes import note
from asva_train.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from asva_train.draws import generator_at, layer_draws
from asva_train.errors import RunError
from asva_train.fields import LoopRecipe
from asva_train.optimizer import make_optimizer
from asva_train.previews import log_previews
from asva_train.recipe import READER, RecipeError, recipe_record
from asva_train.run_order import RunClips, killed_worker_named, run_loader, run_order, to_device
from asva_train.sharding import check_sharding, load_states, optimizer_state, shard, weights_of, whole_weights
from asva_train.training_clip import ClipSource

logger = logging.getLogger(__name__)


class Task(Protocol):
    """What a training is about: a module whose forward pass gives the loss.

    ``view`` turns a clip into a sample and must be picklable; ``previews`` gives short videos (t, h, w, 3) uint8 by
    name; ``export`` writes the trained components into a model folder.
    """

    recipe: Any
    source: ClipSource
    view: Callable
    module: Any

    def previews(self) -> dict[str, Tensor]: ...

    def export(self, folder: Path) -> None: ...


@dataclass(frozen=True)
class Progress:
    """What a run reports after a step."""

    step: int
    max_steps: int
    losses: dict[str, float]


def with_steps(recipe: LoopRecipe, num_clips: int | None, num_processes: int) -> LoopRecipe:
    """The same with ``max_steps``: those of its epochs, or its own if they are fewer.

    Raises:
        RunError: If the recipe has neither, or epochs of clips without end.
    """
    if recipe.epochs is None:
        if recipe.max_steps is None:
            raise RunError("`loop.max_steps` or `loop.epochs` must be given, got neither.")
        return recipe
    if num_clips is None:
        raise RunError(
            f"`loop.epochs` must be null where clips have no end, got {recipe.epochs}. Set `loop.max_steps`, or "
            "`data.shots` for clips that come again."
        )
    batch = recipe.batch_size * recipe.gradient_accumulation_steps * num_processes
    steps = math.ceil(recipe.epochs * num_clips / batch)
    return replace(recipe, max_steps=steps if recipe.max_steps is None else min(steps, recipe.max_steps))


def learning_rate(recipe: LoopRecipe, step: int) -> float:
    """Learning rate of a step: linear warm-up, then constant, a cosine to a hundredth of the peak, or stairs."""
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    if recipe.schedule == "constant":
        return recipe.learning_rate * warm
    if recipe.schedule == "steps":
        return recipe.learning_rate * warm * recipe.decay ** (step // recipe.decay_steps)
    done = min(1.0, step / max(1, recipe.max_steps))
    return recipe.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _installed(tracker: str) -> str:
    """The tracker's name; accelerate would go on without one that is absent."""
    if find_spec(tracker) is None:
        raise RunError(
            f"`loop.tracker` must be a package that is installed, got {tracker}. Run `pip install {tracker}`."
        )
    return tracker


def _of_the_weights(recipe: Any) -> dict[str, Any]:
    """What the weights of a step depend on, by dotted name; a length only counts where the rate follows it."""
    record = _flat(recipe_record(recipe))
    free = {"data.workers", "loop.tracker"}
    if record["loop.schedule"] != "cosine":
        free |= {"loop.max_steps", "loop.epochs"}
    return {name: value for name, value in record.items() if name not in free and not name.endswith("_every")}


def _flat(record: dict[str, Any], parent: str = "") -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for name, value in record.items():
        rows |= _flat(value, f"{parent}{name}.") if isinstance(value, dict) else {parent + name: value}
    return rows


class Run:
    """One training run in a model folder: ``<folder>/training/<task>`` holds checkpoints, logs and the recipe."""

    def __init__(self, task: Task, folder: Path, *, device: str = "auto"):
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs
        from diffusers.training_utils import EMAModel

        self.task, self.folder = task, Path(folder)
        self.home = self.folder / "training" / task.recipe.task
        # One process may train several parts; accelerate would keep the precision of the first.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision=task.recipe.loop.mixed_precision,
            log_with=_installed(task.recipe.loop.tracker),
            project_dir=self.home,
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.recipe = with_steps(task.recipe.loop, task.source.num_clips, self.accelerator.num_processes)
        parameters = [p for p in task.module.parameters() if p.requires_grad]
        self.num_trainable = sum(p.numel() for p in parameters)
        logger.info("%s: %d parameters learn", task.recipe.task, self.num_trainable)
        if self.accelerator.is_main_process and (remark := getattr(task.source, "remark", "")):
            note(remark, quiet=True)
        self.sharded = self.recipe.sharding != "none" and self.accelerator.num_processes > 1
        if self.sharded:
            check_sharding(self.recipe)
            self.module = shard(task.module, self.accelerator, again=self.recipe.sharding == "full")
            parameters = [p for p in self.module.parameters() if p.requires_grad]
            self.optimizer = make_optimizer(self.recipe, parameters)
        else:
            optimizer = make_optimizer(self.recipe, parameters)
            self.module, self.optimizer = self.accelerator.prepare(task.module, optimizer)
        self.parameters, self.ema, self.step = parameters, None, 0
        if self.recipe.ema_decay is not None:
            self.ema = EMAModel(parameters, decay=self.recipe.ema_decay, use_ema_warmup=True, foreach=True)

    def resume(self) -> int:
        """Go on from the newest checkpoint.

        Returns:
            Steps done already; 0 if there is no checkpoint.

        Raises:
            RunError: If the checkpoint comes from another recipe or another number of processes.
        """
        found = checkpoints(self.home)
        if not found:
            return 0
        weights, states, record = load_checkpoint(found[-1])
        self._check(record, found[-1])
        if self.sharded:
            load_states(self.module, self.optimizer, weights, states["optimizer"])
        else:
            self.task.module.load_state_dict(self.task.module.state_dict() | weights)
            self.optimizer.load_state_dict(states["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(states["ema"])
            self.ema.to(self.accelerator.device)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(states["scaler"])
        self.step = record["step"]
        return self.step

    def _check(self, record: dict, path: Path) -> None:
        asked = _of_the_weights(self.task.recipe)
        try:  # fields that did not exist when the record was written have their defaults
            made_with = _of_the_weights(READER.parse(record["recipe"]))
        except RecipeError:
            made_with = {}
        for name in dict.fromkeys([*asked, *made_with]):
            if (old := made_with.get(name)) != (new := asked.get(name)):
                raise RunError(
                    f"`{name}` must be {old} to go on from {path}, got {new}. Use another folder for another recipe."
                )
        if record["num_processes"] != self.accelerator.num_processes:
            raise RunError(
                f"`num_processes` must be {record['num_processes']} to go on from {path}, "
                f"got {self.accelerator.num_processes}."
            )

    def save(self) -> None:
        """Write a checkpoint, without weights that do not learn; the main process does."""
        if self.sharded:  # every process gives its share
            weights, optimizer = weights_of(self.module), optimizer_state(self.module, self.optimizer)
        elif self.accelerator.is_main_process:
            still = {name for name, weight in self.task.module.named_parameters() if not weight.requires_grad}
            weights = {name: one for name, one in self.task.module.state_dict().items() if name not in still}
            optimizer = self.optimizer.state_dict()
        if not self.accelerator.is_main_process:
            return
        states = {
            "optimizer": optimizer,
            "ema": None if self.ema is None else self.ema.state_dict(),
            "scaler": None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict(),
        }
        record = {
            "num_processes": self.accelerator.num_processes,
            "recipe": recipe_record(self.task.recipe),
            "working_directory": str(Path.cwd()),  # which the recipe's paths are relative to
        }
        save_checkpoint(self.home, self.step, weights, states, record)

    def train(self, on_step: Callable[[Progress], None] | None = None) -> None:
        """Train to ``max_steps``, with checkpoints, logs and previews on the way, then export the weights.

        Raises:
            MediaError: If another run trains there.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with only_run(self.home) if self.accelerator.is_main_process else nullcontext():
            self._train(on_step)

    def _train(self, on_step: Callable[[Progress], None] | None) -> None:
        recipe, data, accelerator = self.recipe, self.task.recipe.data, self.accelerator
        micro = recipe.gradient_accumulation_steps
        steps = self.step * micro, recipe.max_steps * micro
        order = run_order(*steps, recipe.batch_size, accelerator.process_index, accelerator.num_processes)
        batches = iter(run_loader(RunClips(data, self.task.view), order, data.workers))
        self.accelerator.init_trackers("log" if recipe.tracker == "tensorboard" else f"asva-{self.task.recipe.task}")
        with killed_worker_named():
            while self.step < recipe.max_steps:
                losses = self._step([next(batches) for _ in range(micro)])
                self.step += 1
                self._report(losses, on_step)
        self.export()
        for tracker in accelerator.trackers:  # the processes stay together: they may train another part
            tracker.finish()

    def _step(self, batches: list[dict]) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        for micro_step, batch in enumerate(batches):
            place = (self.recipe.seed, 2, self.step, micro_step, self.accelerator.process_index)
            last = micro_step == len(batches) - 1
            with layer_draws(*place, 1), self._syncing(last), self._autocast():
                losses = self.module(to_device(batch, self.accelerator.device), generator_at(*place))
                self.accelerator.backward(losses["loss"] / len(batches))
        if self.recipe.max_grad_norm is not None:
            self.accelerator.clip_grad_norm_(self.parameters, self.recipe.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.ema is not None:
            self.ema.step(self.parameters)
        return {name: value.detach() for name, value in losses.items()}

    def _syncing(self, last: bool) -> Any:
        """Gradients are shared out after the last micro step alone."""
        if self.sharded:
            self.module.set_requires_gradient_sync(last)
        return nullcontext() if last or self.sharded else self.accelerator.no_sync(self.module)

    def _autocast(self) -> Any:
        """What `prepare` does to a module; one that is spread does not pass through it."""
        return self.accelerator.autocast() if self.sharded else nullcontext()

    def whole_weights(self) -> Any:
        """Inside, every process holds all weights."""
        return whole_weights(self.task.module) if self.sharded else nullcontext()

    def _report(self, losses: dict[str, Tensor], on_step: Callable[[Progress], None] | None) -> None:
        recipe, done = self.recipe, self.step == self.recipe.max_steps
        if done or self.step % recipe.log_every == 0:
            values = {name: float(value) for name, value in losses.items()}
            if not math.isfinite(values["loss"]):
                raise RunError(f"`loss` must be finite, got {values['loss']} at step {self.step}. Lower the rate.")
            self.accelerator.log({**values, "learning_rate": learning_rate(recipe, self.step - 1)}, step=self.step)
            if on_step is not None:
                on_step(Progress(self.step, recipe.max_steps, values))
        if done or self.step % recipe.save_every == 0:
            self.save()
        preview = done or self.step % recipe.preview_every == 0
        if preview and (self.accelerator.is_main_process or self.sharded):  # each of them holds a part of the weights
            with self.whole_weights(), self.averaged_weights():
                videos = self.task.previews()
            if self.accelerator.is_main_process:
                log_previews(self.accelerator, videos, self.step, self.home / "previews")

    @contextmanager
    def averaged_weights(self) -> Generator[None]:
        """Inside, the module holds the averaged weights, if there are any."""
        if self.ema is None:
            yield
            return
        self.ema.store(self.parameters)
        self.ema.copy_to(self.parameters)
        try:
            yield
        finally:
            self.ema.restore(self.parameters)

    def export(self) -> None:
        """Write the trained components into the model folder; the main process does."""
        weights = weights_of(self.module) if self.sharded else None
        if self.accelerator.is_main_process:
            task: Any = self.task
            if weights is not None:  # a part of whose weights lies elsewhere cannot be stored
                task = type(task)(task.recipe, self.folder)
                task.module.load_state_dict(weights)
            with self.averaged_weights():
                task.export(self.folder)
        self.accelerator.wait_for_everyone()
