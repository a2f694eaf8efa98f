"""How a run is done so that it fits into memory: chosen, and said, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asva_pipelines.make.plan import Plan
from asva_pipelines.notes import gigabytes, note

if TYPE_CHECKING:
    from asva_pipelines.memory.choice import Choice

AMPLE, SHARE = 4_000_000_000, 0.1  # bytes that are free, and the part of them that weights may take, unasked


def settle(plan: Plan, *, num_frames: int | None = None) -> Plan:
    """The plan with its precision and offload decided, and what it needs, for the hungrier of its two models.

    Nothing is worked out on a CPU for models that are small beside the memory that is free, in their own size.

    Args:
        plan: With ``auto`` in it, perhaps.
        num_frames: Of the video, where the method makes all of it at once.

    Raises:
        ModelError: If nothing fits; it names a setting that would.
    """
    from asva_pipelines.loading.citations import say_credit

    request, arguments = plan.request, dict(plan.arguments)
    size = {"height": arguments["height"], "width": arguments["width"]}
    told = {name: value for name, value in arguments.items() if isinstance(value, int | float) and name not in size}
    choice = None
    for folder, further in ((plan.folder, {"num_frames": num_frames, "arguments": told}), (plan.interpolator, {})):
        if folder is None:
            continue
        say_credit(folder, note)
        if _is_ample(plan, folder, size, num_frames):
            continue
        from asva_pipelines.memory.choice import choose

        place = {name: getattr(request, name) for name in ("device", "dtype", "offload", "storage")}
        try:
            found = choose(
                folder, None if folder is plan.interpolator else plan.method.name, **size, **place, **further
            )
        except (AttributeError, NotImplementedError, RuntimeError, TypeError) as error:  # a network of others' making
            note(f"its memory could not be predicted ({type(error).__name__}: {error}); the run goes on without")
            continue
        request = replace(request, dtype=found.dtype, offload=found.offload)
        if choice is None or found.prediction.peak > choice.prediction.peak:
            choice = found
    if choice is None:
        return plan
    needed, free = gigabytes(choice.prediction.peak), gigabytes(choice.free)
    note(f"predicted peak memory: {needed} of {free} that are free; {choice}", quiet=True)
    if choice.decode_chunk_size == 1:
        arguments["decode_chunk_size"] = 1
    return replace(plan, request=request, arguments=arguments, choice=choice)


def _is_ample(plan: Plan, folder: Path, size: dict[str, int], num_frames: int | None) -> bool:
    """Whether weights are so small beside what is free that a video of the model's own size needs no forecast."""
    from asva_pipelines.loading.folders import stored_parts
    from asva_pipelines.loading.memory import free_memory
    from asva_pipelines.loading.placement import choose_device

    device, offload = choose_device(plan.request.device), plan.request.offload
    own = plan.settings if folder is plan.folder else plan.interpolator_settings
    if device.type != "cpu" or offload not in ("auto", "none") or "decode_chunk_size" in plan.arguments:
        return False
    if size["height"] * size["width"] > own["height"] * own["width"] or (num_frames or 0) > own["num_frames"]:
        return False
    free = free_memory(device)
    return free >= AMPLE and sum(part.bytes for part in stored_parts(folder)) <= SHARE * free


def spare(pipeline: Any, choice: Choice | None) -> None:
    """Let a loaded pipeline work as was chosen."""
    if choice is not None and choice.tiling:
        pipeline.vae.enable_tiling()
