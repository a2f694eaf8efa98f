"""Where something begins to sound: the onset curve, the bundled localizer and librosa's rule against known times.

Sounds whose onsets are known by construction are strokes of ``--samples`` (a folder of recorded single strokes, such
as the CC0 ones of the npm package supersonic-scsynth-samples) laid over its ambiences. Those of recordings were set by
eye, on level and spectrogram (``onsets_by_eye.json``); recordings are found in ``ASVA_CLIPS_DIR``, folder ``real``.
Chance is another clip's times. Intervals are bootstrapped over clips.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from results import table

from asva_audio import Audio, Track, load_audio
from asva_data import first_frame
from asva_keyframe import audio_events, onset_curve, sound_curve
from asva_keyframe.peaks import prominent_times
from asva_metrics import match_events, onset_times
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.parts import Part
from asva_pipelines.warp.rule import motion_of, warped

HERE = Path(__file__).resolve().parent
CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", HERE.parents[1] / "shared" / "clips"))
RATE, SECONDS, FPS = 16000, 4.0, 24
STROKES, BEDS = ("drum_", "perc_", "tabla_", "bd_", "sn_", "elec_"), ("ambi_", "vinyl_hiss")
NOT_ONE_STROKE = ("drum_roll", "perc_swash", "perc_swoosh", "perc_till")


def constructed(folder: Path, count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sounds (s,) and the seconds of their strokes, 2 to 8 of them, up to 12 dB apart and 15 to 30 dB over a bed."""
    rng = np.random.default_rng(seed)
    files = sorted(folder.glob("*.flac"))
    hits = [
        _from_its_start(_read(path))
        for path in files
        if path.stem.startswith(STROKES) and path.stem not in NOT_ONE_STROKE
    ]
    beds = [_read(path) for path in files if path.stem.startswith(BEDS)]
    made = []
    for _ in range(count):
        times = np.sort(rng.uniform(0.1, SECONDS - 0.3, rng.integers(2, 9)))
        times = times[np.diff(times, prepend=-1) > 0.15]
        bed = np.resize(beds[rng.integers(len(beds))], round(SECONDS * RATE))
        sound = bed * 10 ** (-rng.uniform(15, 30) / 20)
        for at, gain in zip(times, 10 ** (-rng.uniform(0, 12, len(times)) / 20), strict=True):
            hit, first = hits[rng.integers(len(hits))], round(at * RATE)
            sound[first : first + len(hit)] += gain * hit[: len(sound) - first]
        made.append((sound.astype(np.float32), times))
    return made


def _read(path: Path) -> np.ndarray:
    samples = load_audio(path, sample_rate=RATE).waveform.mean(0).numpy()
    return samples / max(np.abs(samples).max(), 1e-9)


def _from_its_start(samples: np.ndarray) -> np.ndarray:
    return samples[int(np.argmax(np.abs(samples) > 0.05)) :][: 2 * RATE]


def by_eye() -> list[tuple[np.ndarray, np.ndarray, Path]]:
    """Sounds of recordings, the seconds that were set by eye, and their files."""
    told = json.loads((HERE / "onsets_by_eye.json").read_text(encoding="utf-8"))
    paths = {name: CLIPS / "real" / f"{name}.mp4" for name in told}
    return [
        (load_audio(paths[name], sample_rate=RATE).waveform.mean(0).numpy(), np.array(times), paths[name])
        for name, times in told.items()
    ]


def finders() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What finds onsets in a sound."""

    def track(sound: np.ndarray) -> Track:
        return Track(sound[None], RATE)

    def peaks(curve: np.ndarray) -> np.ndarray:
        return prominent_times(np.maximum(curve, 0), FPS, 0.25, 0.1)

    return {
        "onsets, to the millisecond": lambda sound: audio_events(sound, RATE),
        "peaks of the onset curve (`--localizer onsets`)": lambda sound: peaks(
            onset_curve(track(sound), round(len(sound) / RATE * FPS), FPS)
        ),
        "peaks of the bundled localizer's curve": lambda sound: peaks(
            sound_curve(Audio(torch.from_numpy(sound)[None], RATE))
        ),
        "librosa's onsets": lambda sound: onset_times(sound, RATE),
    }


def score(found: list[np.ndarray], true: list[np.ndarray], tolerance: float, seed: int = 0) -> str:
    """F1 of all events together, with an interval over clips."""
    matches = [match_events(one, other, tolerance) for one, other in zip(found, true, strict=True)]
    counts = np.array([[2 * m.tp, 2 * m.tp + m.fp + m.fn] for m in matches])
    drawn = np.random.default_rng(seed).integers(len(counts), size=(2000, len(counts)))
    sums = counts[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1), (0.025, 0.975))
    return f"{counts[:, 0].sum() / counts[:, 1].sum():.3f} [{low:.3f}, {high:.3f}]"


def shifted(times: np.ndarray, seconds: float) -> np.ndarray:
    """Times of a sound that is shifted by half of its length, round the end."""
    return np.sort((times + seconds / 2) % seconds)


def warp_peaks(sound: np.ndarray, path: Path) -> np.ndarray:
    """Seconds at which the pixels of a video by `warp` change most."""
    picture = first_frame(path, 0.0)
    framing = Framing.of(picture.shape[:2], None)
    count = round(len(sound) / RATE * FPS)
    curves = motion_of(Track(sound[None], RATE), (Part(),), count, FPS, {})
    frames = warped(framing.crop(picture), framing, (Part(),), curves)
    before, change = next(frames).astype(np.int16), [0.0]
    for frame in frames:
        change.append(float(np.abs(frame - before).mean()))
        before = frame.astype(np.int16)
    return prominent_times(np.array(change), FPS, 0.25, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    real = by_eye()
    sets = {f"{len(real)} recordings": [(sound, times) for sound, times, _ in real]}
    if arguments.samples is not None:
        sets = {f"{arguments.count} constructed sounds": constructed(arguments.samples, arguments.count)} | sets
    rows = [["", *sets]]
    for name, find in finders().items():
        cells = [score([find(sound) for sound, _ in some], [true for _, true in some], 0.05) for some in sets.values()]
        rows.append([name, *cells])
    true = [[one for _, one in some] for some in sets.values()]
    rows.append(["chance: the next clip's true times", *(score(times[1:] + times[:1], times, 0.05) for times in true)])
    print(table("onsets/onsets", rows))
    moved = [warp_peaks(sound, path) for sound, _, path in real]
    onsets = [times for _, times, _ in real]
    late = [shifted(times, len(sound) / RATE) for sound, times, _ in real]
    against = {
        "the onsets of the clip's sound": onsets,
        "the same, shifted by half of the clip": late,
        "those of another clip": onsets[1:] + onsets[:1],
    }
    rows = [["peaks of motion, F1 at 100 ms", ""]]
    print(table("onsets/warp", rows + [[f"against {name}", score(moved, one, 0.1)] for name, one in against.items()]))


if __name__ == "__main__":
    main()
