"""Demixing of known mixes by the masks that need nothing: SI-SDR of each track against doing nothing and ideal masks.

Sixty synthetic mixes, and mixes of real effects and real music (``ASVA_CLIPS_DIR``, default ``../shared/clips`` beside
the repository) with synthetic speech, since no clean recorded speech is among the clips. Figures are means with 95 %
intervals over mixes. ``--fit`` prints weights of the cues, fitted on other synthetic mixes.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from synthetic_sounds import RATE, effects, music, room, speech

from asva_audio import MaskDemixer, load_audio, load_demucs
from asva_audio.demix_cues import NAMES, demix_cues, running_median
from asva_audio.demix_masks import spectrum_of
from asva_metrics import bootstrap_interval

ROOT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", ROOT / ".." / "shared" / "clips"))
TRACKS, SECONDS, LEVELS = ("speech", "effects", "music"), 4.0, (-20, -22, -24)
FIRST_FIT_SEED = 2000
# By the class that the manifest states; clips that may hold voices, or music among events, are left out.
MUSIC = re.compile(r"cello|trombone|trumpet|violin|erhu|double bass|\bharp|guitar|clarinet|piano|marimba", re.I)
UNCLEAR = re.compile(
    r"sing|concert|DJ|drum|conga|tabla|djembe|bongo|shaker|speech|baby|crying|cough|crowd|cheer|laugh|eating|cooking",
    re.I,
)
Estimate = Callable[[np.ndarray], np.ndarray]


def si_sdr(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Scale-invariant ratio of signal to distortion in dB along the last axis (Le Roux et al. 2019)."""
    estimate, truth = (x - x.mean(-1, keepdims=True) for x in (estimate, truth))
    scale = (estimate * truth).sum(-1, keepdims=True) / ((truth**2).sum(-1, keepdims=True) + 1e-12)
    error = ((estimate - scale * truth) ** 2).sum(-1)
    return 10 * np.log10((((scale * truth) ** 2).sum(-1) + 1e-12) / (error + 1e-12))


def at_random_levels(rng: np.random.Generator, sounds: list[np.ndarray]) -> np.ndarray:
    """(3, s) tracks at levels within 6 dB around -20, -22 and -24 dBFS."""
    tracks = []
    for sound, level in zip(sounds, LEVELS, strict=True):
        tracks.append(sound / (sound.std() + 1e-9) * 10 ** ((level + rng.uniform(-6, 6)) / 20))
    return np.stack(tracks).astype(np.float32)


def synthetic_mix(seed: int) -> np.ndarray:
    """(3, s) tracks from formulas, each in a room."""
    rng = np.random.default_rng(seed)
    return at_random_levels(rng, [room(rng, make(rng, SECONDS)) for make in (speech, effects, music)])


def real_sounds() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Effects and music among the recordings, mono at 16 kHz, those of three seconds or more."""
    found: dict[bool, list[np.ndarray]] = {False: [], True: []}
    folder, size = CLIPS / "real", round(SECONDS * RATE)
    for row in (
        csv.DictReader((folder / "manifest.csv").open(encoding="utf-8")) if (folder / "manifest.csv").is_file() else ()
    ):
        about = f"{row['class']} {row['seen']}"
        if (is_music := bool(MUSIC.search(row["class"]))) or not UNCLEAR.search(about) or "drumstick" in about:
            sound = load_audio(folder / row["file"], sample_rate=RATE).waveform[0, :size].numpy()
            if len(sound) >= 3 * RATE and sound.std() > 1e-3:
                found[is_music].append(np.pad(sound, (0, size - len(sound))))
    return found[False], found[True]


def real_mixes(count: int) -> list[np.ndarray]:
    """(3, s) tracks: synthetic speech, recorded effects, recorded music."""
    recorded = real_sounds()
    if not all(recorded):
        return []
    mixes = []
    for seed in range(count):
        rng = np.random.default_rng(10_000 + seed)
        chosen = [sounds[rng.integers(len(sounds))] for sounds in recorded]
        mixes.append(at_random_levels(rng, [room(rng, speech(rng, SECONDS)), *chosen]))
    return mixes


def ideal(tracks: np.ndarray) -> np.ndarray:
    """The best that shares of magnitude could do: masks from the true tracks."""
    spectra = spectrum_of(torch.from_numpy(tracks), RATE)
    shares = spectra.abs() / spectra.abs().sum(0).clamp_min(1e-9)
    size = 2 * (spectra.shape[1] - 1)
    window = torch.hann_window(size)
    return torch.istft(spectra.sum(0) * shares, size, size // 4, window=window, length=tracks.shape[-1]).numpy()


def medians(tracks: np.ndarray) -> np.ndarray:
    """The textbook way: long medians over time are music, over frequency effects, what stands over both speech."""
    spectrum = spectrum_of(torch.from_numpy(tracks.sum(0)), RATE)
    magnitude = spectrum.abs()
    lasting, wide = running_median(magnitude, 41, -1), running_median(magnitude, 41, -2)
    rest = (magnitude - torch.maximum(lasting, wide)).clamp_min(0)
    voiced = torch.zeros_like(rest)
    voiced[5:320] = rest[5:320]  # 80 Hz to 5 kHz
    power = torch.stack((voiced, (wide.square() + (rest - voiced).square()).sqrt(), lasting)).square()
    size = 2 * (len(spectrum) - 1)
    masked = spectrum * power / power.sum(0).clamp_min(1e-12)
    return torch.istft(masked, size, size // 4, window=torch.hann_window(size), length=tracks.shape[-1]).numpy()


def estimates(demixers: dict[str, object]) -> dict[str, Estimate]:
    """Each way to three tracks, from the true ones."""

    def by(demixer: object) -> Estimate:
        def run(tracks: np.ndarray) -> np.ndarray:
            mix = torch.from_numpy(tracks.sum(0, keepdims=True))
            stems = demixer(mix, RATE)
            if not torch.allclose(stems.mix, mix, rtol=0, atol=1e-6):
                raise RuntimeError("The tracks do not sum to the mix.")
            return np.concatenate([waveform.numpy() for _, waveform in stems.items()])

        return run

    peers = {
        "nothing (the mix as every track)": lambda tracks: tracks.sum(0, keepdims=True).repeat(3, 0),
        "medians over time and frequency": medians,
    }
    return peers | {name: by(demixer) for name, demixer in demixers.items()} | {"ideal ratio masks": ideal}


def report(title: str, mixes: list[np.ndarray], ways: dict[str, Estimate]) -> None:
    """Print a row of Markdown for each way, and what the masks gain over doing nothing."""
    if not mixes:
        print(f"\n{title}: no recordings under {CLIPS}.")
        return
    rng = np.random.default_rng(0)
    scores = {name: np.stack([si_sdr(way(tracks), tracks) for tracks in mixes]) for name, way in ways.items()}
    before = next(iter(scores.values()))
    print(f"\n| {title}, {len(mixes)} mixes | {' | '.join(TRACKS)} |\n|---|---|---|---|")
    for name, rows in (scores | {f"{n}: gain": s - before for n, s in scores.items() if s is not before}).items():
        cells = (bootstrap_interval(rows[:, track], generator=rng) for track in range(3))
        print(f"| {name} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")


def fit(count: int, steps: int = 250, bins: int = 16000) -> None:
    """Print weights that raise the ratio of signal to distortion of masked spectra, by Adam on drawn bins."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for seed in range(FIRST_FIT_SEED, FIRST_FIT_SEED + count):
        spectra = spectrum_of(torch.from_numpy(synthetic_mix(seed)), RATE)
        cues = demix_cues(spectra.sum(0, keepdim=True)).flatten(0, 1).clamp(-20, 20)
        chosen = torch.randperm(len(cues), generator=generator)[:bins]
        drawn.append((cues[chosen], spectra.flatten(1)[:, chosen]))
    cues, tracks = (torch.stack(part) for part in zip(*drawn, strict=True))
    mean, spread = cues.flatten(0, 1).mean(0), cues.flatten(0, 1).std(0) + 1e-3
    weights, bias = torch.zeros(len(NAMES), 3, requires_grad=True), torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, steps)
    for _ in range(steps):
        mixes = torch.randperm(count, generator=generator)[:8]
        part = torch.randperm(bins, generator=generator)[:6000]
        truth = tracks[mixes][:, :, part]
        shares = (((cues[mixes][:, part] - mean) / spread) @ weights + bias).softmax(-1).mT
        error = (shares * truth.sum(1, keepdim=True) - truth).abs().square().sum(-1)
        loss = (error / truth.abs().square().sum(-1) + 1e-3).log().mean() + 2e-5 * weights.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    weights = weights.detach() / spread[:, None]
    for name, row in zip(NAMES, weights, strict=True):
        print(f'    "{name}": ({", ".join(f"{value:.3f}" for value in row.tolist())}),')
    print(f"BIAS = ({', '.join(f'{value:.3f}' for value in (bias.detach() - mean @ weights).tolist())})")


def main() -> None:
    """Fit, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mixes", type=int, default=60)
    parser.add_argument("--weights", type=Path, help="an HTDemucs checkpoint to compare")
    parser.add_argument("--fit", action="store_true", help="fit the weights of the cues instead, and print them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.fit:
        fit(arguments.mixes)
        return
    demixers = {"masks": MaskDemixer()}
    if arguments.weights:
        demixers["network"] = load_demucs(arguments.weights)
    ways = estimates(demixers)
    report("synthetic", [synthetic_mix(seed) for seed in range(arguments.mixes)], ways)
    report("recorded effects and music, synthetic speech", real_mixes(arguments.mixes), ways)


if __name__ == "__main__":
    main()
