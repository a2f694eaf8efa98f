"""Fields that all recipes share: where clips come from and how the weights move."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from asva_data.datasets.splits import Split
from asva_data.settings import strict

# YAML reads a bare `no` as false.
Precision = Annotated[Literal["no", "bf16", "fp16"], BeforeValidator(lambda value: "no" if value is False else value)]
Share = Annotated[float, Field(ge=0, le=1)]
Shots = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(lambda value: None if value == "all" else value)]


@strict
class DataRecipe:
    """Where clips come from: the synthetic world, or a folder of videos with sound.

    Attributes:
        kind: ``"synthetic"``, ``"folder"``, or ``"tracks"``: the synthetic world of three tracks of sound (MTV).
            ``"latents"``: shards of ``asva data precompute``, whose settings the fields must be.
        root: Folder of videos, of a dataset, or of shards; usually given on the command line.
        split: Which videos, where a list of the dataset says; a folder without lists is taken whole.
        captions: ``"folder"`` (the class in words), ``"txt"`` beside each video, or a table, see
            :class:`asva_data.VideoFolder`.
        motion_scores: ``"beside"``, or a folder, of stored motion scores; optical flow of each clip if none.
        stems: ``"beside"``, or a folder, of the stored tracks of each video's sound (MTV): ``speech.wav``,
            ``effects.wav``, ``music.wav`` in a folder of the video's name, as ``asva data stems`` writes them.
        voices: 2 if there is a ``speech2.wav`` too, of a second person.
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
        framing: How videos of a folder meet the size, see :func:`asva_data.resize_crop`.
        flip: Chance that a clip of a folder is mirrored.
        stereo: How the sound of a folder's videos is read, see :func:`asva_audio.load_audio`.
        shots: Clips of each class, drawn once and repeated (K of the open-domain paper); ``null`` or ``"all"`` is all.
        shots_seed: Seed of that draw. With the same seed a smaller draw is a part of a larger one.
        wrong_sound: Chance that a clip has another clip's sound.
        off_screen_sound: Chance that a sound that belongs to nothing in the picture is mixed in.
        shifted_sound: Chance that a clip's sound is shifted around by a random time.
    """

    kind: Literal["synthetic", "folder", "tracks", "latents"] = "synthetic"
    root: Path | None = None
    split: Split = "train"
    captions: str = "folder"
    motion_scores: Path | None = None
    stems: str | None = None
    voices: Literal[1, 2] = 1
    seed: int = 0
    height: int = 64
    width: int = 64
    num_frames: int = 48
    fps: float = 24.0
    workers: int = 1
    two_objects: float = 0.2
    classes: tuple[str, ...] = ()
    motion_at: Literal["start", "end"] = "end"
    framing: Literal["training", "inference"] = "training"
    flip: Share = 0.0
    stereo: Literal["correct", "official"] = "correct"
    shots: Shots = None
    shots_seed: int = 0
    wrong_sound: Share = 0.0
    off_screen_sound: Share = 0.0
    shifted_sound: Share = 0.0


@strict
class LoopRecipe:
    """How the weights move: optimizer, length, precision, what is saved when.

    Attributes:
        max_steps: Optimizer steps of the whole run, at most; ``epochs`` alone counts if none.
        epochs: Times that every clip of a finite source is seen; ``max_steps`` alone counts if none.
        batch_size: Clips per process and micro step.
        gradient_accumulation_steps: Micro steps per optimizer step.
        optimizer: ``"adamw"``, or ``"muon"``: Muon for matrices and kernels, AdamW for the rest.
        learning_rate: Peak learning rate.
        schedule: ``"constant"``, ``"cosine"`` to a hundredth of the peak at the last step, or ``"steps"``: every
            ``decay_steps`` steps times ``decay``.
        warmup_steps: Steps of linear warm-up.
        max_grad_norm: The gradient is scaled down to this norm; ``None`` leaves it.
        ema_decay: Decay of the averaged weights, which are the ones exported; ``None`` exports the last ones.
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        sharding: What is spread over the processes by PyTorch's FSDP 2: ``"full"``, weights, gradients and optimizer
            states (ZeRO's stage 3); ``"gradients"``, the same between steps, while weights stay whole from the forward
            to the backward pass, which sends less and holds more (ZeRO's stage 2).
        tracker: Where losses are logged; all but TensorBoard's package must be installed beside.
        seed: Seed of the initial weights and of every draw; a draw depends on it and on the step alone.
    """

    max_steps: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: int
    gradient_accumulation_steps: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    decay: float = 0.8
    decay_steps: Annotated[int, Field(ge=1)] = 1000
    warmup_steps: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    max_grad_norm: float | None = 1.0
    ema_decay: float | None = None
    mixed_precision: Precision = "no"
    gradient_checkpointing: bool = False
    sharding: Literal["none", "gradients", "full"] = "none"
    tracker: Literal["tensorboard", "wandb", "trackio"] = "tensorboard"
    seed: int = 0
    log_every: int = 10
    save_every: int = 200
    preview_every: int = 1000
