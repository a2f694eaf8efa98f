"""What a control has to know of a video transformer: its blocks, its frames, its time, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asva_dit.rotary import rotary_embedding


@dataclass(frozen=True, kw_only=True)
class Question:
    """Noisy latents as every backbone is asked about them.

    Attributes:
        noisy: (b, t, c, h, w).
        time: (b,) from 0, clean, to 1, noise alone.
        text: (b, n, d) tokens of the words.
        first: (b, 1, c, h, w) clean latents of the first frame.
        fps: Frames per second of the video.
    """

    noisy: Tensor
    time: Tensor
    text: Tensor
    first: Tensor
    fps: float

    @property
    def begun(self) -> Tensor:
        """The noisy latents behind the clean first frame."""
        return torch.cat([self.first, self.noisy[:, 1:]], dim=1)

    def token_times(self, tokens: int) -> Tensor:
        """(b, t * tokens) time of each token, that of the clean first frame 0, out of 1000."""
        times = (1000 * self.time)[:, None].repeat(1, self.noisy.shape[1])
        times[:, 0] = 0
        return times.repeat_interleave(tokens, dim=1)


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One class of video transformers of diffusers, as a control sees it.

    Its tokens lie frame by frame, row by row; the first latent frame stands for one frame, each other for
    `frames_per_latent`.

    Attributes:
        name: As folders of controls have it.
        transformer: Name of its class.
        enter: Name of the norm ahead of the feed-forward layer in a block: there the sound enters, behind the attention
            as in MTV.
        frames: Axis of the latents that counts latent frames, or the argument that says how many there are.
        frames_per_latent: Frames of every latent frame but the first.
        predicts: ``"velocity"`` of a straight flow, noise minus clean, or ``"v"`` of a diffusion.
        ask: The prediction (b, t, c, h, w) of a transformer for a question, as its image-to-video pipeline asks.
        blocks: Name of the list of its blocks.
        per_token_time: Whether tokens may be of different times, the clean first frame of time 0.
        rotary: How positions enter.
        scheduler: Class of the sampler that its releases name.
        text_encoder: What reads the words.
        pipeline: Class of its image-to-video pipeline.
        released: Arguments of released sizes by name, those that differ from the class's own.
    """

    name: str
    transformer: str
    enter: str
    frames: int | str
    frames_per_latent: int
    predicts: str
    ask: Callable[[Any, Question], Tensor]
    blocks: str = "transformer_blocks"
    per_token_time: bool = False
    rotary: str = ""
    scheduler: str = "FlowMatchEulerDiscreteScheduler"
    text_encoder: str = ""
    pipeline: str = ""
    released: dict[str, dict[str, Any]] = field(default_factory=dict)

    def blocks_of(self, transformer: Any) -> Any:
        """The blocks of a transformer."""
        return getattr(transformer, self.blocks)

    def latent_frames(self, num_frames: int) -> int:
        """Latent frames that hold at least `num_frames` frames."""
        return 1 + -(-(num_frames - 1) // self.frames_per_latent)

    def whole_frames(self, num_frames: int) -> int:
        """The next length that whole latent frames have."""
        return 1 + (self.latent_frames(num_frames) - 1) * self.frames_per_latent

    def frame_times(self, latent_frames: int, fps: float) -> Tensor:
        """(t,) seconds, the middle of each latent frame.

        >>> WAN.frame_times(3, 4.0).tolist()
        [0.125, 0.75, 1.75]
        """
        places = torch.arange(latent_frames, dtype=torch.float64) - 0.5
        middles = 1 + places * self.frames_per_latent
        middles[0] = 0.5
        return middles / fps

    def frames_in(self, arguments: dict[str, Any]) -> int:
        """Latent frames of one call of the transformer, by its arguments."""
        return arguments[self.frames] if isinstance(self.frames, str) else arguments["hidden_states"].shape[self.frames]


def _ask_cogvideox(transformer: Any, question: Question) -> Tensor:
    """The picture as further channels, zeros behind the first frame; in a text-to-video model as the clean frame."""
    x, (b, t, _, h, w) = question.noisy, question.noisy.shape
    if transformer.config.in_channels > x.shape[2]:
        x = torch.cat([x, torch.cat([question.first, torch.zeros_like(x[:, 1:])], dim=1)], dim=2)
    else:
        x = question.begun
    steps = (999 * question.time).round().long()
    rotary = rotary_embedding(transformer, t, h, w, device=x.device)
    return transformer(x, question.text, steps.expand(b), image_rotary_emb=rotary, return_dict=False)[0]


def _ask_wan(transformer: Any, question: Question) -> Tensor:
    """Of 2.1 and 2.2 A14B the picture and its mask as further channels; of 2.2 5B the clean frame, of time 0."""
    x, (_, _, c, h, w), p = question.noisy, question.noisy.shape, transformer.config.patch_size
    missing = transformer.config.in_channels - c
    if missing > 0:
        still = torch.cat([question.first, torch.zeros_like(x[:, 1:])], dim=1)
        mask = torch.zeros_like(x[:, :, :1]).repeat(1, 1, missing - c, 1, 1)
        mask[:, 0] = 1
        x, time = torch.cat([x, mask, still], dim=2), 1000 * question.time
    else:
        x, time = question.begun, question.token_times(h * w // (p[1] * p[2]))
    return transformer(x.transpose(1, 2), time, question.text, return_dict=False)[0].transpose(1, 2)


def _ask_ltx2(transformer: Any, question: Question) -> Tensor:
    """The clean frame, of time 0; the model's own stream of sound is cut off and gets one frame of zeros."""
    config, (b, t, _, h, w) = transformer.config, question.noisy.shape
    text = question.text
    ours = text[..., : config.audio_cross_attention_dim] if not config.use_prompt_embeddings else text
    prediction = transformer(
        hidden_states=question.begun.movedim(2, 4).flatten(1, 3),
        audio_hidden_states=text.new_zeros(b, 1, config.audio_in_channels),
        encoder_hidden_states=text,
        audio_encoder_hidden_states=ours,
        timestep=question.token_times(h * w),
        audio_timestep=1000 * question.time,
        sigma=1000 * question.time,
        num_frames=t,
        height=h,
        width=w,
        fps=question.fps,
        audio_num_frames=1,
        isolate_modalities=True,
        return_dict=False,
    )[0]
    return prediction.unflatten(1, (t, h, w)).movedim(4, 2)


COGVIDEOX = Backbone(
    name="cogvideox",
    transformer="CogVideoXTransformer3DModel",
    enter="norm2",
    frames=1,
    frames_per_latent=4,
    predicts="v",
    ask=_ask_cogvideox,
    rotary="cosines and sines of time, row and column, made by the pipeline; learned positions beside them (5B I2V)",
    scheduler="CogVideoXDDIMScheduler",
    text_encoder="T5",
    pipeline="CogVideoXImageToVideoPipeline",
    released={
        "CogVideoX 5B I2V": {
            "num_attention_heads": 48,
            "num_layers": 42,
            "in_channels": 32,
            "use_rotary_positional_embeddings": True,
            "use_learned_positional_embeddings": True,
        }
    },
)
WAN = Backbone(
    name="wan",
    transformer="WanTransformer3DModel",
    enter="norm3",
    frames=2,
    frames_per_latent=4,
    predicts="velocity",
    ask=_ask_wan,
    blocks="blocks",
    per_token_time=True,
    rotary="of time, row and column, made by the transformer",
    text_encoder="UMT5",
    pipeline="WanImageToVideoPipeline",
    scheduler="UniPCMultistepScheduler",
    released={
        "Wan 2.1 1.3B": {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30},
        "Wan 2.1 14B I2V": {"in_channels": 36, "added_kv_proj_dim": 5120, "image_dim": 1280},
        "Wan 2.2 5B": {
            "num_attention_heads": 24,
            "ffn_dim": 14336,
            "num_layers": 30,
            "in_channels": 48,
            "out_channels": 48,
        },
        "Wan 2.2 A14B, one of two experts": {"in_channels": 36},
    },
)
LTX2 = Backbone(
    name="ltx2",
    transformer="LTX2VideoTransformer3DModel",
    enter="norm3",
    frames="num_frames",
    frames_per_latent=8,
    predicts="velocity",
    ask=_ask_ltx2,
    per_token_time=True,
    rotary="of seconds, row and column, made by the transformer",
    text_encoder="Gemma 3",
    pipeline="LTX2ImageToVideoPipeline",
    released={"LTX-2 19B": {}},
)
BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in (COGVIDEOX, WAN, LTX2)}


def backbone_of(transformer: Any) -> Backbone:
    """The description of a transformer, by its class.

    Raises:
        ValueError: If there is none, or latent frames are patched together in time (CogVideoX 1.5).
    """
    kinds = {kind.__name__ for kind in type(transformer).__mro__}
    found = next((backbone for backbone in BACKBONES.values() if backbone.transformer in kinds), None)
    if found is None:
        known = ", ".join(backbone.transformer for backbone in BACKBONES.values())
        raise ValueError(f"`transformer` must be one of {known}, got {type(transformer).__name__}: describe it.")
    config = transformer.config
    patch = config.get("patch_size_t") or (config["patch_size"][0] if isinstance(config["patch_size"], tuple) else 1)
    if patch != 1:
        raise ValueError(f"`transformer` must have tokens of one latent frame each, got patches of {patch} frames.")
    return found
