"""What a study compares, in which order and on which side; the questions are those of AVSyncD (section 5.2)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from asva_data import MediaError, probe
from asva_data.listing import video_files
from asva_weights.files import write_json
from asva_weights.text import read_text, reading

NAME = re.compile(r"\w[\w.\-]{0,63}")
"""What raters and questions may be called; both name files."""
FILE = "study.json"
QUESTIONS = {
    "quality": "Which video has the better image quality?",
    "consistency": "Which video is more consistent from frame to frame?",
    "synchronization": "Which video moves better in time with its sound?",
}


@dataclass(frozen=True)
class Trial:
    """Two videos of one clip.

    Attributes:
        clip: Name of the file below the systems' folders, without its ending.
        left: System on the left.
        right: System on the right; in a check of attention the same.
        spoilt: Side whose video is spoilt so that anyone sees and hears it, "left" or "right"; empty in a comparison.
    """

    clip: str
    left: str
    right: str
    spoilt: str = ""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared; all of it stands in ``study.json``.

    Attributes:
        videos: Paths by clip and system.
        questions: What is asked of every two videos, by name.
        trials: Comparisons that a rater is asked for.
        checks: Checks of attention among them.
        seed: Of order, sides and checks.
        salt: Makes the addresses of videos say nothing of what they are.
    """

    videos: dict[str, dict[str, str]]
    questions: dict[str, str]
    trials: int
    checks: int
    seed: int
    salt: str

    @cached_property
    def comparisons(self) -> list[tuple[str, str, str]]:
        """Every two systems of every clip."""
        return [(clip, *two) for clip, found in self.videos.items() for two in combinations(sorted(found), 2)]

    def plan(self, number: int) -> list[Trial]:
        """What the rater who came as the `number`-th, counted from 0, is shown.

        All raters go through one shuffled list of comparisons, each from where the one before ends, so that all
        comparisons are made equally often; order and sides within a rater's share are the rater's own.
        """
        order = np.random.default_rng(self.seed).permutation(len(self.comparisons))
        generator = np.random.default_rng([self.seed, number])
        share = (number * self.trials + generator.permutation(self.trials)) % len(order)
        trials = []
        for clip, *two in (self.comparisons[order[place]] for place in share):
            trials.append(Trial(clip, *generator.permutation(two).tolist()))
        for _ in range(self.checks):
            clip, *two = self.comparisons[generator.integers(len(order))]
            check = Trial(clip, *[str(generator.choice(two))] * 2, str(generator.choice(["left", "right"])))
            trials.insert(generator.integers(len(trials) + 1), check)
        return trials

    def key(self, clip: str, system: str, *, spoilt: bool) -> str:
        """The address of a video, which says nothing of what it is."""
        return hashlib.sha256(json.dumps([self.salt, clip, system, spoilt]).encode()).hexdigest()[:24]

    @cached_property
    def keys(self) -> dict[str, tuple[str, bool]]:
        """Path and whether it is to be spoilt, by key."""
        found = [(clip, system, path) for clip, systems in self.videos.items() for system, path in systems.items()]
        return {self.key(c, s, spoilt=bad): (path, bad) for c, s, path in found for bad in (False, True)}


def begin_study(
    folder: str | os.PathLike,
    systems: Mapping[str, str | os.PathLike],
    *,
    questions: Mapping[str, str] | None = None,
    trials: int = 30,
    checks: int = 3,
    seed: int = 0,
) -> Study:
    """Write ``study.json`` of the clips that at least two systems have.

    Args:
        folder: Made if it is missing.
        systems: Folders of videos with sound, by name; videos of one clip have one name in all of them.
        questions: Texts by name; None asks AVSyncD's three.
        trials: Comparisons that a rater is asked for, at most as many as there are.
        checks: Checks of attention among them.
        seed: Of order, sides and checks.

    Raises:
        MediaError: If there is a study already, fewer than two systems share a clip, a video lacks sound, or a question
            cannot be asked.
    """
    folder, asked = Path(folder), dict(questions or QUESTIONS)
    if (folder / FILE).exists():
        raise MediaError(f"`folder` must hold no study yet, got {folder}; go on with it without naming systems.")
    if bad := [name for name, text in asked.items() if not NAME.fullmatch(name) or not text.strip()]:
        raise MediaError(f"`questions` must have names of letters, digits, '.', '_' or '-' and a text, got {bad[0]!r}.")
    videos: dict[str, dict[str, str]] = {}
    for system, home in systems.items():
        for path in video_files(home := Path(home)):
            videos.setdefault(path.relative_to(home).with_suffix("").as_posix(), {})[system] = str(path.resolve())
    shared = {clip: found for clip, found in sorted(videos.items()) if len(found) > 1}
    if not shared:
        raise MediaError(f"`systems` must have videos of the same names, got none in {', '.join(systems)}.")
    for path in (path for found in shared.values() for path in found.values()):
        if not probe(path).has_sound:
            raise MediaError(f"`systems` must have videos with sound, got {path} without.")
    study = Study(videos=shared, questions=asked, trials=trials, checks=checks, seed=seed, salt=secrets.token_hex(16))
    if not 1 <= trials <= len(study.comparisons) or checks < 0:
        raise MediaError(f"`trials` must lie between 1 and {len(study.comparisons)} comparisons, got {trials}.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, asdict(study))
    return study


def open_study(folder: str | os.PathLike) -> Study:
    """A study that was begun.

    Raises:
        MediaError: If there is none, or its file is damaged.
    """
    path = Path(folder, FILE)
    with reading(path, "`folder` must hold a study", MediaError):
        return Study(**json.loads(read_text(path)))
