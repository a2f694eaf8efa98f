"""What is done to a pipeline's networks, in the words of diffusers: LoRA, compiled blocks, small storage, tiles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from diffusers.loaders import PeftAdapterMixin
from diffusers.loaders.lora_base import LoraBaseMixin
from torch import Tensor

from asva_pipelines.lora_files import check_lora, read_lora, write_lora
from asva_weights import ModelError

_MOST_COMPILED = 64  # forms of one block: widths, attentions, lengths, of both stages


class PipelineNetworks(LoraBaseMixin):
    """A pipeline whose denoising networks, those called at every step, are adapted, compiled or stored small."""

    components: Any  # of diffusers' pipeline beside it

    @property
    def _lora_loadable_modules(self) -> list[str]:
        """Names of the denoising networks."""
        return [name for name, part in self.components.items() if isinstance(part, PeftAdapterMixin) and name != "vae"]

    def load_lora_weights(  # ty: ignore[incompatible-method-override]
        self, weights: str | os.PathLike[str] | Mapping[str, Tensor], adapter_name: str | None = None
    ) -> None:
        """Put LoRA layers into the denoising networks.

        Args:
            weights: Folder with a `pytorch_lora_weights.safetensors`, as :meth:`save_lora_weights` and
                ``asva train lora`` write it, such a file, a hub id whose file was fetched before, or its content.
            adapter_name: By which :meth:`set_adapters` scales them; a number of its own without it.

        Raises:
            ValueError: If they are of other networks, or of other shapes.
        """
        if find_spec("peft") is None:
            raise ModelError("LoRA needs peft: run `pip install peft`, or take the extra `lora`.")
        state, metadata = (dict(weights), None) if isinstance(weights, Mapping) else read_lora(weights)
        check_lora(state, {name: getattr(self, name) for name in self._lora_loadable_modules})
        for name in dict.fromkeys(key.partition(".")[0] for key in state):
            of_it = {"prefix": name, "metadata": None if metadata is None else dict(metadata)}
            getattr(self, name).load_lora_adapter(dict(state), adapter_name=adapter_name, _pipeline=self, **of_it)

    def save_lora_weights(  # ty: ignore[incompatible-method-override]
        self, save_directory: str | os.PathLike[str], adapter_name: str = "default"
    ) -> None:
        """Write the LoRA layers of one name, of all networks that have them, for :meth:`load_lora_weights`.

        Raises:
            ValueError: If there are none of that name.
        """
        write_lora(save_directory, {name: getattr(self, name) for name in self._lora_loadable_modules}, adapter_name)

    def fuse_lora(self, components: list[str] | None = None, *args: Any, **kwargs: Any) -> None:
        """As diffusers', of all denoising networks unless `components` names some."""
        super().fuse_lora(components or self._lora_loadable_modules, *args, **kwargs)

    def unfuse_lora(self, components: list[str] | None = None, **kwargs: Any) -> None:
        """The inverse of :meth:`fuse_lora`."""
        super().unfuse_lora(components or self._lora_loadable_modules, **kwargs)

    def enable_layerwise_casting(
        self, storage_dtype: torch.dtype = torch.float8_e4m3fn, compute_dtype: torch.dtype | None = None
    ) -> None:
        """Store the matrices of the denoising networks in eight bits; they are cast when they are used.

        Args:
            storage_dtype: In which they wait.
            compute_dtype: In which they work; as they are now without it.

        Raises:
            ValueError: If the pipeline has no such network.
        """
        for network in self._denoising():
            network.enable_layerwise_casting(storage_dtype=storage_dtype, compute_dtype=compute_dtype)

    def compile_repeated_blocks(self, **how: Any) -> None:
        """Compile the blocks of the denoising networks, each form of them once.

        Args:
            how: Of :func:`torch.compile`; ``fullgraph=True`` without it, so that nothing stays slow unseen.

        Raises:
            ValueError: If the pipeline has no such network.
        """
        import torch._dynamo

        limits: Any = torch._dynamo.config
        limits.recompile_limit = max(limits.recompile_limit, _MOST_COMPILED)
        for network in self._denoising():
            network.compile_repeated_blocks(**{"fullgraph": True} | how)

    def _denoising(self) -> list[Any]:
        if not (names := self._lora_loadable_modules):
            raise ValueError(
                f"`storage` and `compile` must be left out: no network of {type(self).__name__} takes them."
            )
        return [getattr(self, name) for name in names]

    def enable_vae_tiling(self) -> None:
        """Decode large frames tile by tile, seams blended: less memory."""
        self._switch_vae("enable_tiling")

    def disable_vae_tiling(self) -> None:
        """Decode whole frames."""
        self._switch_vae("disable_tiling")

    def enable_vae_slicing(self) -> None:
        """Decode the frames of a chunk one by one: less memory."""
        self._switch_vae("enable_slicing")

    def disable_vae_slicing(self) -> None:
        """Decode the frames of a chunk at once."""
        self._switch_vae("disable_slicing")

    def _switch_vae(self, what: str) -> None:
        vae: Any = self.components.get("vae")
        if not hasattr(vae, what):
            raise ValueError(f"`{what}` must be left out: the autoencoder {type(vae).__name__} does not know it.")
        getattr(vae, what)()
