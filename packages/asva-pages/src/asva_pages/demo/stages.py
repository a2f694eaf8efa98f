"""Progress of a video on its way to a browser: what is done, how much of it, how long still."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from asva_pipelines.make.plan import Request, make_plan
from asva_pipelines.make.stages import Stages

DECODED_AT_ONCE = 8  # frames
WINDOWS = "windows"


class Cancelled(Exception):
    """The user does not want it any more."""


class ToldStages(Stages):
    """Stages that are told to somebody, and that end when he says so: after a step at the latest.

    Args:
        request: What is made.
        tell: Takes ``{"stage", "fraction", "left"}``; the last is seconds, or None while nothing is known.
        stopped: Whether to end.
    """

    def __init__(self, request: Request, tell: Callable[[dict[str, Any]], None], stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._tell, self._stopped = tell, stopped
        self._costs = _costs(request)
        self._window, self._calls, self._windows = 0, 0, 1
        self._began: float | None = None

    def stage(self, name: str, total: int = 1) -> None:
        """Begin a stage."""
        self._look()
        if name == "frames":  # of `warp`, each of which is a step
            self._costs = list(range(total + 1))
        if name != self._stage:
            self._windows = total if name == WINDOWS else 1
            self._tell({"stage": name, **self._progress()})
        super().stage(name, total)

    def step(self, done: int) -> None:
        """Say how many steps of the stage are done, or windows where there are more than one."""
        self._look()
        super().step(done)
        if self._windows > 1 and done > self._window:
            self._window, self._calls = done, 0
        else:
            self._calls += 1
        self._tell({"stage": self._stage, **self._progress()})

    def __enter__(self) -> ToldStages:
        super().__enter__()
        return self

    def _look(self) -> None:
        if self._stopped():
            raise Cancelled

    def _progress(self) -> dict[str, float | None]:
        """Done in all, 0 to 1, and seconds left at the same pace; frames through a network are the measure."""
        if not self._window and not self._calls:
            self._began = time.monotonic()
            return {"fraction": 0.0, "left": None}
        within = self._costs[min(self._calls, len(self._costs) - 1)] / self._costs[-1]
        fraction = min((self._window + within) / self._windows, 1.0)
        took = time.monotonic() - self._began
        return {"fraction": round(fraction, 4), "left": round(took * (1 - fraction) / max(fraction, 1e-3), 1)}


def _costs(request: Request) -> list[float]:
    """Frames that have been through a network after each step of a window, from none on."""
    plan = make_plan(request)
    told = plan.settings | {name: value for name, value in plan.arguments.items() if value is not None}
    frames = plan.window_size
    if "keyframe" in plan.method.stages:
        steps = [told["num_keyframes"]] * told["num_inference_steps"] + [frames] * told["interp_num_inference_steps"]
    else:
        steps = [frames] * told.get("num_inference_steps", 1)
    return list(accumulate(steps + [DECODED_AT_ONCE] * math.ceil(frames / DECODED_AT_ONCE), initial=0))
