"""Files that show or sound the same: candidates by an index of hashes, then a comparison of the two in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import SetRule

LEAST_PRINTS = 15  # tenths of a second of sound in common below which it is no evidence
LEAST_FRAMES = 3  # frames in common below which pictures are none
MANY = 64  # files that share a piece of a hash; more say nothing (black, a channel's logo)


class HashIndex:
    """Finds the known files that look or sound like another, without comparing all with all.

    A frame's 64 bits are cut into four pieces of 16: two frames that differ in few bits share a piece more often than
    not, and files have many frames. A sound's prints are looked up as they are.
    """

    def __init__(self, rule: SetRule | None = None) -> None:
        self.rule = rule or SetRule()
        self._known: list[Measurements] = []
        self._buckets: dict[tuple[int, int], list[int]] = defaultdict(list)

    def add(self, measured: Measurements) -> None:
        """Remember a file."""
        self._known.append(measured)
        for key in _keys(measured):
            self._buckets[key].append(len(self._known) - 1)

    def find(self, measured: Measurements) -> tuple[Measurements, str] | None:
        """The known file that is the same as this one, and in what ("pictures", "sound"), or None."""
        hits: dict[int, int] = defaultdict(int)
        for key in _keys(measured):
            found = self._buckets.get(key, ())
            for place in found if len(found) <= MANY else ():
                hits[place] += 1
        for place in sorted(hits, key=lambda place: (-hits[place], place)):
            what = same(self._known[place], measured, self.rule)
            if what:
                return self._known[place], what
        return None


def same(first: Measurements, second: Measurements, rule: SetRule | None = None) -> str:
    """In what two files are the same: "pictures", "sound" or nothing (an empty string).

    Any offset in time between the two is allowed, and either may be a part of the other.
    """
    rule = rule or SetRule()
    if _pictures_in_common(first, second, rule.hash_bits) >= rule.hash_share:
        return "pictures"
    if _sound_distance(first.sound_prints, second.sound_prints) <= rule.print_bits:
        return "sound"
    return ""


def _keys(measured: Measurements) -> Iterator[tuple[int, int]]:
    seen = set()
    for value in measured.frame_hashes[measured.frame_hashes > 0].tolist():
        seen.update((piece, value >> 16 * piece & 0xFFFF) for piece in range(4))
    seen.update((4, value) for value in measured.sound_prints[measured.sound_prints > 0].tolist())
    return iter(sorted(seen))


def _pictures_in_common(first: Measurements, second: Measurements, bits: int) -> float:
    """Share of the frames of the shorter file that appear in the other, at one offset in time."""
    (times_a, a), (times_b, b) = _informative(first), _informative(second)
    least = min(len(a), len(b))
    if least < LEAST_FRAMES:
        return 0.0
    close = np.bitwise_count(a[:, None] ^ b[None]) <= bits
    offsets = (times_a[:, None] - times_b[None])[close]
    if not len(offsets):
        return 0.0
    # A frame may match several of a still scene: per offset (to half a second) each frame of the shorter counts once.
    rows = np.nonzero(close)[0 if len(a) <= len(b) else 1]
    best = max(len(np.unique(rows[np.abs(offsets - offset) <= 0.5])) for offset in np.unique(np.round(offsets * 2) / 2))
    return best / least


def _informative(measured: Measurements) -> tuple[np.ndarray, np.ndarray]:
    seen = measured.frame_hashes > 0
    return measured.frame_times[seen], measured.frame_hashes[seen]


def _sound_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Least share of differing bits over all offsets at which enough of both is heard."""
    best = 1.0
    for offset in range(-(len(second) - LEAST_PRINTS), len(first) - LEAST_PRINTS + 1):
        a = first[max(0, offset) : offset + len(second)]
        b = second[max(0, -offset) :][: len(a)]
        heard = (a > 0) & (b > 0)
        if heard.sum() >= max(LEAST_PRINTS, 0.5 * min(len(first), len(second))):
            best = min(best, float(np.bitwise_count(a[heard] ^ b[heard]).mean()) / 32)
    return best


def find_duplicates(
    measured: Sequence[Measurements], never: Iterable[Measurements] = (), rule: SetRule | None = None
) -> dict[str, str]:
    """Which files are dropped because another shows or sounds the same.

    Args:
        measured: The set; of equal files the first in this order stays.
        never: Files of test sets, which no file of the set may equal.
        rule: How near is equal.

    Returns:
        Path to reason.
    """
    rule = rule or SetRule()
    tests, kept, reasons = HashIndex(rule), HashIndex(rule), {}
    for item in never:
        tests.add(item)
    for item in measured:
        twin = tests.find(item)
        if twin:
            reasons[item.path] = f"test-set: same {twin[1]} as {twin[0].path}"
            continue
        twin = kept.find(item) if rule.duplicates else None
        if twin:
            reasons[item.path] = f"duplicate: same {twin[1]} as {twin[0].path}"
            continue
        kept.add(item)
    return reasons
