"""Conditions that training leaves out, so that guidance can do without them (KeyVID, section 4.1)."""

import torch
from torch import Tensor

from asva_unet.losses.settings import LossSettings

CONDITIONS = ("text", "image", "audio")


def dropped(settings: LossSettings, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Which samples lose which condition, (b,) bool by name.

    ``"official"`` is the original code's single draw r: text if r < 2p, image if p <= r < 3p, audio if
    2p <= r < 4p. ``"independent"`` draws each condition by itself.
    """
    if settings.dropout_rule == "official":
        p, r = settings.dropout["p"], torch.rand(batch, generator=generator)
        return {"text": r < 2 * p, "image": (r >= p) & (r < 3 * p), "audio": (r >= 2 * p) & (r < 4 * p)}
    return {name: torch.rand(batch, generator=generator) < settings.dropout.get(name, 0.0) for name in CONDITIONS}
