"""The scale of LoRA layers for one call, as the models of diffusers take it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from diffusers.utils import USE_PEFT_BACKEND, scale_lora_layers, unscale_lora_layers


def takes_lora_scale(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``attention_kwargs={"scale": s}`` scale LoRA layers during `forward`; without PEFT there are none."""

    @functools.wraps(forward)
    def scaled(self, *args, **kwargs):
        scale = 1.0
        if kwargs.get("attention_kwargs"):
            kwargs["attention_kwargs"] = given = dict(kwargs["attention_kwargs"])
            scale = given.pop("scale", 1.0)
        if not USE_PEFT_BACKEND:
            return forward(self, *args, **kwargs)
        scale_lora_layers(self, scale)
        try:
            return forward(self, *args, **kwargs)
        finally:
            unscale_lora_layers(self, scale)

    return scaled
