"""What users of diffusers expect of a network, for all U-Nets: compiled blocks, LoRA, offloading, small storage."""

from __future__ import annotations

from typing import Any, ClassVar

from diffusers.loaders import PeftAdapterMixin


class VideoUNet(PeftAdapterMixin):
    """Beside diffusers' ``ModelMixin``: what it asks a network about itself, and LoRA by PEFT.

    ``compile_repeated_blocks`` compiles the transformer blocks, each width once. ``enable_layerwise_casting`` leaves
    norms and the small embeddings of numbers as they are.
    """

    _repeated_blocks: ClassVar[list[str]] = ["TransformerBlock"]
    _skip_layerwise_casting_patterns: ClassVar[list[str]] = ["norm", "embedding"]

    def enable_group_offload(self, *args: Any, offload_type: str = "leaf_level", **how: Any) -> None:
        """As diffusers', layer by layer.

        Raises:
            ValueError: If it shall go block by block: keys and values of all layers are made before a block runs.
        """
        if offload_type != "leaf_level":
            raise ValueError(f"`offload_type` must be leaf_level for {type(self).__name__}, got {offload_type}.")
        super().enable_group_offload(*args, offload_type=offload_type, **how)  # ty: ignore[missing-attribute]
