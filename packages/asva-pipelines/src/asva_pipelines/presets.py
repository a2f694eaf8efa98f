"""What each quality sets, by method: chosen from the tables of `benchmarks/presets.py` (docs/costs.md)."""

from collections.abc import Mapping
from typing import Any

QUALITIES = ("best", "good", "fast")
# Of the pipeline's call; the second stage of KeyVID follows the sampler of the first.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "keyvid": {
        "good": {"sampler": "dpm++", "num_inference_steps": 20, "interp_num_inference_steps": 20},
        "fast": {"sampler": "dpm++", "num_inference_steps": 10, "interp_num_inference_steps": 10},
    },
    "avsyncd": {
        "good": {"num_inference_steps": 11},
        "fast": {"num_inference_steps": 5},
    },
}


def preset(method: str, quality: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Arguments of a pipeline's call; none for `best`, as the model was published.

    Args:
        method: Its name.
        quality: One of :data:`QUALITIES`.
        settings: The model's own; nothing is set where they take no more steps than the preset.

    Raises:
        ValueError: If there is no such preset.

    >>> preset("keyvid", "best")
    {}
    """
    if quality not in QUALITIES:
        raise ValueError(f"`quality` must be one of {', '.join(QUALITIES)}, got {quality}.")
    if quality == "best":
        return {}
    if method not in PRESETS:
        raise ValueError(f"`quality` must be best with {method}, got {quality}: {', '.join(PRESETS)} have presets.")
    chosen = PRESETS[method][quality]
    steps = "num_inference_steps"
    return dict(chosen) if (settings or {}).get(steps, chosen[steps] + 1) > chosen[steps] else {}
