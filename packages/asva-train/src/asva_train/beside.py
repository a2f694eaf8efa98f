"""What trainings need of videos, measured once and stored beside them: motion by RAFT, tracks of the sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from asva_audio import demix_file, load_demucs
from asva_data import MediaError, iter_frames
from asva_data.listing import video_files
from asva_keyframe import load_raft, motion_score
from asva_keyframe.raft import raft_flow
from asva_weights import staged

TALLEST, HEIGHT = 480, 360  # pixels; the original brings what is taller to this height
OnVideo = Callable[[int, int], None]


def store_motion_scores(
    folder: Path, weights: Path, *, device: str = "cpu", on_video: OnVideo | None = None
) -> list[tuple[Path, str]]:
    """Write ``NAME.npy`` beside each video: RAFT's motion of each pair of its frames (KeyVID, section 3.1).

    Args:
        folder: A dataset, or a folder of videos. What is stored already stays.
        weights: Of RAFT (``raft-things.pth``), see :func:`asva_keyframe.load_raft`.
        device: Where RAFT runs.
        on_video: Called with the number of videos that are done, and of all.

    Returns:
        Videos that cannot be read, each with the reason.

    Raises:
        ConversionError: If the weights are not RAFT's.
        MediaError: If there is no such folder.
    """
    model = load_raft(weights, device)

    def store(path: Path) -> None:
        target = path.with_suffix(".npy")
        if not target.is_file():
            scores = [motion_score(raft_flow(model, *pair)) for pair in pairwise(_frames(path))]
            with staged(target) as (draft,):
                np.save(draft, np.asarray(scores, np.float32))

    return _each(folder, store, on_video)


def store_stems(
    folder: Path, weights: Path | None = None, *, on_video: OnVideo | None = None
) -> list[tuple[Path, str]]:
    """Write the tracks of each video's sound into a folder of its name beside it (MTV, section 3.1).

    Args:
        folder: A dataset, or a folder of videos. What is stored already stays.
        weights: Checkpoint of an HTDemucs; without it masks do it, which are approximate.
        on_video: Called with the number of videos that are done, and of all.

    Returns:
        Videos whose sound cannot be read, each with the reason.

    Raises:
        MediaError: If there is no such folder.
        ImportError: If `weights` are given and torchaudio is missing.
    """

    if weights is not None:
        load_demucs(weights)  # says what is wrong with them before the first video

    def store(path: Path) -> None:
        if not (path.with_suffix("") / "stems.json").is_file():
            demix_file(path, path.with_suffix(""), weights=weights)

    return _each(folder, store, on_video)


def _each(folder: Path, store: Callable[[Path], None], on_video: OnVideo | None) -> list[tuple[Path, str]]:
    """Store something of each video; those that cannot be read, with the reason."""
    videos, failures = video_files(folder), []
    for done, path in enumerate(videos, start=1):
        try:
            store(path)
        except (MediaError, ValueError) as error:
            failures.append((path, str(error)))
        if on_video is not None:
            on_video(done, len(videos))
    return failures


def _frames(path: Path) -> Iterator[np.ndarray]:
    """Frames of a video; tall ones become smaller as in the original, by their height alone."""
    for _, frame in iter_frames(path):
        height, width = frame.shape[:2]
        if height > TALLEST:
            frame = np.asarray(
                Image.fromarray(frame).resize((int(width * TALLEST / height), HEIGHT), Image.Resampling.NEAREST)
            )
        yield frame
