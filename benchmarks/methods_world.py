"""Methods side by side on held-out clips of the synthetic world, as a table in Markdown.

    python benchmarks/methods_world.py KeyVID=tiny I2VD=runs/i2vd AVSyncD=runs/avsyncd@1,2,4,8 "windows, r 6"=runs/aw

Each model is NAME=FOLDER, a folder that `asva train assemble` wrote, with @ the audio guidance scales to try (its own
setting if none). KeyVID has two rows, uniform and chosen keyframes. Static and true frames come along. A model of
fewer than 24 frames per second is brought there by KeyVID's interpolator, which hears the sound too: with --deaf
neither it nor a KeyVID model's own does. A score is an F1 of events read off the pixels with a 95 % bootstrap
interval over clips, as in bundled_model.py.
"""

import argparse
import time

import numpy as np
import torch
from bundled_model import BATCH, FRAME, HELD_OUT, Sampled, f1, matches, quality, sample
from results import table

from asva_data import SyntheticClip, SyntheticWorld
from asva_metrics import chance_level
from asva_pipelines import load_pipeline

HEAD = ("method", "audio guidance", "F1 within 1 frame", "F1 within 2 frames", "moving PSNR", "PSNR", "CPU s/clip")
Row = tuple[str, ...]


def model_of(word: str) -> tuple[str, str, list[float | None]]:
    """Name, folder and guidance scales of NAME=FOLDER@1,2,4."""
    name, separator, place = word.rpartition("=")
    folder, _, scales = place.partition("@")
    if not separator or not name or not folder:
        raise argparse.ArgumentTypeError(f"must be NAME=FOLDER or NAME=FOLDER@SCALES, got {word}")
    return name, folder, [float(scale) for scale in scales.split(",")] if scales else [None]


def load(model: str):
    pipeline = load_pipeline(model, device="cpu", dtype="float32")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def between(interpolator, run: Sampled, fps: float, clips: list[SyntheticClip], deaf: bool) -> Sampled:
    """Every frame at the interpolator's rate from those of a run."""
    ratio, start, frames = round(interpolator.config.fps / fps), time.process_time(), []
    for first in range(0, len(clips), BATCH):
        batch = range(first, min(first + BATCH, len(clips)))
        out = interpolator.interpolate(
            [run.frames[i] for i in batch],
            ratio * np.arange(len(run.frames[first])),
            [torch.as_tensor(clips[i].waveform) for i in batch],
            [clips[i].caption for i in batch],
            sample_rate=clips[0].sample_rate,
            generator=[torch.Generator().manual_seed(i) for i in batch],
            no_audio=deaf,
        )
        frames += list(out.frames)
    return Sampled(frames, None, run.cpu_seconds + (time.process_time() - start) / len(clips))


def row(name: str, scale: float | None, run: Sampled, clips: list[SyntheticClip]) -> Row:
    near, far = (f1(matches(run.frames, clips, clips, tolerance)) for tolerance in (1, 2))
    seconds = f"{run.cpu_seconds:.2f}" if run.cpu_seconds else ""
    return (
        name,
        "" if scale is None else f"{scale:g}",
        f"{near:.3f}",
        f"{far:.3f}",
        *quality(run, clips, False),
        seconds,
    )


def given(clips: list[SyntheticClip], interpolator, deaf: bool) -> list[Row]:
    """What needs no model, and what no method of half the frames can pass but by what the interpolator hears."""
    still = Sampled([np.repeat(clip.frames[:1], len(clip.frames), 0) for clip in clips], None, 0.0)
    true = Sampled([clip.frames for clip in clips], None, 0.0)
    fps = clips[0].fps / 2
    half = between(interpolator, Sampled([clip.frames[::2] for clip in clips], None, 0.0), fps, clips, deaf)
    return [
        row("static", None, still, clips),
        row("true frames", None, true, clips),
        row(f"true frames at {fps:g} per second", None, half, clips),
    ]


def rows_of(word: tuple[str, str, list], clips: list[SyntheticClip], interpolator, options) -> list[Row]:
    """One model at each of its guidance scales."""
    name, folder, scales = word
    pipeline, sounds, rows = load(folder), [clip.waveform for clip in clips], []
    for scale in scales:
        asked = {} if scale is None else {"audio_guidance_scale": scale}
        asked |= {} if options.steps is None else {"num_inference_steps": options.steps}
        shown = pipeline.config.get("audio_guidance_scale") if scale is None else scale
        for kind, further in kinds(pipeline, options.deaf):
            run = sample(pipeline, clips, sounds, **asked, **further)
            if pipeline.config.fps < clips[0].fps:
                run = between(interpolator, run, pipeline.config.fps, clips, options.deaf)
            rows.append(row(name + kind, shown, run, clips))
            print(" | ".join(rows[-1]), flush=True)
    return rows


def kinds(pipeline, deaf: bool) -> list[tuple[str, dict]]:
    """What is sampled of a model: of KeyVID uniform and chosen keyframes."""
    if "num_keyframes" not in pipeline.config:
        return [("", {})]
    second = {"deaf_interpolator": deaf}
    return [(", uniform keyframes", second | {"selection": "uniform"}), (", keyframes", second)]


def chance(clips: list[SyntheticClip]) -> float:
    """F1 within 1 frame of true events at shifted times: what knowing the rhythm but not the time would score."""
    times = [clip.event_times for clip in clips]
    return chance_level(times, times, FRAME, duration=2.0).f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=model_of, metavar="NAME=FOLDER[@SCALES]")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--steps", type=int, help="sampling steps of the models; their own setting if not given")
    parser.add_argument("--interpolator", default="tiny", help="KeyVID model whose second stage it is")
    parser.add_argument("--deaf", action="store_true", help="interpolate without the sound")
    parser.add_argument("--only", action="store_true", help="leave out static and true frames")
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = SyntheticWorld(HELD_OUT)
    clips = [world[i] for i in range(options.clips)]
    interpolator = load(options.interpolator)
    rows = [] if options.only else given(clips, interpolator, options.deaf)
    for word in options.models:
        rows += rows_of(word, clips, interpolator, options)
    print(table("methods_world/methods", [HEAD, *rows]))
    print(f"\nChance level of F1 within 1 frame (circular shifts): {chance(clips):.3f}.")


if __name__ == "__main__":
    main()
