"""Pictures and sounds to try the page with, drawn by the synthetic world; no training has seen them."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

SEED = 1_000_001  # training stays below one million
EXAMPLES = {  # number of the clip, and what it shows
    "frog": (3, "a frog that jumps"),
    "drums": (21, "drums"),
    "hammer": (8, "a hammer"),
}


def draw_examples(folder: Path) -> None:
    """Write ``<name>.png`` and ``<name>.wav`` of each example."""
    from PIL import Image

    from asva_data import SyntheticWorld

    world = SyntheticWorld(SEED)
    for name, (index, _) in EXAMPLES.items():
        clip = world[index]
        Image.fromarray(clip.frames[0]).save(folder / f"{name}.png", optimize=True)
        _write_sound(folder / f"{name}.wav", clip.waveform[0], clip.sample_rate)


def _write_sound(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
