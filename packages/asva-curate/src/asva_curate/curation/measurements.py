"""All that is measured of one file, as a value that travels between processes and into tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from asva_curate.curation.curve import Curve


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What one decode of one file tells. Everything that a filter asks of it is a pure function of this.

    Attributes:
        path: The file, as it was given.
        label: Its class, empty where there is none.
        failure: Why it could not be measured, or empty.
        duration: Seconds of picture.
        sound_seconds: Seconds of sound; 0 without.
        fps: Frames per second, the average where the rate varies.
        height: Upright height in pixels.
        width: Upright width in pixels.
        num_frames: Decoded frames.
        codec: Name of the picture's codec.
        curves: Name to curve; times count from the start of the file.
        frame_times: (k,) seconds of the frames with a hash.
        frame_hashes: (k,) uint64 perceptual hashes, see `perceptual_hash`.
        sound_prints: (m,) uint32 fingerprints of the sound, ten per second, see `fingerprint`.
    """

    path: str
    label: str = ""
    failure: str = ""
    duration: float = 0.0
    sound_seconds: float = 0.0
    fps: float = 0.0
    height: int = 0
    width: int = 0
    num_frames: int = 0
    codec: str = ""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    frame_times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    frame_hashes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    sound_prints: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32))

    @property
    def ok(self) -> bool:
        """Whether the file could be measured."""
        return not self.failure

    def to_row(self) -> dict[str, Any]:
        """The same as plain values: numbers, strings, lists."""
        row = {item.name: getattr(self, item.name) for item in fields(self)}
        row["curves"] = [
            {"name": name, **{part: values.tolist() for part, values in vars(curve).items()}}
            for name, curve in sorted(self.curves.items())
        ]
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Measurements:
        """What `to_row` gave, back again."""
        known = {item.name: row[item.name] for item in fields(cls) if item.name in row}
        known["curves"] = {
            item["name"]: Curve(*(np.asarray(item[key], np.float64) for key in ("begins", "ends", "values")))
            for item in row["curves"]
        }
        for name, kind in (("frame_times", np.float64), ("frame_hashes", np.uint64), ("sound_prints", np.uint32)):
            known[name] = np.asarray(row[name], kind)
        return cls(**known)
