"""The small sync classifier that comes with the package, and the shift profiles it draws."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_metrics.arrays import check_positive, rgb_frames, sound
from asva_metrics.local_sync import stands_still
from asva_metrics.shift_profile import ShiftProfile, profile_of_scores
from asva_metrics.video_events import local_changes

if TYPE_CHECKING:
    from asva_metrics.networks.sync_small import SmallSyncClassifier

TOLERANCE = 0.04
"""Seconds that the sound may be off without loss."""
STEP = 0.02
"""Seconds between two shifts of a profile, the rate of the sound's embeddings."""


@lru_cache(maxsize=1)
def load_small_sync() -> SmallSyncClassifier:
    """The bundled `SmallSyncClassifier` in evaluation mode, read once; do not change it."""
    from asva_metrics.networks.sync_small import SmallSyncClassifier

    with as_file(files("asva_metrics") / "models" / "small-sync") as folder:
        return SmallSyncClassifier.from_pretrained(folder).eval().requires_grad_(False)


def small_sync_profile(
    waveform: Any, sample_rate: int, frames: Any, fps: float, *, network: SmallSyncClassifier | None = None
) -> ShiftProfile:
    """Shift profile by a `SmallSyncClassifier`; its ``probability`` is the score of synchronization.

    Every circular shift of the sound in steps of 20 ms; it may be off by 40 ms. Trained on drawn scenes: on real clips
    it sees less than `local_sync`, see the benchmarks.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor; what is longer than the picture is left out.
        sample_rate: Its rate in hertz.
        frames: (t, h, w, 3) uint8 RGB of at least one second.
        fps: Frames per second; the network sees the nearest previous frame at its own rate.
        network: The classifier; None is the bundled one.

    Returns:
        The profile; nan figures, with the reason, for a silent sound or a still picture.

    Raises:
        ValueError: If the frames or the sound are not as above or too short.
    """
    import torch

    from asva_audio import resample

    network = load_small_sync() if network is None else network
    pictures, samples = rgb_frames(frames), torch.from_numpy(sound(waveform, dtype=np.float32))
    check_positive(fps, "fps")
    mono = resample(samples.mean(0) if samples.ndim == 2 else samples, sample_rate, 16000)
    seconds = int(min(len(pictures) / fps, len(mono) / 16000) / STEP) * STEP
    if seconds < 1:
        raise ValueError(f"`frames` and `waveform` must share at least 1 s, got {seconds:g} s.")
    shifts = np.arange(-int(seconds / STEP / 2), int(np.ceil(seconds / STEP / 2))) * STEP
    if mono.abs().max() < 1e-4 or stands_still(local_changes(pictures)):
        return profile_of_scores(shifts, np.zeros(len(shifts)))
    at = np.floor(np.arange(round(seconds * network.config["fps"])) / network.config["fps"] * fps + 1e-6).astype(int)
    video = torch.from_numpy(pictures[np.minimum(at, len(pictures) - 1)]).permute(0, 3, 1, 2)[None]
    with torch.no_grad():
        scores = network(mono[None, : round(seconds * 16000)], video, torch.from_numpy(shifts))[0]
    return profile_of_scores(shifts, scores.double().numpy(), tolerance=TOLERANCE)
