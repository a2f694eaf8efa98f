"""What hears the motion in a sound: a model's own localizer, or onsets, and how good either was found to be."""

from __future__ import annotations

import json
from pathlib import Path

from asva_pipelines.loading.folders import shared_parts
from asva_pipelines.methods import MODELS

_BUNDLED = MODELS["tiny"].folder
LOCALIZERS = ("model", "onsets")
ONSETS = "onsets, a rule without training (F1 at 50 ms on recordings 0.75)"
DRAWN = "trained on drawn sounds alone (F1 at 50 ms on recordings 0.56)"  # the bundled one; see docs/benchmarks.md


def hears_onsets(wanted: str | None, folder: Path | None) -> bool:
    """Whether onsets are followed: where that is wanted, or where the model has borrowed a localizer of another world.

    The bundled model keeps its own, which knows the drawn sounds that this model is for.

    Args:
        wanted: Of :data:`LOCALIZERS`; None leaves the choice to what the model has.
        folder: Of the model; None without one.
    """
    if wanted is not None:
        return wanted == "onsets"
    return folder is not None and folder != _BUNDLED and "localizer" in shared_parts(folder)


def described_localizer(folder: Path, *, onsets: bool) -> str:
    """Whose localizer heard the motion, what it was trained on, and how good it is where that was measured."""
    if onsets:
        return ONSETS
    source = folder / "source.json"
    whose = json.loads(source.read_text(encoding="utf-8"))["localizer"] if source.is_file() else "the model's own"
    return f"{whose}, {DRAWN}" if "localizer" in shared_parts(folder) else whose
