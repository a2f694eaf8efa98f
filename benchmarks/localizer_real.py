"""The localizer on real recordings against their loudness: correlation with the motion curve, five folds by recording.

Recordings are found in ``ASVA_CLIPS_DIR`` (default ``../shared/clips`` beside the repository), folder ``real``. True
curves are DIS flow at the recording's own frame rate, read at the 48 frame times of each two-second window. Figures are
mean Pearson correlations per recording with 95 % intervals over recordings.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from asva_audio import imagebind_mel, resample
from asva_data import read_video
from asva_keyframe import MotionLocalizer, curve_label, localizer_loss, mel_label, motion_curve
from asva_metrics import bootstrap_interval, loudness_envelope, pearson

ROOT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", ROOT / ".." / "shared" / "clips"))
RATE, SECONDS, FRAMES, FPS = 16000, 2.0, 48, 24.0
SMALL_ENCODER = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@dataclass(frozen=True)
class Recording:
    """A recording's sound and the motion between its frames.

    Attributes:
        name: Names the recording; pieces of one recording share it.
        sound: (s,) mono at 16 kHz.
        times: (t - 1,) seconds, middle between the two frames of each pair.
        motion: (t - 1,) motion score per second.
    """

    name: str
    sound: np.ndarray
    times: np.ndarray
    motion: np.ndarray

    @property
    def latest_start(self) -> float:
        """Last second at which a window of two seconds fits."""
        return min(self.times[-1] - self.times[0], len(self.sound) / RATE) - SECONDS

    def window(self, start: float) -> tuple[np.ndarray, np.ndarray]:
        """Sound (32000,) and motion (48,) of the window."""
        first = int(start * RATE)
        sound = self.sound[first : first + int(SECONDS * RATE)]
        at = start + (np.arange(FRAMES) + 0.5) / FPS
        return np.pad(sound, (0, int(SECONDS * RATE) - len(sound))), np.interp(at, self.times, self.motion)


def read_recording(path: Path) -> Recording | None:
    """Read one file; None if it is too short or silent."""
    clip = read_video(path)
    if clip.waveform is None or clip.duration < SECONDS:
        return None
    scale = 96 / min(clip.frames.shape[1:3])
    frames = np.stack([cv2.resize(f, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for f in clip.frames])
    sound = resample(torch.from_numpy(clip.waveform).mean(0), clip.sample_rate, RATE).numpy()
    if np.abs(sound).max() < 1e-4:
        return None
    gaps = np.diff(clip.times)
    motion = motion_curve(frames, preset="fast") / scale / np.maximum(gaps, 1e-3)
    name = re.sub(r"_[a-z]$", "", path.stem)
    return Recording(name, sound, clip.times[:-1] + gaps / 2, motion)


def read_all(cache: Path | None) -> list[Recording]:
    """Read every recording, or what an earlier run left in `cache`."""
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            names = sorted({key.split("/")[0] for key in stored.files})
            return [Recording(n, stored[f"{n}/sound"], stored[f"{n}/times"], stored[f"{n}/motion"]) for n in names]
    found = [read_recording(path) for path in sorted((CLIPS / "real").glob("*.mp4"))]
    recordings = [r for r in found if r is not None and r.latest_start >= -0.1]
    if cache is not None:
        parts = ("sound", "times", "motion")
        np.savez(cache, **{f"{r.name}/{part}": getattr(r, part) for r in recordings for part in parts})
    return recordings


def starts(recording: Recording) -> list[float]:
    """Windows for testing: every half second."""
    return np.arange(0.0, max(recording.latest_start, 0.0) + 1e-6, 0.5).tolist()


def batch(windows: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mels (b, 1, 128, 204) and scaled curves (b, 48)."""
    sounds, curves = (np.stack(part) for part in zip(*windows, strict=True))
    return imagebind_mel(torch.from_numpy(sounds)), curve_label(torch.from_numpy(curves), FRAMES)


def new_localizer(weights: Path | None, seed: int) -> MotionLocalizer:
    """The localizer to start from: given weights, or random ones."""
    if weights is not None:
        return MotionLocalizer.from_pretrained(weights)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MotionLocalizer(SMALL_ENCODER, head="columns")


def train(recordings: list[Recording], arguments: argparse.Namespace, seed: int) -> MotionLocalizer:
    """Train on random windows with the published loss."""
    rng = np.random.default_rng(seed)
    model = new_localizer(arguments.weights, seed).train()
    if arguments.steps == 0:
        return model.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.learning_rate, arguments.steps)
    for _ in range(arguments.steps):
        chosen = rng.choice(len(recordings), arguments.batch_size)
        windows = [recordings[i].window(rng.uniform(0, max(recordings[i].latest_start, 0.0))) for i in chosen]
        gains = rng.uniform(0.3, 1.5, len(windows))
        mel, curve = batch([(sound * np.float32(gain), c) for (sound, c), gain in zip(windows, gains, strict=True)])
        loss = localizer_loss(model(mel), curve, mel_label(mel, FRAMES), arguments.aux_weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def correlations(recording: Recording, model: MotionLocalizer, untrained: MotionLocalizer | None) -> dict[str, float]:
    """Mean correlation over the recording's windows for each predictor."""
    windows = [recording.window(start) for start in starts(recording)]
    mel, curve = batch(windows)
    true = curve.numpy()
    predictions = {
        "localizer": model.predict(mel).numpy(),
        "loudness": np.stack([loudness_envelope(sound, FRAMES) for sound, _ in windows]),
        "loudness, dB": np.stack([loudness_envelope(sound, FRAMES, decibels=True) for sound, _ in windows]),
        "mean of the mel": mel_label(mel, FRAMES).numpy(),
    }
    if untrained is not None:
        predictions["localizer as given"] = untrained.predict(mel).numpy()
    return {name: float(np.nan_to_num(pearson(p, true)).mean()) for name, p in predictions.items()}


def report(title: str, rows: list[dict[str, float]]) -> None:
    """Print the mean correlation of each predictor over recordings."""
    if not rows:
        return
    rng = np.random.default_rng(0)
    print(f"\n{title}: {len(rows)}")
    for name in rows[0]:
        print(f"{name:<20} {bootstrap_interval([row[name] for row in rows], generator=rng, num_samples=4000):.3f}")
    difference = [row["localizer"] - row["loudness"] for row in rows]
    print(f"{'localizer - loudness':<20} {bootstrap_interval(difference, generator=rng, num_samples=4000):.3f}")


def main() -> None:
    """Train and test five folds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="folder of a MotionLocalizer to start from; random without it")
    parser.add_argument("--steps", type=int, default=80, help="0 tests the weights as they are")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--aux-weight", type=float, default=0.3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="file (.npz) for the curves, so that a second run need not read")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recordings = read_all(arguments.cache)
    names = np.random.default_rng(0).permutation(sorted({r.name for r in recordings}))
    fold_of = {name: i % arguments.folds for i, name in enumerate(names.tolist())}
    rows: dict[str, dict[str, float]] = {}
    began = time.process_time()
    for fold in range(arguments.folds):
        model = train([r for r in recordings if fold_of[r.name] != fold], arguments, seed=fold)
        given = None if arguments.weights is None else new_localizer(arguments.weights, 0).eval()
        rows |= {r.name: correlations(r, model, given) for r in recordings if fold_of[r.name] == fold}
    print(f"{time.process_time() - began:.0f} CPU seconds; mean r [95 %]")
    report("all recordings", list(rows.values()))
    report("gallery of AVSync15", [row for name, row in rows.items() if name.startswith("avsync15_")])
    print(json.dumps({k: str(v) for k, v in vars(arguments).items()}))


if __name__ == "__main__":
    main()
