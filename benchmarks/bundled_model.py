"""Figures of the bundled model on held-out clips of the synthetic world, as tables in Markdown.

    python benchmarks/bundled_model.py                   # 128 clips, every control
    python benchmarks/bundled_model.py --steps           # steps against F1, PSNR and CPU seconds
    python benchmarks/bundled_model.py --sheet sheet.png # contact sheet of 16 clips
    python benchmarks/bundled_model.py --lpips FOLDER    # looks, with the files of LPIPS

Everything is generated from the sound: the localizer predicts the curve, the keyframes come from it. A score is an F1
of events read off the pixels (asva_data.synthetic.detect_events) with a 95 % bootstrap interval over clips.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lpips_distance import lpips_of
from results import markdown, table

from asva_data import SyntheticClip, SyntheticWorld, detect_events
from asva_data.synthetic.catalogue import CLASSES, EVENT_CLASSES
from asva_metrics import (
    Interval,
    bootstrap_interval,
    chance_level,
    curve_correlation,
    event_scores,
    match_events,
    moving_psnr,
    psnr,
)
from asva_unet.pixels import decode_latents, encode_pixels, to_frames, to_pixels

FRAME = 1 / 24
HELD_OUT = 1_000_003
BATCH = 16
# Keyframe steps, interpolator steps, audio guidance of the keyframes.
SETTINGS = [
    (1, 1, 1.0),
    (2, 1, 1.0),
    (2, 1, 2.0),
    (4, 1, 1.0),
    (4, 1, 2.0),
    (4, 2, 1.0),
    (4, 2, 2.0),
    (8, 2, 2.0),
    (8, 4, 2.0),
]


@dataclass
class Sampled:
    """Generated frames of each clip, and what the localizer heard."""

    frames: list[np.ndarray]
    curves: list[np.ndarray] | None
    cpu_seconds: float


def sample(
    pipeline, clips: list[SyntheticClip], sounds: list[np.ndarray], *, deaf_interpolator: bool = False, **options
) -> Sampled:
    """One video for each clip's first frame and the given sound, which the second stage may be denied."""
    frames, curves, start = [], [], time.process_time()
    for first in range(0, len(clips), BATCH):
        batch = range(first, min(first + BATCH, len(clips)))
        out = pipeline(
            [clips[i].frames[0] for i in batch],
            [torch.as_tensor(sounds[i]) for i in batch],
            [clips[i].caption for i in batch],
            sample_rate=clips[0].sample_rate,
            generator=seeds(batch),
            **options,
        )
        if deaf_interpolator:
            drawn = list(out.keyframe_frames), out.keyframe_indices, None, [clips[i].caption for i in batch]
            out = replace(out, frames=pipeline.interpolate(*drawn, generator=seeds(batch)).frames)
        frames += list(out.frames)
        curves += [] if getattr(out, "motion_curve", None) is None else list(out.motion_curve)
    return Sampled(frames, curves or None, (time.process_time() - start) / len(clips))


def seeds(batch: range) -> list[torch.Generator]:
    """A generator for each clip."""
    return [torch.Generator().manual_seed(i) for i in batch]


def interval(values: list, statistic: Callable | None = None) -> Interval:
    return bootstrap_interval(values, statistic, generator=np.random.default_rng(0))


def matches(frames: list[np.ndarray], clips: list[SyntheticClip], heard: list[SyntheticClip], tolerance: int) -> list:
    """Events seen in frames of ``clips``' scenes against the events of the clips that were heard; sides count."""
    pairs = zip(frames, clips, heard, strict=True)
    found = [(detect_events(shown, clip.scene), other) for shown, clip, other in pairs]
    return [
        match_events(
            seen.times,
            other.event_times,
            tolerance * FRAME,
            predicted_labels=seen.labels,
            target_labels=other.event_labels,
        )
        for seen, other in found
    ]


def f1(found: list) -> Interval:
    return interval(found, lambda some: event_scores(some).f1)


def partners(clips: list[SyntheticClip]) -> list[SyntheticClip]:
    """For each clip another one of the same class, whose sound it is given instead."""
    worlds = {name: SyntheticWorld(HELD_OUT + 1, classes=(name,), two_objects=0.0) for name in CLASSES}
    return [worlds[clip.class_name][index] for index, clip in enumerate(clips)]


def controls(pipeline, clips: list[SyntheticClip]) -> str:
    """The main table: own sound, another's, none, uniform keyframes, a still picture, the truth."""
    own, others = [clip.waveform for clip in clips], partners(clips)
    swapped = [clip.waveform for clip in others]
    runs = {
        "its own sound": (sample(pipeline, clips, own), clips),
        "its own sound, uniform keyframes": (sample(pipeline, clips, own, selection="uniform"), clips),
        "its own sound, for the keyframes alone": (sample(pipeline, clips, own, deaf_interpolator=True), clips),
        "its own sound, for uniform keyframes alone": (
            sample(pipeline, clips, own, selection="uniform", deaf_interpolator=True),
            clips,
        ),
        "another clip's sound, against the sound given": (sample(pipeline, clips, swapped), others),
        "no sound": (sample(pipeline, clips, own, no_audio=True), clips),
        "a still picture": (Sampled([np.repeat(clip.frames[:1], 48, 0) for clip in clips], None, 0.0), clips),
        "true frames": (Sampled([clip.frames for clip in clips], None, 0.0), clips),
    }
    runs["another clip's sound, against the clip's own"] = (
        runs["another clip's sound, against the sound given"][0],
        clips,
    )
    rows = [("frames from", "F1 within 1 frame", "F1 within 2 frames", "PSNR, moving pixels", "PSNR")]
    for name, (run, heard) in runs.items():
        near, far = (f1(matches(run.frames, clips, heard, tolerance)) for tolerance in (1, 2))
        rows.append((name, f"{near:.3f}", f"{far:.3f}", *quality(run, clips, "another" in name)))
    run = runs["its own sound"][0]
    found = matches(run.frames, clips, clips, 1)
    times = [clip.event_times for clip in clips]
    seen = [detect_events(shown, clip.scene).times for shown, clip in zip(run.frames, clips, strict=True)]
    chance = chance_level(seen, times, FRAME, duration=2.0).f1
    wide = matches(run.frames, clips, clips, 2)
    error = interval(wide, lambda some: event_scores(some).mean_abs_error_ms)
    # The bundled localizer counts motion for the frame at which it ends.
    correlation = curve_correlation(
        run.curves,
        [np.r_[clip.motion_score[:1], clip.motion_score[:-1]] for clip in clips],
        generator=np.random.default_rng(0),
    )
    return "\n\n".join(
        [
            table("bundled_model/controls", rows),
            f"Chance level of F1 within 1 frame (circular shifts): {chance:.3f}. "
            f"Mean absolute timing error of events matched within 2 frames: {error:.1f} ms. "
            f"Localizer, correlation of predicted and true motion curve: {correlation.mean:.3f}. "
            f"CPU seconds per clip, everything included: {run.cpu_seconds:.2f}.",
            per_class(clips, found, wide),
            two_objects(clips, run),
        ]
    )


def quality(run: Sampled, clips: list[SyntheticClip], skip: bool) -> tuple[str, str]:
    """PSNR over moving pixels and over all pixels; of another clip's sound there is no truth to compare with."""
    if skip:
        return "", ""
    pairs = list(zip(run.frames, clips, strict=True))
    moving = [moving_psnr(shown, clip.frames, clip.mask) for shown, clip in pairs if clip.mask.any()]
    whole = [psnr(shown, clip.frames) for shown, clip in pairs]
    if not np.isfinite(whole).all():
        return "", ""
    return f"{interval(moving):.1f}", f"{interval(whole):.1f}"


def per_class(clips: list[SyntheticClip], near: list, wide: list) -> str:
    rows = [("class", "clips", "F1 within 1 frame", "F1 within 2 frames")]
    for name in EVENT_CLASSES:
        mine = [i for i, clip in enumerate(clips) if clip.class_name == name]
        if mine:
            pair = (f1([found[i] for i in mine]) for found in (near, wide))
            rows.append((name, str(len(mine)), *(f"{value:.3f}" for value in pair)))
    return markdown(rows)


def two_objects(clips: list[SyntheticClip], run: Sampled) -> str:
    right = [
        float(detect_events(shown, clip.scene).object_index == clip.moving_object)
        for shown, clip in zip(run.frames, clips, strict=True)
        if len(clip.scene["objects"]) == 2
    ]
    return f"Two objects ({len(right)} clips): the right one moves in {interval(right):.3f}." if right else ""


def steps(pipeline, clips: list[SyntheticClip]) -> str:
    """Steps and guidance against F1, PSNR and CPU seconds."""
    rows = [
        ("keyframe steps", "interpolator steps", "audio guidance", "F1 within 1 frame", "moving PSNR", "CPU s/clip")
    ]
    sounds = [clip.waveform for clip in clips]
    for first, second, scale in SETTINGS:
        run = sample(
            pipeline,
            clips,
            sounds,
            num_inference_steps=first,
            interp_num_inference_steps=second,
            audio_guidance_scale=scale,
        )
        score, (moving, _) = f1(matches(run.frames, clips, clips, 1)), quality(run, clips, False)
        rows.append((str(first), str(second), str(scale), f"{score:.3f}", moving, f"{run.cpu_seconds:.2f}"))
        print(" | ".join(rows[-1]), flush=True)
    return table("bundled_model/steps", rows)


def sheet(pipeline, clips: list[SyntheticClip], path: Path) -> None:
    """Every sixth frame of 16 clips: generated above true."""
    from PIL import Image

    run = sample(pipeline, clips, [clip.waveform for clip in clips])
    rows = [
        np.concatenate([np.concatenate(list(frames[::6]), axis=1) for frames in (shown, clip.frames)], axis=0)
        for shown, clip in zip(run.frames, clips, strict=True)
    ]
    columns = [np.concatenate(rows[i::2], axis=0) for i in range(2)]
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST).save(path)


def looks(pipeline, clips: list[SyntheticClip], distance: Callable) -> str:
    """LPIPS and PSNR with the head that carries texture, without it, by the autoencoder alone, of a still picture."""
    sounds = [clip.waveform for clip in clips]
    runs = {"the model": sample(pipeline, clips, sounds)}
    pipeline.texture_carry = None
    runs |= {
        "without the head that carries texture": sample(pipeline, clips, sounds),
        "true frames through its autoencoder": Sampled([restored(pipeline.vae, clip) for clip in clips], None, 0.0),
        "a still picture": Sampled([np.repeat(clip.frames[:1], 48, 0) for clip in clips], None, 0.0),
    }
    rows = [("frames from", "LPIPS", "PSNR, moving pixels")]
    for name, run in runs.items():
        far = [distance(shown, clip.frames) for shown, clip in zip(run.frames, clips, strict=True)]
        rows.append((name, f"{interval(far):.3f}", quality(run, clips, False)[0]))
    return table("bundled_model/looks", rows)


@torch.no_grad()
def restored(vae, clip: SyntheticClip) -> np.ndarray:
    """A clip's frames, encoded and decoded."""
    latents = encode_pixels(vae, to_pixels(torch.as_tensor(clip.frames)), None)
    return to_frames(decode_latents(vae, latents[None], len(latents))[0]).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=None, help="pipeline folder; the bundled model if not given")
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--lpips", type=Path, help="folder with alexnet-owt-7be5be79.pth and alex.pth")
    parser.add_argument("--bf16", action="store_true", help="sample in bfloat16")
    options = parser.parse_args()
    torch.set_num_threads(1)

    from asva_pipelines import KeyVIDPipeline

    if options.model is None:
        from asva_pipelines import resolve_model

        options.model = resolve_model("tiny")
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    pipeline = KeyVIDPipeline.from_pretrained(options.model, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    world = SyntheticWorld(HELD_OUT)
    if options.sheet:
        sheet(pipeline, [world[i] for i in range(16)], options.sheet)
    else:
        clips = [world[i] for i in range(options.clips)]
        done = (
            partial(looks, distance=lpips_of(options.lpips)) if options.lpips else steps if options.steps else controls
        )
        print(done(pipeline, clips))


if __name__ == "__main__":
    main()
