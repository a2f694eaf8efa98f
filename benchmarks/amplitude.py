"""Does a louder sound move more, and does loudness replace guidance? (AVSyncD, figure 5: it does not.)

    python benchmarks/amplitude.py --folder runs/presets        # with the trainings of presets.py

The small AVSyncD of presets.py makes 32 held-out clips in 12 steps with the same sound at 1, 10 and 100 times its
amplitude, at three scales of guidance. Motion is the mean difference of neighbouring frames where the truth moves, that
of the true frames being 1; F1 as there. Expected, before it was run: ImageBind hears logarithms, to which a factor adds
a constant that it was hardly trained on, so more amplitude makes neither more motion nor better times; guidance makes
both.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from bundled_model import interval, seeds
from controls import counts, f1
from presets import AT_ONCE, AUDIO, FPS, held_out, pipeline_of, small_parts
from results import table

FACTORS, STEPS = (1, 10, 100), 12


def frames_of(pipeline, factor: float, scale: float, number: int) -> list[np.ndarray]:
    """Videos of held-out clips with their sounds times a factor."""
    frames: list[np.ndarray] = []
    for first in range(0, number, AT_ONCE):
        batch = range(first, min(first + AT_ONCE, number))
        clips = [held_out(place) for place in batch]
        frames += list(
            pipeline(
                [clip.frames[0] for clip in clips],
                [factor * torch.as_tensor(clip.waveform) for clip in clips],
                [clip.caption for clip in clips],
                sample_rate=clips[0].sample_rate,
                generator=seeds(batch),
                audio_guidance_scale=scale,
                num_inference_steps=STEPS,
            ).frames
        )
    return frames


def motion(frames: np.ndarray, mask: np.ndarray) -> float:
    """Mean difference of neighbouring frames where something moves."""
    return float(np.abs(np.diff(frames.astype(float), axis=0)).mean(-1)[mask[1:]].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="that of presets.py")
    parser.add_argument("--different", type=int, default=800, help="as of presets.py")
    parser.add_argument("--rate", type=float, default=3e-3, help="as of presets.py")
    parser.add_argument("--clips", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = pipeline_of("avsyncd", 0, small_parts(), options)
    pipeline.set_progress_bar_config(disable=True)
    clips = [held_out(place) for place in range(options.clips)]
    rows = [("guidance", "amplitude", "F1 within 1 frame", "motion, the truth being 1")]
    for scale in (1.0, AUDIO["avsyncd"], 2 * AUDIO["avsyncd"]):
        for factor in FACTORS:
            pairs = list(zip(frames_of(pipeline, factor, scale, options.clips), clips, strict=True))
            found = interval([counts(shown, clip, FPS) for shown, clip in pairs], f1)
            moved = interval(
                [motion(shown, clip.mask) / motion(clip.frames, clip.mask) for shown, clip in pairs], np.mean
            )
            rows.append((f"{scale:g}", f"{factor}x", f"{found:.3f}", f"{moved:.2f}"))
            print(" | ".join(rows[-1]), flush=True)
    print(table("amplitude/avsyncd", rows))


if __name__ == "__main__":
    main()
