"""What a video shall be made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asva_weights import DownloadPlan


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a video shall be made of, and how; None is the model's own setting.

    Attributes:
        audio: A sound, or a video with sound.
        image: First frame: a picture, or a video, of which the first frame is taken, or the one at `start` where the
            sound is the same file.
        image_model: Makes the first frame of the prompt in place of `image`.
        tracks: Sounds by the name of their track (MTV).
        demix: Checkpoint of the network that takes the mix apart; masks without it (MTV).
        frames: Pictures by their seconds (MTV).
        control_audio: A sound that moves the picture in place of the one that is heard.
        stereo: ``official`` scrambles two channels of what steers, see :func:`asva_audio.load_audio`.
        lora: LoRA layers, each a folder, file or hub id and its scale.
        storage: ``own``, or ``float8``: what the networks' matrices wait in.
        tiling: Whether the autoencoder works tile by tile.
        compile: Whether the networks' blocks are compiled.
        quality: ``best`` as published, or ``good`` or ``fast``, see :func:`asva_pipelines.presets.preset`.
        options: Values of the options that not every method has, by their names; only those that were given.
        confirm: Asked before anything is downloaded; without it nothing ever is.
    """

    audio: Path | None = None
    tracks: dict[str, Path] = field(default_factory=dict)
    demix: Path | None = None
    frames: dict[float, Path] = field(default_factory=dict)
    image: Path | None = None
    image_model: str | None = None
    prompt: str = ""
    method: str | None = None
    model: str | None = None
    interpolator: str | None = None
    fps: float | None = None
    seed: int = 0
    start: float = 0.0
    duration: float | None = None
    loop: bool = False
    control_audio: Path | None = None
    stereo: str | None = None
    anchor: bool = True
    resampling: str = "nearest"
    resume: bool = True
    size: tuple[int, int] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "auto"
    lora: tuple[tuple[str, float], ...] = ()
    storage: str = "own"
    tiling: bool = False
    compile: bool = False
    quality: str = "best"
    crf: int = 18
    confirm: Callable[[DownloadPlan], bool] | None = field(default=None, compare=False)

    @property
    def prepared(self) -> dict[str, Any]:
        """What is done to the networks before they run, of what was asked for."""
        names = ("lora", "storage", "tiling", "compile")
        return {name: getattr(self, name) for name in names if getattr(self, name) not in ((), "own", False)}

    @property
    def place(self) -> dict[str, Any]:
        """Arguments of :func:`asva_pipelines.load_pipeline`."""
        return {"device": self.device, "dtype": self.dtype, "offload": self.offload} | self.prepared

    @property
    def image_start(self) -> float:
        """Second of `image`, where that is a video, at which the picture is taken."""
        sounds = {path.resolve() for path in (self.audio, *self.tracks.values()) if path is not None}
        return self.start if self.image is not None and self.image.resolve() in sounds else 0.0
