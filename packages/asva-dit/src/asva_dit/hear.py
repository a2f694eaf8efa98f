"""Diffusers' own pipelines with sound: `with hear(pipeline, features, fps=24): pipeline(...)`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from asva_dit.controls import Features
from asva_dit.with_control import Hearing, control_of


@contextmanager
def hear(pipeline: Any, features: Mapping[str, Features], *, fps: float, **options: Any) -> Generator[Any]:
    """Inside, the pipeline's transformers hear; nothing else of the pipeline changes.

    Args:
        pipeline: With a transformer that has a control (:func:`asva_dit.with_control`); of Wan 2.2 A14B both experts.
        features: By the names of the control's `sources`, as long as the clip; of one clip, or of each.
        fps: Frames per second of the video.
        options: `scale`, `guidance_scale`, `against`, `shift` of :class:`asva_dit.with_control.Hearing`.

    Raises:
        ValueError: If a transformer has no control, or the features do not fit it.
    """
    parts = [getattr(pipeline, name, None) for name in ("transformer", "transformer_2")]
    controls = [control_of(part) for part in parts if part is not None]
    try:
        for control in controls:
            control.listen(Hearing(features=features, fps=fps, **options))
        yield pipeline
    finally:
        for control in controls:
            control.listen(None)
