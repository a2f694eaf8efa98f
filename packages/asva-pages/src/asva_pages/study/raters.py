"""Who rates, what each has answered, and the videos that they are shown; answers are on the disk when that is said."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from asva_curate.review.log import append_row, read_rows
from asva_data import MediaError, read_video, write_video
from asva_data.preview import write_preview
from asva_data.synthetic import faults
from asva_pages.copies import Copies
from asva_pages.study.plan import NAME, Study, open_study

ANSWERS = ("left", "same", "right")
MOST = 1000
"""Raters of a study."""
SIDE, CRF = 1080, 16
"""Of the copies that are shown: pixels of the shorter side at most, and the quality of x264."""
NOISE, LATER = 60.0, 0.7
"""How a video is spoilt besides the order of its frames: noise in grey levels, seconds by which its sound is late."""


class Raters:
    """Everyone who rates in a study.

    Args:
        folder: Of a study; answers are ``answers/<rater>.jsonl`` below it, copies of videos lie in ``videos/``.

    Raises:
        MediaError: If there is no study.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.study: Study = open_study(folder)
        self.folder, self._writing = Path(folder), threading.Lock()
        (self.folder / "videos").mkdir(exist_ok=True)
        self._copies = Copies(self.folder / "videos")

    def enter(self, rater: str) -> dict[str, Any]:
        """Begin to rate, or go on under the same name.

        Raises:
            MediaError: If it is no name, or everyone is here.
        """
        if not NAME.fullmatch(rater):
            raise MediaError(f"`rater` must be letters, digits, '.', '_' or '-', at most 64, got {rater!r}.")
        with self._writing:
            count = len(list(self._log(rater).parent.glob("*.jsonl")))
            if not self._rows(rater):
                if count >= MOST:
                    raise MediaError(f"`rater` must be one of {MOST} at most.")
                append_row(self._log(rater), {"number": count, "at": _now()})
        return self.state(rater)

    def state(self, rater: str) -> dict[str, Any]:
        """What a rater is shown and has answered, and nothing of which system is which.

        Raises:
            KeyError: If nobody entered under that name.
        """
        trials, answers = self.answers(rater)
        return {
            "rater": rater,
            "questions": self.study.questions,
            "trials": [
                {
                    "left": self.study.key(one.clip, one.left, spoilt=one.spoilt == "left"),
                    "right": self.study.key(one.clip, one.right, spoilt=one.spoilt == "right"),
                    "answers": answers.get(place, {}).get("answers"),
                }
                for place, one in enumerate(trials)
            ],
        }

    def answers(self, rater: str) -> tuple[list[Any], dict[int, Mapping[str, Any]]]:
        """The trials of a rater, and the last answers to each by its place.

        Raises:
            KeyError: If nobody entered under that name.
        """
        rows = self._rows(rater) if NAME.fullmatch(rater) else []
        if not rows:
            raise KeyError(rater)
        return self.study.plan(rows[0]["number"]), {row["trial"]: row for row in rows[1:]}

    def names(self) -> list[str]:
        """Everyone who entered."""
        return sorted(path.stem for path in (self.folder / "answers").glob("*.jsonl") if self._rows(path.stem))

    def save(self, rater: str, asked: Mapping[str, Any]) -> None:
        """Check answers as the page sends them and write them down; ``{}`` says that the videos could not be played.

        Raises:
            KeyError: If nobody entered under that name.
            MediaError: If they answer no trial of the rater.
            OSError: If the disk is full or the like.
        """
        place, given, count = asked.get("trial"), asked.get("answers"), len(self.answers(rater)[0])
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < count:
            raise MediaError(f"`trial` must be a number from 0 to {count - 1}.")
        known = isinstance(given, dict) and (not given or given.keys() == self.study.questions.keys())
        if not known or not all(one in ANSWERS for one in given.values()):
            raise MediaError(f"`answers` must be one of {', '.join(ANSWERS)} to each question.")
        with self._writing:
            append_row(self._log(rater), {"trial": place, "answers": given, "at": _now()})

    def video(self, key: str) -> Path:
        """A copy of a video, encoded alike for all systems.

        Raises:
            KeyError: If there is no such video.
            MediaError: If its file cannot be read.
        """
        path, spoilt = self.study.keys[key]
        return self._copies.get(key, lambda target: (_spoil if spoilt else _copy)(path, target))

    def _rows(self, rater: str) -> list[Any]:
        return list(read_rows(self._log(rater))) if self._log(rater).exists() else []

    def _log(self, rater: str) -> Path:
        return self.folder / "answers" / f"{rater}.jsonl"


def _copy(path: str, target: Path) -> None:
    write_preview(path, target, side=SIDE, crf=CRF)


def _spoil(path: str, target: Path) -> None:
    """Noise, frames in any order and a late sound: worse whatever is asked."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        clip = read_video(write_preview(path, Path(folder) / "whole.mp4", side=SIDE, crf=CRF))
    if clip.waveform is None or clip.sample_rate is None:  # the file is another one by now
        raise MediaError(f"`path` must be a video with sound, got {path} without.")
    fps = (len(clip.times) - 1) / (clip.times[-1] - clip.times[0]) if len(clip.times) > 1 else 1.0
    generator = np.random.default_rng(0)
    frames = faults.add_noise(generator.permutation(clip.frames), NOISE, generator)
    sound = np.roll(clip.waveform, round(LATER * clip.sample_rate), axis=-1)
    write_video(target, frames, fps=fps, waveform=sound, sample_rate=clip.sample_rate, crf=CRF)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
