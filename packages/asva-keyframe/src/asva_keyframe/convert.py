"""Names of the original localizer's checkpoint, strict both ways."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from asva_audio import convert_imagebind_audio, invert_imagebind_audio, split_imagebind

ENCODER_PREFIX = "imagebindMoodel."  # spelt so in the original
HEAD_NAMES = {
    f"{theirs}.{kind}": f"predictor.{ours}.{kind}"
    for theirs, ours in (("linear1", "to_frames"), ("linear2", "to_bottleneck"), ("linear3", "to_scores"))
    for kind in ("weight", "bias")
}
UNUSED = ("ada_weight", "ada_bias")
"""Parameters that the original declares and never uses."""


def split_localizer(state_dict: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Part an original checkpoint into what the localizer uses and what it never reads.

    Returns:
        Original keys and tensors of the used part, and of the rest (other modalities, heads, unused parameters).

    Raises:
        ValueError: If a key is missing or unknown.
    """
    encoder = {k: v for k, v in state_dict.items() if k.startswith(ENCODER_PREFIX)}
    head = {k: v for k, v in state_dict.items() if k in HEAD_NAMES}
    unused = {k: v for k, v in state_dict.items() if k in UNUSED}
    unknown = sorted(state_dict.keys() - encoder.keys() - head.keys() - unused.keys())
    missing = sorted((HEAD_NAMES.keys() | set(UNUSED)) - head.keys() - unused.keys())
    if unknown or missing:
        raise ValueError(
            f"`state_dict` must be the original localizer's, got {len(missing)} missing keys {missing[:3]} "
            f"and {len(unknown)} unknown keys {unknown[:3]}."
        )
    audio, others = split_imagebind(encoder, prefix=ENCODER_PREFIX)
    used = {ENCODER_PREFIX + key: value for key, value in audio.items()} | head
    return used, {ENCODER_PREFIX + key: value for key, value in others.items()} | unused


def convert_localizer(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an original checkpoint for `MotionLocalizer` with the official head.

    Args:
        state_dict: The original's ``state_dict``.

    Returns:
        State for ``load_state_dict(strict=True)``.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    used, _ = split_localizer(state_dict)
    encoder = convert_imagebind_audio({k: v for k, v in used.items() if k not in HEAD_NAMES}, prefix=ENCODER_PREFIX)
    head = {ours: used[theirs] for theirs, ours in HEAD_NAMES.items()}
    return {f"encoder.{key}": value for key, value in encoder.items()} | head


def invert_localizer(
    state_dict: Mapping[str, Tensor], *, rest: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Inverse of `convert_localizer`.

    Args:
        state_dict: State of a `MotionLocalizer` with the official head.
        rest: What `split_localizer` left over, put back so that the original loads the result strictly.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    encoder = {k.removeprefix("encoder."): v for k, v in state_dict.items() if k.startswith("encoder.")}
    head = {k: v for k, v in state_dict.items() if not k.startswith("encoder.")}
    if head.keys() != set(HEAD_NAMES.values()):
        wrong = sorted(head.keys() ^ set(HEAD_NAMES.values()))
        raise ValueError(f"`state_dict` must be that of an official MotionLocalizer, got wrong keys {wrong[:3]}.")
    original = {theirs: head[ours] for theirs, ours in HEAD_NAMES.items()}
    return invert_imagebind_audio(encoder, prefix=ENCODER_PREFIX) | original | dict(rest or {})
