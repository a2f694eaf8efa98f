"""MTV's network in the sampling loop: the sound of a window encoded once (MTV, section 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asva_dit.guidance import MTVGuidance
from asva_dit.rotary import rotary_embedding
from asva_dit.transformer import MTVTransformer3DModel
from asva_weights.offloading import onload


class MTVStage:
    """``predict`` of :func:`asva_dit.denoise`: velocity of the named branches, whatever the network answers.

    Args:
        transformer: The network.
        scheduler: Whose noise levels tell the velocity that a prediction stands for.
        texts: (b, n, d) text tokens by branch.
        guidance: What the branches hear.
        scales: How much each track adds, by ``speech_scale`` and so on.
    """

    def __init__(
        self,
        transformer: MTVTransformer3DModel,
        scheduler: Any,
        texts: dict[str, Tensor],
        guidance: MTVGuidance,
        scales: dict[str, float] | None = None,
    ) -> None:
        self.transformer, self.guidance, self.scales = transformer, guidance, scales or {}
        self.dtype = self.transformer.dtype  # asked once: diffusers walks through all modules for it
        self.scheduler = scheduler
        self.turn_to(texts)
        self.heard: dict[str, Any] = {}

    def turn_to(self, texts: dict[str, Tensor]) -> None:
        """Let other words count from now on."""
        self.texts = {name: text.to(self.dtype) for name, text in texts.items()}

    def enter(
        self,
        heard: dict[str, Tensor] | None,
        window: tuple[int, int],
        clean: Tensor,
        mask: Tensor,
        reference: Tensor | None,
    ) -> None:
        """Turn to a window: its sound is encoded once, not at every step."""
        onload(self.transformer)
        self.transformer._reset_stateful_cache()  # what is kept between steps is of another window
        self.mask, self.reference = mask, reference
        self.rotary = rotary_embedding(
            self.transformer, clean.shape[1], clean.shape[3], clean.shape[4], device=clean.device
        )
        self.heard = {"off": None, "given": None, "zeros": None}
        if heard is None:
            return
        cut = {name: track[:, window[0] : window[1]].to(clean.device, self.dtype) for name, track in heard.items()}
        cut = all_speakers(cut, self.transformer.config.num_speakers)
        self.heard["given"] = self.transformer.encode_audio(**cut)
        if self.guidance.silence == "zeros":
            nothing = {name: torch.zeros_like(track) for name, track in cut.items()}
            self.heard["zeros"] = self.transformer.encode_audio(**nothing)

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch."""
        answers = [
            self._branch(part, when, name)
            for part, when, name in zip(
                sample.chunk(len(branches)), timestep.chunk(len(branches)), branches, strict=True
            )
        ]
        return torch.cat(answers)

    def _branch(self, sample: Tensor, timestep: Tensor, name: str) -> Tensor:
        with self.transformer.cache_context(name):
            answer = self.transformer(
                sample.to(self.dtype),
                self.texts[name],
                timestep,
                image_rotary_emb=self.rotary,
                audio=self.heard[self.guidance.hears(name)],
                clean_frame_mask=self.mask if self.mask.any() else None,
                return_dict=False,
                **self.scales,
            )[0].float()
        return answer if self.reference is None else self._velocity(answer + self.reference, sample, timestep)

    def _velocity(self, clean: Tensor, sample: Tensor, timestep: Tensor) -> Tensor:
        """The velocity that a prediction of the clean latents stands for."""
        level = self.scheduler.alphas_cumprod.to(sample.device)[timestep].view(-1, 1, 1, 1, 1).float()
        return (level.sqrt() * sample - clean) / (1 - level).clamp(min=1e-8).sqrt()


def all_speakers(tracks: dict[str, Tensor], num_speakers: int) -> dict[str, Tensor]:
    """Features of the tracks as a transformer takes them: both voices in one, ``speech_embeds`` (b, 2, t, ...).

    Args:
        tracks: (b, t, ...) by ``speech_embeds`` and so on; without ``speech2_embeds`` the second says nothing.
        num_speakers: Of the transformer.

    Raises:
        ValueError: If there is a second voice and the transformer knows one alone.
    """
    rest = {name: track for name, track in tracks.items() if name != "speech2_embeds"}
    if num_speakers == 1:
        if len(rest) < len(tracks):
            raise ValueError("`speech2` must not be given to a model of one speaker; another checkpoint knows two.")
        return rest
    speech = rest["speech_embeds"]
    second = tracks.get("speech2_embeds", torch.zeros_like(speech))
    return rest | {"speech_embeds": torch.stack([speech, second], dim=1)}
