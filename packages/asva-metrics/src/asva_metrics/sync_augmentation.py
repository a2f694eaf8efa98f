"""Augmentation for the small sync classifier: the same clip through another camera and another microphone."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import signal
from torch import Tensor

SAMPLE_RATE = 16000


def other_camera(frames: np.ndarray, draws: np.random.Generator) -> Tensor:
    """(t, h, w, 3) uint8 -> (t, h, w) brightness in about [0, 1], as another camera might see it."""
    weights = draws.dirichlet((2.0, 3.0, 1.0)).astype(np.float32)
    luma = torch.from_numpy(frames @ weights / np.float32(255))
    luma = _moved(luma, draws)
    t, h, w = luma.shape
    if draws.random() < 0.2:
        luma = 1 - luma
    luma = luma.clamp(0, 1) ** float(np.exp(draws.uniform(-0.7, 0.7)))
    if draws.random() < 0.5:
        luma = luma + draws.uniform(0.05, 0.3) * _texture((1, 1), (h, w), draws)
    for _ in range(draws.binomial(2, 0.3)):
        luma = _passer_by(luma, draws)
    if draws.random() < 0.2:
        luma = luma * torch.from_numpy(1 + 0.03 * draws.standard_normal((t, 1, 1))).float()
    if draws.random() < 0.3:
        side = int(draws.integers(h // 3, h))
        luma = F.interpolate(F.interpolate(luma[None], (side, side), mode="area"), (h, w), mode="bilinear")[0]
    if draws.random() < 0.5:
        luma = luma + draws.uniform(0, 0.06) * torch.from_numpy(draws.standard_normal((t, h, w), dtype=np.float32))
    if draws.random() < 0.4:
        luma = _held(luma, draws)
    return luma.contiguous()


def _moved(luma: Tensor, draws: np.random.Generator) -> Tensor:
    """Another frame, mirrored or not, from a hand that shakes or sweeps."""
    t = len(luma)
    zoom, angle = np.exp(draws.uniform(-0.5, 0.25)), draws.uniform(-0.3, 0.3)
    place = np.tile(draws.uniform(-0.2, 0.2, 2), (t, 1))
    if draws.random() < 0.3:
        place += np.linspace(-0.5, 0.5, t)[:, None] * draws.uniform(-0.5, 0.5, 2)
    if draws.random() < 0.4:
        smooth = np.exp(-np.arange(t) / draws.uniform(1, 8))
        noise = draws.standard_normal((2 * t, 2)) * draws.uniform(0, 0.03)
        place += np.stack([np.convolve(n, smooth, "full")[t : 2 * t] for n in noise.T], axis=1)
    mirror = draws.choice((-1.0, 1.0))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    rows = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    theta = np.concatenate([np.tile(rows, (t, 1, 1)), place[:, :, None]], axis=2)
    grid = F.affine_grid(torch.from_numpy(theta).float(), [t, 1, *luma.shape[1:]], align_corners=False)
    return F.grid_sample(luma[:, None], grid, padding_mode="reflection", align_corners=False)[:, 0]


def _texture(count: tuple[int, int], size: tuple[int, int], draws: np.random.Generator) -> Tensor:
    side = int(draws.integers(3, 24))
    noise = torch.from_numpy(draws.standard_normal((*count, side, side), dtype=np.float32))
    return F.interpolate(noise, size, mode="bicubic")[0]


def _passer_by(luma: Tensor, draws: np.random.Generator) -> Tensor:
    """Something that moves by itself: sways, jumps or walks on."""
    t, h, w = luma.shape
    time, kind = np.arange(t) / t, draws.random()
    if kind < 0.4:
        phase = draws.uniform(0.5, 8) * time[:, None] + draws.random(2)
        way = draws.uniform(0.02, 0.2, 2) * np.sin(2 * np.pi * phase)
    elif kind < 0.7:
        moments = np.sort(draws.integers(0, t, draws.integers(1, 6)))
        way = draws.uniform(-0.15, 0.15, (len(moments) + 1, 2))[np.searchsorted(moments, np.arange(t), side="right")]
    else:
        way = time[:, None] * draws.uniform(-1, 1, 2)
    centre = torch.from_numpy(draws.uniform(0.1, 0.9, 2) + way).float()
    radius = torch.from_numpy(draws.uniform(0.03, 0.2, 2)).float()
    y, x = torch.linspace(0, 1, h)[:, None], torch.linspace(0, 1, w)
    far = ((y - centre[:, :1, None]) / radius[0]) ** 2 + ((x - centre[:, 1:, None]) / radius[1]) ** 2
    cover = (3 * (1.2 - far)).clamp(0, 1)
    return luma + cover * (float(draws.uniform(0, 1)) - luma)


def _held(luma: Tensor, draws: np.random.Generator) -> Tensor:
    """The same at a lower frame rate: each picture stays until the next."""
    t = len(luma)
    ratio = draws.choice((0.25, 1 / 3, 0.5, 0.625, 0.8))
    return luma[torch.from_numpy(np.ceil(np.floor(np.arange(t) * ratio + 1e-9) / ratio - 1e-9).astype(np.int64))]


def other_microphone(sound: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """(s,) -> (s,) float32 with another room, colour, noise and level."""
    sound = sound.astype(np.float64)
    if draws.random() < 0.3:
        length = int(draws.uniform(0.05, 0.6) * SAMPLE_RATE)
        room = draws.standard_normal(length) * np.exp(-np.arange(length) / length * 6)
        wet = signal.fftconvolve(sound, room)[: len(sound)]
        sound = sound + draws.uniform(0.1, 1.0) * wet * np.std(sound) / (np.std(wet) + 1e-9)
    if draws.random() < 0.5:
        centre = np.exp(draws.uniform(np.log(100), np.log(6000)))
        band = signal.butter(1, centre, draws.choice(("low", "high")), fs=SAMPLE_RATE, output="sos")
        sound = sound + draws.uniform(-0.8, 3) * signal.sosfilt(band, sound)
    level = np.std(sound) + 1e-6
    if draws.random() < 0.4:
        sound = sound + level * 10 ** draws.uniform(-1.2, 0.2) * _music(len(sound), draws)
    if draws.random() < 0.7:
        noise = signal.lfilter([1], [1, -draws.uniform(0, 0.98)], draws.standard_normal(len(sound)))
        sound = sound + level * 10 ** draws.uniform(-2.5, 0.1) * noise / np.std(noise)
    if draws.random() < 0.1:
        sound = np.clip(sound, -level, level)
    return (sound * 10 ** draws.uniform(-1.5, 0) / (np.abs(sound).max() + 1e-6)).astype(np.float32)


def _music(num_samples: int, draws: np.random.Generator) -> np.ndarray:
    """Tones that come, glide and go, none of them at an event."""
    time = np.arange(num_samples) / SAMPLE_RATE
    total = np.zeros(num_samples)
    for _ in range(draws.integers(1, 5)):
        pitch = np.exp(draws.uniform(np.log(80), np.log(3000)))
        wobble = 1 + 0.02 * np.sin(2 * np.pi * draws.uniform(1, 7) * time)
        swell = 1 + draws.uniform(0, 1) * np.sin(2 * np.pi * (draws.uniform(0.2, 3) * time + draws.random()))
        total += swell * np.sin(2 * np.pi * pitch * time * wobble + draws.uniform(0, 6))
    return total / np.std(total)
