"""One clip of one file: the frames that networks see, all frames for motion, and the sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asva_data import (
    MediaError,
    MediaInfo,
    clip_frames,
    clip_pixels,
    clip_starts,
    iter_frames,
    middle_part,
    probe,
    shared_seconds,
)
from asva_eval.conventions import Conventions

if TYPE_CHECKING:
    import torch

MARGIN = 0.5
"""Seconds decoded around a clip, for the frame nearest to its first moment and for the official walk past its end."""
SLACK = 0.1
"""Seconds that a file may be shorter than a clip, as containers and codecs round."""
NETWORK_RATE = 16000
"""Hertz of the sound that networks are given."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One clip of one file.

    Attributes:
        path: File.
        start: Second of the file at which the clip begins; the official rule goes below 0 in short files.
        seconds: Length.
        size: Height and width of the file's pictures.
        frames: (t, h, w, 3) uint8, the frames of the protocol in its size.
        fps: Their rate.
        moving: (n, h', w', 3) uint8, every frame of the file within the clip, cropped alike but not resized.
        moving_fps: Their rate.
        waveform: (s,) float32 mono sound of the clip at the file's rate, or None without a sound track.
        sample_rate: Its rate, or None.
        network_waveform: (c, s') float32 at 16 kHz, as networks are given it (scrambled by the official rule), or None.
        stereo: The rule by which it was made.
    """

    path: Path
    start: float
    seconds: float
    size: tuple[int, int]
    frames: np.ndarray
    fps: float
    moving: np.ndarray
    moving_fps: float
    waveform: np.ndarray | None
    sample_rate: int | None
    network_waveform: torch.Tensor | None
    stereo: str

    @property
    def sound(self) -> dict[str, Any]:
        """The fields of the sound, for clips that are judged with it."""
        return {name: getattr(self, name) for name in ("waveform", "sample_rate", "network_waveform")}


def starts_of(
    path: Path, protocol: Conventions, *, clips: int | None = None, length: float | None = None
) -> list[float]:
    """Seconds at which the clips of a file begin.

    Args:
        path: File.
        protocol: Whose clips.
        clips: How many; None is the protocol's number, or one for a file that is not longer than a clip.
        length: Seconds of the file that clips are taken from; None is all of it.

    Raises:
        MediaError: If the file is shorter than a clip and the protocol leaves such files out.
    """
    length = shared_seconds(path) if length is None else length
    if protocol.short == "leave out" and length < protocol.seconds - SLACK:
        raise MediaError(f"`path` must last {protocol.seconds:g} s, got {length:.2f} s: {path}.")
    if clips is None:
        clips = protocol.clips if length > protocol.seconds + SLACK else 1
    starts = clip_starts(length, clips, clip_seconds=protocol.seconds)
    return [float(start) if protocol.short == "repeat" else max(0.0, float(start)) for start in starts]


def cut_clip(
    path: Path, start: float, protocol: Conventions, *, sound_from: Cut | None = None, sound_offset: float = 0.0
) -> Cut:
    """Read one clip.

    Args:
        path: File.
        start: Second at which it begins, see `starts_of`.
        protocol: How frames and sound are taken.
        sound_from: Clip whose sound is taken instead of the file's own.
        sound_offset: Seconds by which the file's own sound is moved later; what lies before it is silence.

    Raises:
        MediaError: If the file cannot be read or has fewer than two frames in the clip.
        AudioError: If its sound cannot be read.
    """
    info = probe(path)
    begin = max(0.0, start - MARGIN)
    pictures = list(iter_frames(path, start=begin, duration=start - begin + protocol.seconds + MARGIN))
    if not pictures:
        raise MediaError(f"`path` must show something at {start:.2f} s, got {path}, which ends before.")
    times = np.array([time for time, _ in pictures]) + begin
    inside = [p for t, (_, p) in zip(times, pictures, strict=True) if -1e-3 <= t - start < protocol.seconds - 1e-3]
    chosen = clip_frames(times, start, fps=protocol.fps, num_frames=protocol.num_frames, rule=protocol.frames)
    if len(inside) < 2:
        raise MediaError(
            f"`path` must hold two frames or more in the clip at {start:.2f} s, got {len(inside)}: {path}."
        )
    sound = _sound(path, info, start, sound_offset, protocol) if sound_from is None else sound_from.sound
    return Cut(
        path=path,
        start=start,
        seconds=protocol.seconds,
        size=inside[0].shape[:2],
        frames=_resized(np.stack([pictures[i][1] for i in chosen]), protocol.size),
        fps=protocol.fps,
        moving=np.stack(inside if protocol.size is None else [middle_part(p, protocol.size) for p in inside]),
        moving_fps=info.fps,
        stereo=protocol.stereo,
        **sound,
    )


def _resized(frames: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    if size is None or frames.shape[1:3] == size:
        return frames
    return ((clip_pixels(frames, size) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def _sound(path: Path, info: MediaInfo, start: float, offset: float, protocol: Conventions) -> dict:
    if not info.has_sound:
        return {"waveform": None, "sample_rate": None, "network_waveform": None}
    import torch

    from asva_audio import Audio, fit, load_audio, resample

    seconds, begin = protocol.seconds, max(0.0, start) - offset
    silence = max(0.0, -begin)
    whole = load_audio(path, sample_rate=None, start=max(0.0, begin), duration=seconds - silence)
    samples = torch.nn.functional.pad(whole.waveform, (round(silence * whole.sample_rate), 0))
    if protocol.stereo == "official":
        options = {"mono": False, "start": start - offset, "duration": seconds, "stereo": "official"}
        network = load_audio(path, sample_rate=NETWORK_RATE, **options)
    else:
        network = fit(Audio(resample(samples, whole.sample_rate, NETWORK_RATE), NETWORK_RATE), seconds)
    return {"waveform": samples[0].numpy(), "sample_rate": whole.sample_rate, "network_waveform": network.waveform}
