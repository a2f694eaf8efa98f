"""Weights that are needed outside of `forward`, which is all that the hooks of offloading know of."""

from __future__ import annotations

from typing import Any


def onload(network: Any, part: str = "") -> None:
    """Bring an offloaded network, or what it holds besides layers, to its device, as before a call.

    Args:
        network: With hooks of accelerate, of diffusers' group offloading, or none.
        part: Name of a method: what has it inside is brought, in place of the network itself.
    """
    for module in network.modules() if part else (network,):
        registry = getattr(module, "_diffusers_hook", None)
        for hook in (getattr(module, "_hf_hook", None), registry and registry.get_hook("group_offloading")):
            if hook is not None and hasattr(module, part or "forward"):
                hook.pre_forward(module)
