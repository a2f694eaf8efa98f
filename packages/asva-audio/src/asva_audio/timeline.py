"""Blocks of samples put where their time stamps say, inside a window of the file."""

import math
import os
from dataclasses import dataclass, field

import numpy as np

from asva_audio.sound import AudioError
from asva_weights.limits import limits

# Time stamps are rounded to milliseconds in some containers: a smaller gap than this (in seconds) is none.
JITTER = 0.02
# A longer jump than this (in seconds) beyond the stated end is taken for a broken time stamp, not for silence.
LONGEST_GAP = 60.0


@dataclass
class Timeline:
    """Collects the samples ``first`` to ``last`` of a file from blocks that arrive in order.

    Attributes:
        rate: Samples per second.
        path: The file, for messages.
        first: First sample wanted; sample 0 is the start of the file.
        last: End of the samples wanted, or infinity.
        end: Where the file says that the track ends, or 0 where it does not say.
        begin: Where the first block began.
        cursor: Where the next block begins unless its time stamp shows a gap.
    """

    rate: int
    path: str | os.PathLike[str] = "the sound"
    first: int = 0
    last: float = math.inf
    end: float = 0.0
    begin: int | None = None
    cursor: int = 0
    blocks: list[np.ndarray] = field(default_factory=list)
    length: int = 0

    @property
    def full(self) -> bool:
        return self.cursor >= self.last

    def add(self, block: np.ndarray, position: int | None) -> None:
        """Put (c, s) samples at ``position``, or after those before if it is not known."""
        position = self.cursor if position is None else position
        gap = position - self.cursor
        if self.begin is None:
            self.begin = self.cursor = position
        elif gap > JITTER * self.rate and (gap <= LONGEST_GAP * self.rate or position <= self.end):
            self.cursor = position
        start = int(min(max(self.cursor, self.first), self.last))
        stop = int(min(self.cursor + block.shape[1], self.last))
        if 4 * len(block) * (stop - self.first) > limits().held:
            raise AudioError(f"`path` must hold at most {limits().held >> 30} GiB of sound, got {self.path}; cut it.")
        # Silence stands for what the track leaves out: before its beginning and in its gaps.
        self._keep(np.zeros((block.shape[0], max(0, start - self.first - self.length)), np.float32))
        self._keep(block[:, max(0, start - self.cursor) : max(0, stop - self.cursor)])
        self.cursor += block.shape[1]

    def trim(self, most: int) -> None:
        """Leave out what lies beyond the stated end, if no more than ``most`` samples of the track do."""
        beyond = self.first + self.length - round(self.end)
        if self.end and 0 < self.cursor - round(self.end) <= most and beyond > 0:
            self.length = max(0, self.length - beyond)
            self.blocks = [self.samples()[:, : self.length]]

    def samples(self) -> np.ndarray:
        """(c, s) float32, what was collected."""
        return np.concatenate(self.blocks, axis=1) if self.blocks else np.zeros((1, 0), np.float32)

    def _keep(self, block: np.ndarray) -> None:
        if block.shape[1]:
            self.blocks.append(block)
            self.length += block.shape[1]
