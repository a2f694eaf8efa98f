"""Training recipes: YAML files checked against frozen dataclasses."""

from dataclasses import asdict, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

RECIPES = files("asva") / "recipes"
# YAML reads a bare `no` as false.
Precision = Annotated[Literal["no", "bf16", "fp16"], BeforeValidator(lambda value: "no" if value is False else value)]
_strict = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))


class RecipeError(ValueError):
    """A recipe that does not exist, does not parse or has a field that it may not have."""


@_strict
class DataRecipe:
    """Where clips come from: the synthetic world, or a folder of videos with sound.

    Attributes:
        kind: ``"synthetic"`` or ``"folder"``.
        root: Folder of videos, for ``kind="folder"``; usually given on the command line.
        motion_scores: ``"beside"``, or a folder, of stored motion scores; optical flow of each clip if none.
        seed: Seed of the synthetic world, or of the random crops of a folder.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        num_frames: Frames of one clip.
        fps: Frames per second of one clip.
        workers: Processes that prepare clips beside the training; 0 prepares them in the training process.
        two_objects: Share of synthetic scenes with a second, silent object.
        classes: Names of the synthetic classes; all of them if empty.
        motion_at: Whether the motion between two frames counts for its ``"start"``, as in the original code, or for
            its ``"end"``, so that the peak of a strike is the frame that shows the impact.
    """

    kind: Literal["synthetic", "folder"] = "synthetic"
    root: Path | None = None
    motion_scores: Path | None = None
    seed: int = 0
    height: int = 64
    width: int = 64
    num_frames: int = 48
    fps: float = 24.0
    workers: int = 1
    two_objects: float = 0.2
    classes: tuple[str, ...] = ()
    motion_at: Literal["start", "end"] = "end"


@_strict
class LoopRecipe:
    """How the weights move: optimizer, length, precision, what is saved when.

    Attributes:
        max_steps: Optimizer steps of the whole run.
        batch_size: Clips per process and micro step.
        gradient_accumulation_steps: Micro steps per optimizer step.
        optimizer: ``"adamw"``, or ``"muon"``: Muon for matrices and kernels, AdamW for the rest.
        learning_rate: Peak learning rate.
        schedule: ``"constant"``, or ``"cosine"`` to a hundredth of the peak at ``max_steps``.
        warmup_steps: Steps of linear warm-up.
        max_grad_norm: The gradient is scaled down to this norm; ``None`` leaves it.
        ema_decay: Decay of the averaged weights, which are the ones exported; ``None`` exports the last ones.
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        seed: Seed of the initial weights and of every draw; a draw depends on it and on the step alone.
    """

    max_steps: int
    batch_size: int
    gradient_accumulation_steps: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_steps: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    max_grad_norm: float | None = 1.0
    ema_decay: float | None = None
    mixed_precision: Precision = "no"
    gradient_checkpointing: bool = False
    seed: int = 0
    log_every: int = 10
    save_every: int = 200
    preview_every: int = 1000


@_strict
class VAERecipe:
    """Recipe of the autoencoder (KeyVID takes that of Stable Diffusion; ours is trained).

    Attributes:
        model: Config of ``diffusers.AutoencoderKL``.
        frames_per_clip: Frames drawn from each clip.
        kl_weight: Weight of the KL divergence per latent number.
        motion_weight: Extra weight of the pixels of moving objects.
        tone_weight: Weight of the error of 8x8 averages, so that plain surfaces keep their tone.
        init: Folder of an autoencoder to start from; random if none.
    """

    task: Literal["vae"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    model: dict[str, Any]
    frames_per_clip: int = 4
    kl_weight: float = 1e-4
    motion_weight: float = 0.0
    tone_weight: float = 0.0
    init: Path | None = None


@_strict
class LocalizerRecipe:
    """Recipe of the localizer, sound to motion curve (KeyVID, section 3.1).

    Attributes:
        model: Config of ``asva_keyframe.MotionLocalizer``.
        aux_weight: Weight of the loudness curve as a second target (official code: 0.3).
        spectrum_weight: Ours. Weight of predicting each frame's spectrum, so that the audio encoder keeps pitch.
        class_weight: Ours. Weight of naming the clip's class from its sound.
        init: Folder of a localizer to start from; random if none.
        share_encoder: Also export the audio encoder as the one that conditions the U-Nets.
    """

    task: Literal["localizer"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    model: dict[str, Any]
    aux_weight: float = 0.3
    spectrum_weight: float = 0.0
    class_weight: float = 0.0
    share_encoder: bool = False
    init: Path | None = None


@_strict
class DiffusionRecipe:
    """Recipe of one of the two diffusion stages (KeyVID, sections 3.2 and 3.3).

    Attributes:
        task: ``"keyframe"`` or ``"interp"``.
        init: Folder of a component to start from, by component name; others start at random.
        models: Config of each component that is built here, by component name.
        train: Components that learn; the rest is read from the model folder and frozen.
        trainable: Patterns of U-Net parameters that learn (regular expressions); all if empty.
        num_keyframes: Keyframes of one clip.
        keyframe_fps: Frame rate given to the network with keyframes.
        sampling: ``"clip"``, keyframes of the whole clip and all of its frames, or ``"official"``, the original's
            datasets: 12 keyframes, or 12 neighbouring frames with known ones among them.
        selection: Rule that chooses keyframes from a motion curve (``asva_keyframe.select_keyframes``).
        keyframe_ratio: Share of samples with keyframes from the curve; the rest takes other frames.
        alignment: Which audio tokens belong to a frame, ``"aligned"`` or ``"official"``.
        fill: What stands between the keyframes in the condition of the interpolator, ``"zeros"`` or ``"linear"``.
        mask_channel: Whether a channel tells the interpolator which frames are keyframes.
        keyframe_noise: Largest standard deviation of noise on the interpolator's keyframes.
        dynamic_rescale: Scale latents down with the noise as the official code does.
        dropout_rule: ``"official"`` (one draw per sample, ``dropout`` holds p under ``"p"``), or ``"independent"``.
        dropout: Chance that a condition is replaced by its null, by name (``text``, ``image``, ``audio``).
        motion_weight: Extra weight of the latent cells that change during the clip.
        noise_bias: Time steps are ``1000 * (1 - u^noise_bias)``, u uniform: 1 is uniform, more prefers much noise.
        low_noise_weight: Largest weight of a step with little noise (``residual`` and ``sample`` predictions only).
    """

    task: Literal["keyframe", "interp"]
    data: DataRecipe = field(default_factory=DataRecipe)
    loop: LoopRecipe
    init: dict[str, Path] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    num_keyframes: int = 12
    keyframe_fps: int = 6
    sampling: Literal["clip", "official"] = "clip"
    selection: Literal["inference", "training", "even"] = "even"
    keyframe_ratio: float = 0.4
    alignment: Literal["aligned", "official"] = "aligned"
    fill: Literal["zeros", "linear"] = "zeros"
    mask_channel: bool = False
    keyframe_noise: float = 0.0
    dynamic_rescale: bool = False
    dropout_rule: Literal["official", "independent"] = "independent"
    dropout: dict[str, float] = field(default_factory=dict)
    motion_weight: float = 0.0
    noise_bias: float = 1.0
    low_noise_weight: float = 4.0


Recipe = VAERecipe | LocalizerRecipe | DiffusionRecipe
_ADAPTER = TypeAdapter(Annotated[Recipe, Field(discriminator="task")])


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.name.removesuffix(".yaml") for path in RECIPES.iterdir() if path.name.endswith(".yaml"))


def load_recipe(source: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe by name or path.

    Args:
        source: Name of a bundled recipe, or path of a YAML file.
        overrides: Values by dotted field name, for example ``{"loop.max_steps": 10}``.

    Raises:
        RecipeError: If there is no such recipe, it does not parse, or a field is unknown or has a wrong type.
    """
    path = Path(source)
    if not path.is_file():
        if str(source) not in recipe_names():
            raise RecipeError(f"`recipe` must be a YAML file or one of {', '.join(recipe_names())}, got {source}.")
        path = RECIPES / f"{source}.yaml"
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"`recipe` must be valid YAML, got {path}: {str(error).splitlines()[0]}.") from error
    for name, value in (overrides or {}).items():
        _set(fields, name.split("."), value)
    return _validate(fields, path)


def _set(fields: dict, names: list[str], value: Any) -> None:
    for name in names[:-1]:
        fields = fields.setdefault(name, {})
    fields[names[-1]] = value


def _validate(fields: Any, path: Any) -> Recipe:
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"`{place}` in {path}: {first['msg']}.") from error


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values that YAML and JSON can hold."""
    return yaml.safe_load(yaml.safe_dump(_plain(asdict(recipe))))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
