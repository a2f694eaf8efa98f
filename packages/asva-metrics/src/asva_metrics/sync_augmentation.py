"""What sync classifiers learn from: clips at other times, through other cameras and other microphones."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import signal
from torch import Tensor

from asva_audio import imagebind_mel
from asva_metrics.sync_losses import SECONDS

SAMPLE_RATE, CLIP_FPS, CLIP_FRAMES = 16000, 6, 12


def shifted_clips(
    frames: np.ndarray,
    fps: float,
    waveform: np.ndarray,
    *,
    num_shifts: int = 21,
    shift_seconds: float = 0.2,
    flip: float = 0.5,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """The shifted clips of one video (AVSyncD, section 5.1): 12 frames at 6 fps each, mirrored or not, and their mels.

    Each sound begins exactly with its clip; the original's begins with the next packet, up to 64 ms later.

    Args:
        frames: (t, h, w, 3) uint8.
        fps: Their rate.
        waveform: (s,) sound at 16 kHz.
        num_shifts: Clips k.
        shift_seconds: Between two of them.
        flip: Chance that a clip is mirrored, each for itself.
        generator: Draws.

    Returns:
        ``clips`` (k, 12, 3, h, w) uint8 and ``mel`` (k, 1, f, n), see `ShiftedClipsLoss`.
    """
    starts = np.arange(num_shifts) * shift_seconds
    wanted = (starts[:, None] + np.arange(CLIP_FRAMES) / CLIP_FPS) * fps
    indices = np.minimum(np.round(wanted).astype(np.int64), len(frames) - 1)
    clips = torch.from_numpy(frames)[torch.from_numpy(indices)].permute(0, 1, 4, 2, 3)
    mirrored = torch.rand(num_shifts, generator=generator) < flip
    clips = torch.where(mirrored[:, None, None, None, None], clips.flip(-1), clips)
    first = np.round(starts * SAMPLE_RATE).astype(np.int64)
    sounds = np.lib.stride_tricks.sliding_window_view(waveform, round(SECONDS * SAMPLE_RATE))[first]
    return {"clips": clips, "mel": imagebind_mel(torch.from_numpy(sounds.copy()))}


def out_of_time(frames: np.ndarray, fps: float, waveform: np.ndarray, draws: np.random.Generator) -> dict:
    """Two seconds of a longer clip: brightness of the frames, a sound at another time, and what brings it back.

    Half of the sounds are cut from the clip at another moment, a quarter are rotated, a quarter are in time.

    Args:
        frames: (t, h, w, 3) uint8.
        fps: Their rate.
        waveform: (s,) sound at 16 kHz.
        draws: Of moment, shift, camera and microphone.

    Returns:
        ``luma`` (t, h, w), ``waveform`` (s,), and ``shift``, the seconds by which the sound has to move, circularly, to
        be in time; see `SmallSyncLoss`.
    """
    num_frames, num_samples = round(SECONDS * fps), round(SECONDS * SAMPLE_RATE)
    room = len(frames) - num_frames
    first = int(draws.integers(room + 1))
    sound_first, kind = first, draws.random()
    if kind < 0.5:
        sound_first = int(draws.integers(room + 1))
    begin = round(sound_first / fps * SAMPLE_RATE)
    sound = np.pad(waveform[begin : begin + num_samples], (0, max(0, begin + num_samples - len(waveform))))
    shift = (sound_first - first) / fps
    if kind >= 0.75:
        roll = int(draws.integers(num_samples))
        sound, shift = np.roll(sound, roll), -roll / SAMPLE_RATE
    luma = other_camera(frames[first : first + num_frames], draws)
    return {"luma": luma, "waveform": other_microphone(sound, draws), "shift": np.float32(shift)}


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
