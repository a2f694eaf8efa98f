"""SyncNet: features of lips and of voice that are near each other when they belong together (Chung, 2016)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

FRAMES, MFCC_FRAMES, MFCC_PER_FRAME = 5, 20, 4
"""A window is five video frames at 25 fps and 20 frames of MFCC at 100 Hz."""


class SyncNet(ModelMixin, ConfigMixin):
    """Two towers without shared weights; compare their outputs with `asva_metrics.lip_sync`.

    Args:
        embedding_size: Width of the features.
    """

    @register_to_config
    def __init__(self, embedding_size: int = 1024) -> None:
        super().__init__()
        self.audio = nn.Sequential(
            *(*_block2d(1, 64), nn.Identity()),
            *(*_block2d(64, 192), nn.MaxPool2d(3, (1, 2))),
            *(*_block2d(192, 384), *_block2d(384, 256), *_block2d(256, 256), nn.MaxPool2d(3, 2)),
            *_block2d(256, 512, (5, 4), 0),
        )
        self.audio_head = _head(embedding_size)
        self.lips = nn.Sequential(
            *(*_block3d(3, 96, (5, 7, 7), 2, 0), nn.MaxPool3d((1, 3, 3), (1, 2, 2))),
            *(*_block3d(96, 256, (1, 5, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))),
            *(*_block3d(256, 256), *_block3d(256, 256), *_block3d(256, 256), nn.MaxPool3d((1, 3, 3), (1, 2, 2))),
            *_block3d(256, 512, (1, 6, 6), 1, 0),
        )
        self.lips_head = _head(embedding_size)

    def embed_audio(self, mfcc: Tensor) -> Tensor:
        """(n, 1, 13, 20) MFCC windows -> (n, d).

        Raises:
            ValueError: If the shape is another.
        """
        if mfcc.ndim != 4 or mfcc.shape[1:] != (1, 13, MFCC_FRAMES):
            raise ValueError(f"`mfcc` must have shape (n, 1, 13, {MFCC_FRAMES}), got {tuple(mfcc.shape)}.")
        return self.audio_head(self.audio(mfcc).flatten(1))

    def embed_lips(self, frames: Tensor) -> Tensor:
        """(n, 5, 3, 224, 224) windows of a face, BGR from 0 to 255 -> (n, d).

        Raises:
            ValueError: If the shape is another.
        """
        if frames.ndim != 5 or frames.shape[1:] != (FRAMES, 3, 224, 224):
            raise ValueError(f"`frames` must have shape (n, {FRAMES}, 3, 224, 224), got {tuple(frames.shape)}.")
        return self.lips_head(self.lips(frames.transpose(1, 2)).flatten(1))

    @torch.no_grad()
    def embed_track(self, face: Tensor, mfcc: Tensor, *, batch_size: int = 20) -> tuple[Tensor, Tensor]:
        """Features of every window of a face track and of the sound beside it.

        Args:
            face: (t, 3, 224, 224) crops at 25 fps, RGB uint8 or from 0 to 255.
            mfcc: (13, frames) from `asva_metrics.speech_mfcc`.
            batch_size: Windows at once.

        Returns:
            (n, d) of the picture and of the sound, n = min(t, frames // 4) - 5 as published, or fewer at a cut end.

        Raises:
            ValueError: If there is not one window.
        """
        count = min(len(face), mfcc.shape[-1] // MFCC_PER_FRAME) - FRAMES
        if count < 1:
            raise ValueError(f"`face` must hold at least 6 frames (0.24 s) with sound, got {len(face)}.")
        pictures = face.flip(1).unfold(0, FRAMES, 1).movedim(-1, 1)[:count]  # RGB -> BGR
        sounds = mfcc.unfold(-1, MFCC_FRAMES, MFCC_PER_FRAME).movedim(1, 0)[:count, None]
        count = min(len(pictures), len(sounds))
        lips = [self.embed_lips(part.to(self.dtype)) for part in _parts(pictures[:count], batch_size)]
        voice = [self.embed_audio(part.to(self.dtype)) for part in _parts(sounds[:count], batch_size)]
        return torch.cat(lips), torch.cat(voice)


def _parts(windows: Tensor, size: int) -> Iterator[Tensor]:
    return iter(windows.split(size))


def _block2d(inner: int, outer: int, size: int | tuple[int, int] = 3, padding: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inner, outer, size, padding=padding), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)


def _block3d(
    inner: int, outer: int, size: tuple[int, int, int] = (1, 3, 3), stride: int = 1, padding: int = 1
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(inner, outer, size, (1, stride, stride), (0, padding, padding))
    return convolution, nn.BatchNorm3d(outer), nn.ReLU(inplace=True)


def _head(size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, size))
