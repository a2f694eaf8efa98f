"""The pipeline's door: pictures, sounds, prompts and keyframes as the user may give them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from asva_audio import Audio, fit, load_audio, resample
from asva_data import read_image, resize_crop


def as_batch(**given: Any) -> tuple[Any, ...]:
    """Lists of equal length from single things or lists, and behind them whether none was a list.

    Args:
        given: Arguments of a pipeline's call, by their names.

    Raises:
        ValueError: If two lists differ in length or one is empty.

    >>> as_batch(image=["a", "b"], prompt="")
    (['a', 'b'], ['', ''], False)
    """
    lengths = {name: len(value) for name, value in given.items() if isinstance(value, list | tuple)}
    for name, length in lengths.items():
        if length == 0:
            raise ValueError(f"`{name}` must hold at least one entry, got an empty list.")
    size = max(lengths.values(), default=1)
    for name, length in lengths.items():
        if length not in (1, size):
            raise ValueError(f"`{name}` must be one or as many as the longest list ({size}), got {length}.")
    lists = (list(value) if name in lengths else [value] for name, value in given.items())
    return *(value * size if len(value) == 1 else value for value in lists), not lengths


def read_picture(image: Any, size: tuple[int, int]) -> Tensor:
    """One picture as (3, h, w) float32 in [-1, 1] of the given size: its largest middle part of that aspect, resized.

    Args:
        image: A path, a PIL image, a uint8 (h, w, 3) array or tensor, or a float (3, h, w) tensor in [-1, 1] that has
            the size already.
        size: Height and width in pixels.

    Raises:
        ValueError: If it is none of these (also from asva_data, for a file that cannot be read).
    """
    if isinstance(image, Tensor) and image.is_floating_point():
        if tuple(image.shape) != (3, *size) or not image.isfinite().all() or image.abs().max() > 1:
            raise ValueError(
                f"`image` as a float tensor must have shape {(3, *size)} and values in [-1, 1], "
                f"got {tuple(image.shape)}."
            )
        return image.float()
    if isinstance(image, str | os.PathLike):
        image = read_image(image)
    elif isinstance(image, Image.Image):
        image = np.array(image.convert("RGB"))
    elif isinstance(image, Tensor):
        image = image.cpu().numpy()
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"`image` must be a path, a PIL image or uint8 (h, w, 3), got {what}.")
    pixels = np.ascontiguousarray(resize_crop(image, size))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1


def read_frames(clips: list) -> Tensor:
    """Frames of one size as (b, k, 3, h, w) float32 in [-1, 1].

    Args:
        clips: Each uint8 (k, h, w, 3), array or tensor, or a float (k, 3, h, w) tensor in [-1, 1].

    Raises:
        ValueError: If one is neither, or their shapes differ.
    """
    read = []
    for clip in clips:
        frames = torch.as_tensor(clip) if isinstance(clip, np.ndarray | Tensor) else None
        if frames is None or frames.ndim != 4 or len(frames) == 0:
            what = type(clip).__name__ if frames is None else tuple(frames.shape)
            raise ValueError(f"`keyframes` must be frames (k, h, w, 3) or a list of such, got {what}.")
        if frames.dtype == torch.uint8:
            frames = frames.permute(0, 3, 1, 2).float() / 127.5 - 1
        if not frames.is_floating_point() or frames.shape[1] != 3 or not frames.abs().max() <= 1:
            raise ValueError(
                "`keyframes` must be uint8 (k, h, w, 3) or float (k, 3, h, w) in [-1, 1], "
                f"got {frames.dtype} {tuple(frames.shape)}."
            )
        read.append(frames.float().cpu())
    if any(frames.shape != read[0].shape for frames in read):
        raise ValueError(f"`keyframes` must be equal in shape, got {[tuple(frames.shape) for frames in read]}.")
    return torch.stack(read)


@dataclass(frozen=True)
class Sound:
    """One sound: for the output as it was given, (c, s) at its rate; for the networks mono, (s,) at theirs."""

    waveform: Tensor
    sample_rate: int
    mono: Tensor

    def turned(self) -> Sound:
        """The same, turned around by half of its length: nothing sounds when it did."""
        return replace(self, mono=self.mono.roll(len(self.mono) // 2))


def read_sound(audio: Any, sample_rate: int | None, seconds: float, network_rate: int) -> Sound:
    """One sound, cut or padded with silence to `seconds`.

    Args:
        audio: A path, an :class:`asva_audio.Audio`, or float samples (s,) or (c, s) in [-1, 1].
        sample_rate: Of the samples in hertz, where `audio` does not know it.
        seconds: Length wanted.
        network_rate: Hertz that the audio encoder hears.

    Raises:
        ValueError: If it is none of these, empty or not finite (also from asva_audio, for a file).
    """
    if isinstance(audio, str | os.PathLike):
        whole = load_audio(audio, sample_rate=None, mono=False, duration=seconds)
        mono = load_audio(audio, sample_rate=network_rate, duration=seconds)
    else:
        whole = _samples(audio, sample_rate)
        mono = Audio(resample(whole.waveform.mean(0, keepdim=True), whole.sample_rate, network_rate), network_rate)
    whole, mono = fit(whole, seconds), fit(mono, seconds)
    return Sound(whole.waveform, whole.sample_rate, mono.waveform[0])


def _samples(audio: Any, sample_rate: int | None) -> Audio:
    """Samples in memory as a sound."""
    if hasattr(audio, "waveform"):
        audio, sample_rate = audio.waveform, audio.sample_rate
    if not isinstance(audio, Tensor | np.ndarray):
        raise ValueError(f"`audio` must be a path, an Audio or samples (c, s), got {type(audio).__name__}.")
    waveform = torch.as_tensor(audio)
    if sample_rate is None or sample_rate < 1:
        raise ValueError(f"`sample_rate` must be given in hertz along with samples, got {sample_rate}.")
    if waveform.ndim not in (1, 2) or waveform.numel() == 0 or not waveform.is_floating_point():
        raise ValueError(f"`audio` must be float samples (s,) or (c, s), got {waveform.dtype} {tuple(waveform.shape)}.")
    if not waveform.isfinite().all():
        raise ValueError("`audio` must hold finite samples, got NaN or infinity. Repair the sound file.")
    return Audio(torch.atleast_2d(waveform).float().cpu(), sample_rate)


def read_keyframes(keyframe_indices: Any, batch_size: int, num_frames: int) -> Tensor:
    """Given keyframe indices as (b, k) int64.

    Raises:
        ValueError: If they are not whole numbers, rising, in [0, num_frames), and equally many for every sample.
    """
    try:
        indices = np.asarray(keyframe_indices)
    except ValueError:  # lists of unequal length
        indices = np.empty(0)
    given = f"got {' '.join(str(keyframe_indices).split())}."
    if indices.ndim not in (1, 2) or indices.size == 0 or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(f"`keyframe_indices` must be whole numbers, (k,) or equally many for every sample, {given}")
    indices = np.atleast_2d(indices).astype(np.int64)
    if len(indices) not in (1, batch_size):
        raise ValueError(f"`keyframe_indices` must be for 1 or {batch_size} samples, got {len(indices)}.")
    if indices.min() < 0 or indices.max() >= num_frames or (np.diff(indices) <= 0).any():
        raise ValueError(f"`keyframe_indices` must rise and lie in [0, {num_frames - 1}], {given}")
    return torch.from_numpy(indices.repeat(batch_size // len(indices), axis=0))


def per_sample(generator: Any, place: int) -> torch.Generator:
    """The generator of one sample."""
    return generator[place] if isinstance(generator, Sequence) else generator
