"""The method `hear`: a base of diffusers makes the frames, a control that was trained for it lets it hear."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asva_pipelines.method import ONE_STAGE, PROMPTS, Credit, Method, options

# What the releases sample at; LTX-2's own two stages are another method's.
SETTINGS: dict[str, dict[str, Any]] = {
    "CogVideoXImageToVideoPipeline": {"num_frames": 49, "fps": 8, "height": 480, "width": 720},
    "WanImageToVideoPipeline": {"num_frames": 81, "fps": 16, "height": 480, "width": 832},
    "LTX2ImageToVideoPipeline": {"num_frames": 121, "fps": 24, "height": 512, "width": 768},
}


@dataclass(frozen=True, kw_only=True)
class HearMethod(Method):
    """A method whose settings are those of the base, and of the control that was trained for it."""

    def settings(self, index: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`asva_pipelines.Method`."""
        return super().settings({}) | SETTINGS.get(index.get("_class_name", ""), {})

    def settings_by(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`asva_pipelines.Method`."""
        return settings_of(options.get("--set", {}).get("control"))


def settings_of(control: str | None) -> dict[str, Any]:
    """Frames and rate that a control has learned at, where its folder says so; what is wrong with it is said later."""
    path = Path(control or "", "config.json")
    config = json.loads(path.read_text(encoding="utf-8")) if control and path.is_file() else {}
    return {name: config[name] for name in ("num_frames", "fps") if config.get(name)}


METHOD = HearMethod(
    name="hear",
    summary="CogVideoX, Wan or LTX-2 in diffusers' form, with a control by which it hears (asva train control)",
    pipeline="asva_pipelines.hear.pipeline:HearPipeline",
    foreign=tuple(SETTINGS),
    stages=ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance") | PROMPTS,
    credit=Credit(
        "The base of diffusers",
        "that of the base, see its page (Wan 2.x: Apache-2.0; CogVideoX 5B: CogVideoX licence; LTX-2: LTX-2 Community)",
        (
            "Scaling Up Audio-Synchronized Visual Animation: An Efficient Training Paradigm",
            "Audio-Sync Video Generation with Multi-Stream Temporal Control",
        ),
    ),
)
