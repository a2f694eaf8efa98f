"""Draws the inputs of the README: first frames and sounds of clips that no training has seen.

Run ``uv run python examples/make_examples.py``; the same files come out again.
"""

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from asva_data import SyntheticClip, SyntheticWorld

SEED = 1_000_001  # training stays below one million
EXAMPLES = {"frog": 3, "hammer": 8, "drums": 21}
HOME = Path(__file__).parent


def main() -> None:
    """Write `<name>.png` and `<name>.wav` for each example and say what it holds."""
    world = SyntheticWorld(SEED)
    for name, index in EXAMPLES.items():
        clip = world[index]
        Image.fromarray(clip.frames[0]).save(HOME / f"{name}.png", optimize=True)
        write_sound(HOME / f"{name}.wav", clip)
        times = ", ".join(f"{time:.2f}" for time in clip.event_times)
        print(f"{name}: {clip.caption}; events at {times} s")


def write_sound(path: Path, clip: SyntheticClip) -> None:
    """The clip's sound as 16-bit mono."""
    samples = np.round(clip.waveform[0] * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clip.sample_rate)
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
