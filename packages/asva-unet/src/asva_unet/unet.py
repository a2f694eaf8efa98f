"""The U-Net of KeyVID's keyframe generator and frame interpolator (KeyVID, section 3; layout of DynamiCrafter)."""

from dataclasses import dataclass, replace

import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.utils import BaseOutput
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.audio_window import AudioWindowAttention, window_index
from asva_unet.blocks import Block, LayerConfig, UNetLayer, down_blocks, up_blocks
from asva_unet.conditions import KeysValues, UNetConditions
from asva_unet.deep_features import DeepFeatures
from asva_unet.embeddings import AudioTimeEmbedding, ScalarEmbedding, zero_
from asva_unet.normalization import GroupNorm
from asva_unet.transformer import SpatialTransformer, TemporalTransformer
from asva_unet.validation import check_audio_window, check_config, check_frames, check_inputs
from asva_unet.video_unet import VideoUNet


@dataclass
class KeyVIDUNetOutput(BaseOutput):
    """Result of ``KeyVIDUNet``.

    Attributes:
        sample: (b, t, c, h, w) what ``prediction_type`` says.
    """

    sample: Tensor


class KeyVIDUNet(VideoUNet, ModelMixin, ConfigMixin):
    """Predicts the noise of a clip's latents from text, image tokens, sound, frame rate and frame indices.

    The defaults are the released keyframe generator; the interpolator differs by ``frame_index_embedding=False``, and
    DynamiCrafter's 512 model also by ``audio_cross_attention=False``; VideoCrafter's have four input channels and
    lack some parts. ``audio_window_attention`` makes the latter the
    network of the open-domain paper (section 4), in which only the audio windows learn.

    Args:
        in_channels: Channels of noisy latents, condition latents and, if used, the keyframe mask together.
        out_channels: Channels of the latents.
        block_out_channels: Channels at each resolution.
        layers_per_block: Layers at each resolution on the way down; one more on the way up.
        attention_levels: Which resolutions have transformers; the middle always has.
        attention_head_dim: Channels of a head.
        cross_attention_dim: Width of text and image tokens.
        audio_embed_dim: Width of the audio tokens before their projection.
        audio_cross_attention: Whether the cross attentions look at sound.
        audio_zero_init: Start the audio keys and values at zero, so that a pretrained network is left as it is.
        audio_in_time_embedding: Add the frame's audio tokens to its time embedding (an addition of this project).
        audio_tokens_per_frame: Lay this many tokens side by side for that; None takes their mean.
        frame_index_embedding: Whether the frame's place in the clip is a part of the time embedding.
        dropout: In residual blocks and temporal convolutions.
        norm_num_groups: Groups of every group normalisation.
        init_attention: Whether a temporal transformer follows the first convolution.
        init_attention_heads: Its heads, of ``attention_head_dim`` channels each.
        prediction_type: What the output means: "v_prediction", "epsilon", "sample", or "residual" (clean latents
            minus the condition latents). Read by ``asva_unet.denoise`` and by the training loop.
        audio_window_attention: Whether each frame attends to the audio tokens of its window before the temporal
            attention of every layer. Not before ``init_attention``: no text or image attention stands there, and
            with that seventeenth layer the count would be 56 million, not the paper's 55.
        audio_window_dim: Width of those tokens.
        image_cross_attention: Whether the cross attentions look at image tokens.
        temporal_conv: Whether convolutions over frames follow the residual blocks.
        temporal_reach: Largest distance between frames that the temporal attentions know, in frames; None: none.
        frame_rate_embedding: Whether the frame rate is a part of the time embedding.
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ("UNetLayer",)

    @register_to_config
    def __init__(
        self,
        in_channels: int = 8,
        out_channels: int = 4,
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        attention_levels: tuple[bool, ...] = (True, True, True, False),
        attention_head_dim: int = 64,
        cross_attention_dim: int = 1024,
        audio_embed_dim: int = 768,
        audio_cross_attention: bool = True,
        audio_zero_init: bool = True,
        audio_in_time_embedding: bool = False,
        audio_tokens_per_frame: int | None = None,
        frame_index_embedding: bool = True,
        dropout: float = 0.1,
        norm_num_groups: int = 32,
        init_attention: bool = True,
        init_attention_heads: int = 8,
        prediction_type: str = "v_prediction",
        audio_window_attention: bool = False,
        audio_window_dim: int = 1024,
        image_cross_attention: bool = True,
        temporal_conv: bool = True,
        temporal_reach: int | None = None,
        frame_rate_embedding: bool = True,
    ) -> None:
        super().__init__()
        check_config(block_out_channels, attention_levels, attention_head_dim, norm_num_groups, prediction_type)
        width, last = block_out_channels[0], block_out_channels[-1]
        embedding_dim = 4 * width
        layers = LayerConfig(
            embedding_dim=embedding_dim,
            groups=norm_num_groups,
            dropout=dropout,
            head_dim=attention_head_dim,
            context_dim=cross_attention_dim,
            image=image_cross_attention,
            audio=audio_cross_attention,
            audio_zero_init=audio_zero_init,
            audio_window_dim=audio_window_dim if audio_window_attention else None,
            temporal_conv=temporal_conv,
            temporal_reach=temporal_reach,
        )
        layout = tuple(block_out_channels), layers_per_block, tuple(attention_levels), layers

        self.time_embedding = ScalarEmbedding(width, embedding_dim)
        self.fps_embedding = self.index_embedding = self.audio_embedding = None
        self.audio_projection = self.init_transformer = None
        if frame_rate_embedding:
            self.fps_embedding = ScalarEmbedding(width, embedding_dim, zero_init=True)
        if frame_index_embedding:
            self.index_embedding = ScalarEmbedding(width, embedding_dim, zero_init=True)
        if audio_in_time_embedding:
            self.audio_embedding = AudioTimeEmbedding(audio_embed_dim, embedding_dim, audio_tokens_per_frame)
        if audio_cross_attention:
            self.audio_projection = nn.Linear(audio_embed_dim, cross_attention_dim)

        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        if init_attention:
            inner_dim = init_attention_heads * attention_head_dim
            self.init_transformer = TemporalTransformer(
                width, init_attention_heads, norm_num_groups, inner_dim, temporal_reach
            )
        self.down_blocks = nn.ModuleList(down_blocks(*layout))
        self.mid_block = Block(UNetLayer(last, last, attention, layers) for attention in (True, False))
        self.up_blocks = nn.ModuleList(up_blocks(*layout))
        self.conv_norm_out = GroupNorm(norm_num_groups, width, silu=True)
        self.conv_out = zero_(nn.Conv2d(width, out_channels, 3, padding=1))

        self._cross_attentions = [m for m in self.modules() if isinstance(m, SpatialTransformer)]
        self._audio_windows = [m for m in self.modules() if isinstance(m, AudioWindowAttention)]
        for layers_of_a_kind in (self._cross_attentions, self._audio_windows):
            for index, layer in enumerate(layers_of_a_kind):
                layer.layer_index = index

    def encode_conditions(
        self,
        encoder_hidden_states: Tensor,
        image_embeds: Tensor | None = None,
        audio_embeds: Tensor | None = None,
        audio_window_embeds: Tensor | None = None,
        audio_window_mask: Tensor | None = None,
    ) -> UNetConditions:
        """Keys and values of every cross attention: once per clip instead of once per frame and step.

        Args:
            encoder_hidden_states: (b, n, d) text tokens.
            image_embeds: (b, t, q, d) image tokens of each frame, or (b, 1, q, d) the same for all; None leaves the
                image out of the attention.
            audio_embeds: (b, t, l, da) audio tokens of each frame; None leaves the sound out.
            audio_window_embeds: (b, n, dw) audio tokens of the clip, with ``audio_window_attention``; None leaves the
                sound out, to the same effect as tokens of zeros.
            audio_window_mask: (b, t, n) or (t, n) bool, which of them each frame hears; None: every frame hears all.

        Raises:
            ValueError: If the sound does not fit the configuration, or a frame is left without a token.
        """
        windows = self._encode_audio_windows(encoder_hidden_states, audio_window_embeds, audio_window_mask)
        audio = emb = None
        if audio_embeds is not None:
            if self.audio_embedding is not None:
                emb = self.audio_embedding(audio_embeds)
            if self.audio_projection is not None:
                audio = F.normalize(self.audio_projection(audio_embeds).float(), dim=-1)
                audio = audio.to(encoder_hidden_states.dtype)
        layers = (
            replace(layer.block.attn2.encode_conditions(encoder_hidden_states, image_embeds, audio), audio_window=pair)
            for layer, pair in zip(self._cross_attentions, windows[0], strict=True)
        )
        return UNetConditions(tuple(layers), emb, windows[1])

    def _encode_audio_windows(
        self, text: Tensor, tokens: Tensor | None, mask: Tensor | None
    ) -> tuple[list[KeysValues | None], Tensor | None]:
        """Keys and values of each layer's audio windows, and the bias of their scores."""
        check_audio_window(self.config, text.shape[0], tokens, mask)
        if tokens is None:
            return [None] * len(self._cross_attentions), None
        index = bias = None
        if mask is not None:
            index, bias = window_index(mask.expand(tokens.shape[0], *mask.shape[-2:]))
        bias = None if bias is None else bias.to(tokens.dtype)
        return [layer.encode_conditions(tokens, index) for layer in self._audio_windows], bias

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        encoder_hidden_states: Tensor | None = None,
        image_embeds: Tensor | None = None,
        audio_embeds: Tensor | None = None,
        fps: Tensor | int | None = None,
        frame_indices: Tensor | None = None,
        *,
        audio_window_embeds: Tensor | None = None,
        audio_window_mask: Tensor | None = None,
        conditions: UNetConditions | None = None,
        deep_features: DeepFeatures | None = None,
        return_dict: bool = True,
    ) -> KeyVIDUNetOutput | tuple[Tensor]:
        """Predict from noisy latents.

        Args:
            sample: (b, t, c, h, w): noisy latents, condition latents, then the mask if used, along the channels.
            timestep: (b,) or one number, 0 to 999.
            encoder_hidden_states: (b, n, d) text tokens; not needed with ``conditions``.
            image_embeds: (b, t, q, d) or (b, 1, q, d) image tokens.
            audio_embeds: (b, t, l, da) audio tokens of each frame.
            fps: (b,), (b, t) or one number, frames per second of ``sample``; needed with ``frame_rate_embedding``.
            frame_indices: (b, t) place of each frame in the whole clip; needed with ``frame_index_embedding``.
            audio_window_embeds: (b, n, dw) audio tokens of the clip, with ``audio_window_attention``.
            audio_window_mask: (b, t, n) or (t, n) bool, which of them each frame hears.
            conditions: Result of ``encode_conditions`` for the same clips, or for a single one.
            deep_features: What was kept of calls before, for the same clips and conditions.
            return_dict: Whether to return ``KeyVIDUNetOutput`` or a tuple.

        Raises:
            ValueError: If a shape does not fit.
        """
        tokens = encoder_hidden_states, image_embeds, audio_embeds
        check_inputs(self.config, sample, *tokens, fps, frame_indices, conditions)
        b, t = sample.shape[:2]
        if conditions is None:
            conditions = self.encode_conditions(*tokens, audio_window_embeds, audio_window_mask)
            check_frames(conditions, t)
        conditions = conditions if conditions.batch_size == b else conditions.expand(b)
        emb = F.silu(self._embed(b, t, timestep, fps, frame_indices, conditions.audio_emb, sample.device))

        x = self.conv_in(sample.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        if self.init_transformer is not None:
            x = self.init_transformer(x, t)
        deep = DeepFeatures() if deep_features is None else deep_features
        levels = deep.begin(len(self.down_blocks))
        skips = [x]
        for level, block in enumerate(self.down_blocks[:levels]):
            for layer in block.layers:
                x = block.run(layer, x, emb, conditions, t)
                skips.append(x)
            if level + 1 < levels:
                x = block.sampler(x)
                skips.append(x)
        for layer in self.mid_block.layers if deep.whole else ():
            x = self.mid_block.run(layer, x, emb, conditions, t)
        for level, block in enumerate(self.up_blocks[-levels:], start=1):
            x = deep.enter(levels - level, x)
            for layer in block.layers:
                x = block.run(layer, torch.cat([x, skips.pop()], dim=1), emb, conditions, t)
            if block.sampler is not None:
                x = block.sampler(x)
        out = self.conv_out(self.conv_norm_out(x)).unflatten(0, (b, t))
        return KeyVIDUNetOutput(sample=out) if return_dict else (out,)

    def _embed(self, b, t, timestep, fps, frame_indices, audio_emb, device) -> Tensor:
        """Time, frame rate, frame index and sound, added up: (b*t, d)."""
        timestep = torch.as_tensor(timestep, device=device).expand(b)
        emb = self.time_embedding(timestep)[:, None]
        if self.fps_embedding is not None:
            fps = torch.as_tensor(fps, device=device)
            emb = emb + self.fps_embedding(fps if fps.ndim == 2 else fps.expand(b)[:, None])
        if self.index_embedding is not None:
            emb = emb + self.index_embedding(frame_indices)
        if audio_emb is not None:
            emb = emb + audio_emb
        return emb.expand(b, t, -1).flatten(0, 1)
