"""The U-Net of AVSyncD and, without sound, of its baseline I2VD (AVSyncD, section 4)."""

from dataclasses import dataclass

import torch
from diffusers import ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.utils import BaseOutput
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.avsyncd.blocks import down_blocks, mid_block, up_blocks
from asva_unet.avsyncd.conditions import AVSyncDConditions, KeptTokens
from asva_unet.avsyncd.first_frame import ClipGroupNorm, FirstFrameConv
from asva_unet.avsyncd.from_unet2d import inflate, is_new
from asva_unet.avsyncd.resnet import LayerConfig
from asva_unet.avsyncd.transformer import Transformer
from asva_unet.avsyncd.validation import attention_levels, check_config, check_sample, check_tokens
from asva_unet.deep_features import DeepFeatures
from asva_unet.video_unet import VideoUNet


@dataclass
class AVSyncDUNetOutput(BaseOutput):
    """Result of ``AVSyncDUNet``.

    Attributes:
        sample: (b, t, c, h, w) predicted noise.
    """

    sample: Tensor


class AVSyncDUNet(VideoUNet, ModelMixin, ConfigMixin):
    """Predicts the noise of a clip whose first frame is clean, from text and from the sound of each frame.

    The layers of Stable Diffusion stand as they were, with the names of their weights. New are the share of the first
    frame and the frame before in every 3x3 convolution and shortcut, audio cross attention and temporal attention.
    The self attentions look at the first frame; group normalisation between convolutions pools over the frames.

    A network just built predicts what Stable Diffusion predicts (``from_unet2d``).

    Args:
        sample_size: Height and width of the latents in training; only noted.
        in_channels: Channels of the latents.
        out_channels: Channels of the prediction.
        down_block_types: Names of the blocks; "CrossAttn" in one says that the resolution has transformers.
        up_block_types: The same, mirrored. The middle always has one.
        block_out_channels: Channels at each resolution.
        layers_per_block: Layers at each resolution on the way down; one more on the way up.
        norm_num_groups: Groups of every group normalisation.
        norm_eps: Added to the variance in those of the residual blocks.
        cross_attention_dim: Width of the text tokens.
        attention_head_dim: Number of heads (Stable Diffusion's name for it).
        flip_sin_to_cos: Cosines before sines in the embedding of the timestep.
        freq_shift: Of the frequencies there.
        audio_cross_attention_dim: Width of the audio tokens.
        audio: False leaves out everything about sound: the baseline I2VD.
        first_frame_conv: False: convolutions over the neighbouring frames instead (ablation of the paper).
        first_frame_attention: False: every frame's pixels look at their own frame instead (ablation of the paper).
        norm_over_frames: False: group normalisation of each frame by itself (an addition of this project).
        prediction_type: What the answer means: "epsilon" as released, "v_prediction", "sample", or "residual", the
            clean latents less those of frame 0 (used by the small models trained here); only noted.
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ("Resnet", "Transformer")

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = 32,
        in_channels: int = 4,
        out_channels: int = 4,
        down_block_types: tuple[str, ...] = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types: tuple[str, ...] = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        norm_num_groups: int = 32,
        norm_eps: float = 1e-5,
        cross_attention_dim: int = 768,
        attention_head_dim: int = 8,
        flip_sin_to_cos: bool = True,
        freq_shift: int = 0,
        audio_cross_attention_dim: int = 768,
        audio: bool = True,
        first_frame_conv: bool = True,
        first_frame_attention: bool = True,
        norm_over_frames: bool = True,
        prediction_type: str = "epsilon",
    ) -> None:
        super().__init__()
        check_config(block_out_channels, attention_head_dim, norm_num_groups, norm_eps)
        levels = attention_levels(down_block_types, up_block_types, block_out_channels)
        width, last = block_out_channels[0], block_out_channels[-1]
        layers = LayerConfig(
            embedding_dim=4 * width,
            groups=norm_num_groups,
            eps=norm_eps,
            num_heads=attention_head_dim,
            context_dim=cross_attention_dim,
            audio_dim=audio_cross_attention_dim if audio else None,
            first_frame_conv=first_frame_conv,
            first_frame_attention=first_frame_attention,
            norm_over_frames=norm_over_frames,
        )
        layout = tuple(block_out_channels), layers_per_block, levels, layers

        self.conv_in = FirstFrameConv(in_channels, width, first_frame=first_frame_conv)
        self.time_proj = Timesteps(width, flip_sin_to_cos, freq_shift)
        self.time_embedding = TimestepEmbedding(width, 4 * width)
        self.down_blocks = nn.ModuleList(down_blocks(*layout))
        self.mid_block = mid_block(last, layers)
        self.up_blocks = nn.ModuleList(up_blocks(*layout))
        self.conv_norm_out = ClipGroupNorm(norm_num_groups, width, norm_eps, over_frames=norm_over_frames)
        self.conv_out = FirstFrameConv(width, out_channels, first_frame=first_frame_conv)

        self._transformers = [module for module in self.modules() if isinstance(module, Transformer)]
        for index, layer in enumerate(self._transformers):
            layer.layer_index = index

    @classmethod
    def from_unet2d(
        cls,
        unet: UNet2DConditionModel,
        *,
        initialization: str = "neutral",
        generator: torch.Generator | None = None,
        **switches: int | bool,
    ) -> "AVSyncDUNet":
        """Build from Stable Diffusion's U-Net: its weights are copied, what is new is drawn.

        After ``"neutral"`` every new part adds zero. The network then equals ``unet``

        - on every frame, if all frames of the clip are equal (or there is but one);
        - with ``norm_over_frames=False``, on frame 0 of any clip, and on every frame with
          ``first_frame_attention=False`` too.

        What keeps the other frames of another clip from being equal are the two changes without weights: keys and
        values come from the first frame, and group normalisation pools over the frames.

        Args:
            unet: A Stable Diffusion 1.x U-Net of any size.
            initialization: ``"neutral"``, or ``"official"``: as the original starts, with audio attention at random
                and a constant added by every temporal attention, so that a released training is begun where it began.
            generator: CPU generator of the new weights; without one they are seeded by the operating system.
            switches: ``audio_cross_attention_dim``, ``audio``, ``first_frame_conv``, ``first_frame_attention``,
                ``norm_over_frames``.

        Raises:
            ValueError: If ``unet`` has what Stable Diffusion 1.x has not, or an argument is unknown.
        """
        return inflate(cls, unet, initialization, generator, switches)

    def trainable_parameters(self) -> dict[str, nn.Parameter]:
        """What AVSyncD trains: all that Stable Diffusion has not, by name (``_temp`` or ``_audio`` in it)."""
        return {name: parameter for name, parameter in self.named_parameters() if is_new(name)}

    def freeze_pretrained(self) -> "AVSyncDUNet":
        """Let only ``trainable_parameters`` have gradients; returns the network."""
        self.requires_grad_(False)
        for parameter in self.trainable_parameters().values():
            parameter.requires_grad_(True)
        return self

    def encode_conditions(
        self, encoder_hidden_states: Tensor, audio_embeds: Tensor | None = None, audio_mask: Tensor | None = None
    ) -> AVSyncDConditions:
        """Keys and values of every cross attention: once per clip instead of once per frame and step.

        Of the sound, each frame holds the tokens that its mask keeps, and no others.

        Args:
            encoder_hidden_states: (b, n, d) text tokens, or (b, t, n, d) other ones for each frame.
            audio_embeds: (b, l, da) audio tokens, or (b, t, l, da); None in a network without sound.
            audio_mask: (t, l) or (b, t, l) bool, True = the frame attends to the token; None attends to all.

        Raises:
            ValueError: If a shape does not fit, or a frame is left without a token.
        """
        check_tokens(self.config, encoder_hidden_states, audio_embeds, audio_mask)
        blocks = [layer.block for layer in self._transformers]
        text = tuple(block.attn2.keys_values(encoder_hidden_states) for block in blocks)
        if audio_embeds is None:
            return AVSyncDConditions(text)
        kept = None if audio_mask is None else KeptTokens.of(audio_mask, len(audio_embeds))
        audio = tuple(block.attn_audio.keys_values(audio_embeds, kept) for block in blocks)
        return AVSyncDConditions(text, audio, None if kept is None else kept.mask)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        encoder_hidden_states: Tensor | None = None,
        audio_embeds: Tensor | None = None,
        audio_mask: Tensor | None = None,
        *,
        conditions: AVSyncDConditions | None = None,
        deep_features: DeepFeatures | None = None,
        return_dict: bool = True,
    ) -> AVSyncDUNetOutput | tuple[Tensor]:
        """Predict from noisy latents.

        Args:
            sample: (b, t, c, h, w) latents, by convention with a clean frame 0; any height and width.
            timestep: (b,) or one number, 0 to 999.
            encoder_hidden_states: (b, n, d) text tokens; not needed with ``conditions``.
            audio_embeds: (b, l, da) audio tokens of the clip.
            audio_mask: (t, l) or (b, t, l) bool, True = the frame attends to the token; None attends to all.
            conditions: Result of ``encode_conditions`` for the same clips, or for a single one.
            deep_features: What was kept of calls before, for the same clips and conditions.
            return_dict: Whether to return ``AVSyncDUNetOutput`` or a tuple.

        Raises:
            ValueError: If a shape does not fit, or a frame is left without a token.
        """
        if conditions is None:
            conditions = self.encode_conditions(encoder_hidden_states, audio_embeds, audio_mask)
        check_sample(self.config, sample, conditions)
        b, t = sample.shape[:2]
        conditions = conditions if conditions.batch_size == b else conditions.expand(b)
        angles = self.time_proj(torch.as_tensor(timestep, device=sample.device).expand(b))
        emb = F.silu(self.time_embedding(angles.to(self.time_embedding.linear_1.weight.dtype)))[:, None]

        x = self.conv_in(sample.flatten(0, 1).contiguous(memory_format=torch.channels_last), t)
        deep = DeepFeatures() if deep_features is None else deep_features
        levels = deep.begin(len(self.down_blocks))
        skips = [x]
        for level, block in enumerate(self.down_blocks[:levels]):
            for index in range(len(block.resnets)):
                x = block.run(index, x, emb, conditions, t)
                skips.append(x)
            if level + 1 < levels:
                x = block.downsamplers[0](x, t)
                skips.append(x)
        for index in range(len(self.mid_block.resnets) if deep.whole else 0):
            x = self.mid_block.run(index, x, emb, conditions, t)
        for level, block in enumerate(self.up_blocks[-levels:], start=1):
            x = deep.enter(levels - level, x)
            for index in range(len(block.resnets)):
                x = block.run(index, torch.cat([x, skips.pop()], dim=1), emb, conditions, t)
            for sampler in block.upsamplers:
                x = sampler(x, skips[-1].shape[-2:], t)
        out = self.conv_out(self.conv_norm_out(x, t), t).unflatten(0, (b, t))
        return AVSyncDUNetOutput(sample=out) if return_dict else (out,)
