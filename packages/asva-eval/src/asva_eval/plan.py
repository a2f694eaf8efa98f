"""The plan of an evaluation: every clip that is to be measured, and what had to be left out and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asva_data import shared_seconds
from asva_eval.conventions import Conventions
from asva_eval.cutting import SLACK, starts_of
from asva_eval.matching import MatchError, Matching, Pair


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip begins in which file."""

    path: Path
    start: float
    mark: str = ""
    """Tells numbered clips apart that begin at the same moment, as in a file that is no longer than one."""
    sound_offset: float = 0.0
    """Seconds by which its sound is moved later."""


@dataclass
class ClipTask:
    """One clip of a true file, with what the systems made of it.

    Attributes:
        key: Its name, that of its records.
        video: True file, below its folder.
        reference: The true clip.
        class_name: Class, as written.
        text: What text scores compare with.
        generated: The clip of each system that has it.
    """

    key: str
    video: str
    reference: ClipPlace
    class_name: str
    text: str
    generated: dict[str, ClipPlace] = field(default_factory=dict)


@dataclass
class ClipPlan:
    """All clips, and what was left out.

    Attributes:
        tasks: In the order of their keys.
        systems: Names, in the order given.
        left_out: (system, file, reason) of files that cannot be used.
        unmatched: By system, generated files without a true one and true files without a generated one.
    """

    tasks: list[ClipTask]
    systems: list[str]
    left_out: list[tuple[str, str, str]]
    unmatched: dict[str, dict[str, list[str]]]


def make_plan(
    matchings: Mapping[str, Matching],
    reference: Path,
    protocol: Conventions,
    on_file: Callable[[int, int], None] | None = None,
) -> ClipPlan:
    """Find every clip of every system and the true clip that it belongs to.

    Args:
        matchings: Pairs of files by system.
        reference: Folder of the true files.
        protocol: How clips are taken.
        on_file: Called with the number of files looked at, and of all.

    Raises:
        MatchError: If a numbered clip is beyond the protocol's number, or no clip is left.
    """
    tasks: dict[str, ClipTask] = {}
    left_out = []
    total, done = sum(len(matching.pairs) for matching in matchings.values()), 0
    for system, matching in matchings.items():
        for pair in matching.pairs:
            try:
                for generated, true in _places(pair, protocol):
                    task = _task(tasks, pair, true, reference, protocol)
                    task.generated[system] = generated
            except MatchError:
                raise
            except (ValueError, OSError) as error:
                left_out.append((system, pair.name, str(error)))
            done += 1
            if on_file:
                on_file(done, total)
    if not tasks:
        system, name, reason = left_out[0]
        raise MatchError(f"No clip can be measured, all {len(left_out)} were left out; the first, {name}: {reason}")
    unmatched = {
        system: {
            "generated": [str(path) for path in matching.generated_alone],
            "reference": [str(path) for path in matching.reference_alone],
        }
        for system, matching in matchings.items()
    }
    return ClipPlan([tasks[key] for key in sorted(tasks)], list(matchings), left_out, unmatched)


def _places(pair: Pair, protocol: Conventions) -> list[tuple[ClipPlace, ClipPlace]]:
    """(generated, true) clips of one pair of files."""
    if pair.clip is not None:
        starts = starts_of(pair.reference, protocol, clips=protocol.clips)
        if pair.clip >= len(starts):
            raise MatchError(
                f"`clips` of the protocol must be above the number of {pair.generated.name}, got {protocol.clips}; "
                "take or write a protocol with more clips of each video."
            )
        own = starts_of(pair.generated, protocol, clips=1)[0]
        moments = [f"{start:.3f}" for start in starts]
        mark = f"_clip-{pair.clip:02}" if moments[pair.clip] in moments[: pair.clip] else ""
        return [(ClipPlace(pair.generated, own), ClipPlace(pair.reference, starts[pair.clip], mark))]
    first = 0.0 if pair.start is None else pair.start
    room, length = shared_seconds(pair.reference) - first, shared_seconds(pair.generated)
    # Files that are as long as the true one but for rounding are cut at the same moments whoever made them.
    length = room if abs(length - room) <= SLACK else length
    starts = starts_of(pair.generated, protocol, length=length)
    starts_of(pair.reference, protocol, length=room - max(starts[-1], 0.0))  # whether the last one is there
    return [(ClipPlace(pair.generated, start), ClipPlace(pair.reference, first + max(0.0, start))) for start in starts]


def _task(tasks: dict[str, ClipTask], pair: Pair, true: ClipPlace, root: Path, protocol: Conventions) -> ClipTask:
    video = true.path.relative_to(root).as_posix() if true.path.is_relative_to(root) else true.path.name
    key = f"{video.rsplit('.', 1)[0]}@{true.start:.3f}{true.mark}"
    text = _text(pair, protocol)
    task = tasks.setdefault(key, ClipTask(key, video, true, "", ""))
    task.class_name, task.text = task.class_name or pair.class_name, task.text or text
    if task.reference.path != true.path:
        raise MatchError(f"`reference` must name its files apart, got {task.reference.path} and {true.path}.")
    return task


def _text(pair: Pair, protocol: Conventions) -> str:
    if protocol.text == "caption":
        return pair.caption
    return pair.class_name if protocol.text == "folder" else " ".join(pair.class_name.replace("_", " ").split())
