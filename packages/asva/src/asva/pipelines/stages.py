"""One diffusion stage: a U-Net, its conditions encoded once, and the sampling loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from asva.pipelines.tokens import ClipTokens
from asva_unet import UNetConditions

View = tuple[int, int]


class StageNetwork:
    """``predict`` of :func:`asva_unet.denoise`: every branch's conditions are encoded once and used at every step.

    Args:
        unet: The stage's network.
        tokens: Text, image and sound of the clips.
        stage: `"keyframe"` or `"interp"`.
        frame_indices: (b, t) places of the stage's frames in the clip.
        fps: Frame rate that the network is told.
    """

    def __init__(self, unet: Any, tokens: ClipTokens, stage: str, frame_indices: Tensor, fps: float) -> None:
        self.unet, self.tokens, self.stage = unet, tokens, stage
        self.frame_indices, self.fps = frame_indices, int(fps)
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it
        self._encoded: dict[tuple[tuple[str, ...], View], UNetConditions] = {}

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...], view: View | None = None) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch; `view` is a window of frames."""
        view = view or (0, self.frame_indices.shape[1])
        answer = self.unet(
            sample.to(self.dtype),
            timestep,
            fps=torch.full((len(sample),), self.fps, device=sample.device),
            frame_indices=self.frame_indices[:, slice(*view)].repeat(len(branches), 1),
            conditions=self._conditions(branches, view),
            return_dict=False,
        )
        return answer[0].float()

    def _conditions(self, branches: tuple[str, ...], view: View) -> UNetConditions:
        if (branches, view) not in self._encoded:
            indices = self.frame_indices[:, slice(*view)]
            onload(self.unet)
            tokens = self.tokens.to(self.dtype)
            self._encoded[branches, view] = UNetConditions.cat(
                [tokens.conditions(self.unet, branch, indices, self.stage) for branch in branches]
            )
        return self._encoded[branches, view]


def align_weights(network: torch.nn.Module) -> None:
    """Copy weights that do not start at a multiple of 64 bytes, for networks up to a gigabyte on the CPU.

    Memory-mapped files give such addresses; matrix kernels then sum in another order, which is seen in the last bits.
    """
    weights = list(network.parameters())
    if sum(weight.numel() * weight.element_size() for weight in weights) > 2**30:
        return
    for weight in weights:
        if weight.device.type == "cpu" and weight.data_ptr() % 64:
            weight.data = weight.data.clone()


def onload(network: Any) -> None:
    """Bring an offloaded network, or what it holds besides layers, to its device: hooks only know of `forward`."""
    for module in network.modules():
        hook = getattr(module, "_hf_hook", None)
        if hook is not None and hasattr(module, "encode_conditions"):
            hook.pre_forward(module)


def encode_pixels(vae: Any, pixels: Tensor, noise: Tensor | None) -> Tensor:
    """Latents (b, c, h, w) of pixels (b, 3, H, W) in [-1, 1]: the posterior's mean, or a sample of it with `noise`."""
    posterior = vae.encode(pixels.to(vae.dtype)).latent_dist
    latents = posterior.mean if noise is None else posterior.mean + posterior.std * noise.to(posterior.mean)
    return latents.float() * vae.config.scaling_factor


def latent_shape(vae: Any, size: tuple[int, int]) -> tuple[int, int, int]:
    """Channels, height and width of the latents of a picture."""
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return vae.config.latent_channels, size[0] // factor, size[1] // factor


def decode_latents(vae: Any, latents: Tensor, chunk_size: int, report: Any = None) -> Tensor:
    """Pixels (b, t, 3, H, W), about [-1, 1], of latents (b, t, c, h, w), `chunk_size` frames at a time."""
    chunks: Sequence[Tensor] = (latents.flatten(0, 1) / vae.config.scaling_factor).split(chunk_size)
    pixels = []
    for number, chunk in enumerate(chunks):
        pixels.append(vae.decode(chunk.to(vae.dtype), return_dict=False)[0].float())
        if report is not None:
            report("decode", number, len(chunks), chunk)
    return torch.cat(pixels).unflatten(0, latents.shape[:2])


def quantise(pixels: Tensor) -> Tensor:
    """Pixels in [-1, 1] as uint8, the nearest of 256 values."""
    return ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
