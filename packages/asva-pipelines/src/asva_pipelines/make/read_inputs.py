"""The picture and the sound of a command line: read, checked, and remarked upon where they are unusual."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asva_pipelines.notes import note

if TYPE_CHECKING:
    import numpy as np

    from asva_audio import Audio

SILENCE = 1e-4  # -80 dB
SOUND_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@contextmanager
def naming(option: str, argument: str = "path") -> Generator[None]:
    """Let an error about an argument of a function name the option that gave it."""
    try:
        yield
    except ValueError as error:
        text = str(error).replace(f"`{argument}`", f"`{option}`")
        raise type(error)(text if option in text else f"`{option}`: {text}") from error


def read_picture(path: Path, size: tuple[int, int], start: float = 0.0) -> np.ndarray:
    """Read a picture, or a frame of a video.

    Args:
        path: A picture or a video.
        size: Height and width of the video to be made, for a remark about pictures that are smaller.
        start: Second of a video at which its frame is shown.

    Returns:
        (h, w, 3) uint8.

    Raises:
        MediaError: If the file is neither.
    """
    with naming("--image"):
        picture = picture_or_frame(path, start)
    height, width = picture.shape[:2]
    if height < size[0] or width < size[1]:
        note(
            f"Note: '{path}' has {width}x{height} pixels, fewer than the video ({size[1]}x{size[0]}): it is enlarged. "
            f"A larger picture gives a sharper video."
        )
    return picture


def picture_or_frame(path: Path, start: float) -> np.ndarray:
    from asva_data import MediaError, iter_frames, probe, read_image

    try:
        return read_image(path)
    except MediaError:
        if not has_pictures(path):
            raise
    # At a rate, the frame that is shown at the moment comes first, not the next one to begin.
    frames = iter_frames(path, start=start, fps=probe(path).fps) if start else iter_frames(path)
    frame = next((frame for _, frame in frames), None)
    if frame is None:
        raise MediaError(f"`path` must show something at {start:g} s, got {path}, which ends before.")
    return frame


def has_pictures(path: Path) -> bool:
    """Whether a file is a video with a picture track."""
    from asva_data import MediaError, probe

    try:
        return path.is_file() and bool(probe(path).codec)
    except MediaError:
        return False


def read_sound(
    path: Path, start: float, duration: float | None, option: str = "--audio", *, as_released: bool = False
) -> Audio:
    """Read a sound from ``start``, at a rate that a video can carry.

    Args:
        path: A sound, or a video with sound.
        start: Seconds.
        duration: Seconds at most; None is all.
        option: Which option gave the path, for messages.
        as_released: Whether two channels are scrambled, as the released AVSyncD heard them; it hears one.

    Raises:
        AudioError: If there is no sound to read.
    """
    from asva_audio import load_audio, resample

    with naming(option):
        stereo = "official" if as_released else "correct"
        audio = load_audio(path, sample_rate=None, mono=as_released, start=start, duration=duration, stereo=stereo)
    if audio.sample_rate not in SOUND_RATES:
        waveform = resample(audio.waveform, audio.sample_rate, SOUND_RATES[-1])
        audio = type(audio)(waveform=waveform, sample_rate=SOUND_RATES[-1])
    if float(audio.waveform.abs().max()) < SILENCE:
        note(
            f"Note: '{path}' is silent from second {start:g} on: nothing will move in time with it. "
            f"Choose another sound or --start."
        )
    return audio
