"""Motion scores of a dataset's videos by RAFT, stored beside them (KeyVID, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from asva_data import MediaError, iter_frames
from asva_data.listing import score_file, video_files
from asva_keyframe import load_raft, motion_score
from asva_keyframe.raft import raft_flow
from asva_weights import staged

TALLEST, HEIGHT = 480, 360  # pixels; the original brings what is taller to this height


def store_motion_scores(
    folder: Path,
    weights: Path,
    *,
    device: str = "cpu",
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[Path, str]]:
    """Write ``NAME.npy`` beside each video, one score for each pair of its frames; what is there stays.

    Args:
        folder: A dataset, or a folder of videos.
        weights: Of RAFT (``raft-things.pth``), see :func:`asva_keyframe.load_raft`.
        device: Where RAFT runs.
        on_video: Called with the number of videos that are done, and of all.

    Returns:
        Videos that cannot be read, each with the reason.

    Raises:
        ConversionError: If the weights are not RAFT's.
        MediaError: If there is no such folder.
    """
    videos, failures = video_files(folder), []
    model = load_raft(weights, device)
    for done, path in enumerate(videos, start=1):
        target = score_file(path, folder, "beside")
        try:
            if not target.is_file():
                scores = [motion_score(raft_flow(model, *pair)) for pair in pairwise(_frames(path))]
                with staged(target) as (draft,):
                    np.save(draft, np.asarray(scores, np.float32))
        except MediaError as error:
            failures.append((path, str(error)))
        on_video(done, len(videos))
    return failures


def _frames(path: Path):
    """Frames of a video, tall ones smaller: in the original's way, which changes their aspect by the height alone."""
    for _, frame in iter_frames(path):
        height, width = frame.shape[:2]
        if height > TALLEST:
            frame = np.asarray(Image.fromarray(frame).resize((int(width * TALLEST / height), HEIGHT), Image.NEAREST))
        yield frame
