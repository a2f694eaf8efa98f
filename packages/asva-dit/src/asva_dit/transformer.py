"""CogVideoX steered by speech, effects and music: MTV's multi-stream temporal ControlNet (MTV, section 4.2)."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import torch
from diffusers import CogVideoXTransformer3DModel, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor, nn

from asva_dit.block import MTVBlock
from asva_dit.control import AudioControl, MTVAudio, is_off
from asva_dit.control_file import base_arguments, load_control, save_control
from asva_dit.from_transformer import from_control, from_transformer
from asva_dit.injection import BlockAudio, BlockControl, Scale
from asva_dit.lora import takes_lora_scale
from asva_dit.validation import TRACKS, check_config, check_sample, check_times, check_tokens, check_tracks


class MTVTransformer3DModel(CogVideoXTransformer3DModel, ModelMixin):  # pipelines look for the base in this module
    """``CogVideoXTransformer3DModel`` of the 1.0 family, with three tracks of sound. Without sound it is the base.

    The arguments up to `patch_bias` are the base's, those after it are MTV's; ``mtv_config`` has the released ones.

    Args:
        audio_window: Video frames of features that one frame sees.
        audio_layers: Layers of the audio encoder.
        audio_channels: Width of its layers.
        audio_hidden_dim: Width between the linear layers of the projections.
        audio_tokens: Tokens of a latent frame and track.
        audio_dim: Width of a token.
        audio_temporal: How frames become latent frames, see ``AudioTokens``: ``"token_conv"``, ``"tied_conv"`` as
            published, or ``"mean"``.
        interaction_layers: Blocks in which speech and effects look at each other.
        interaction_heads: Their heads.
        injection_interval: Every how many blocks sound enters, from block 0 on; 1 as published.
        injection_heads: Heads of the injections, as many as the base has by default; fewer are lighter.
        num_speakers: 1 or 2. Models of one and of two differ, even where the second is silent.
        separate_extraction: Music sets a style as one vector a clip; False, an ablation of the paper's (section 5.2,
            "w/o SE"): it becomes tokens of each interval, as effects do.
        separate_injection: Each track enters a block by layers of its own; False, an ablation ("w/o SI"): one
            cross attention hears the tokens of all.
        zero_init: Start what writes into the video tokens at zero, so that a network just built equals the base bit
            for bit. Published: False, only the music starts at zero.

    Raises:
        ValueError: If arguments contradict one another, or ask for CogVideoX 1.5.
    """

    _no_split_modules: ClassVar[list[str]] = ["MTVBlock", "CogVideoXPatchEmbed"]
    _repeated_blocks: ClassVar[list[str]] = ["MTVBlock"]

    @register_to_config
    def __init__(
        self,
        num_attention_heads: int = 30,
        attention_head_dim: int = 64,
        in_channels: int = 16,
        out_channels: int | None = 16,
        flip_sin_to_cos: bool = True,
        freq_shift: int = 0,
        time_embed_dim: int = 512,
        ofs_embed_dim: int | None = None,
        text_embed_dim: int = 4096,
        num_layers: int = 30,
        dropout: float = 0.0,
        attention_bias: bool = True,
        sample_width: int = 90,
        sample_height: int = 60,
        sample_frames: int = 49,
        patch_size: int = 2,
        patch_size_t: int | None = None,
        temporal_compression_ratio: int = 4,
        max_text_seq_length: int = 226,
        activation_fn: str = "gelu-approximate",
        timestep_activation_fn: str = "silu",
        norm_elementwise_affine: bool = True,
        norm_eps: float = 1e-5,
        spatial_interpolation_scale: float = 1.875,
        temporal_interpolation_scale: float = 1.0,
        use_rotary_positional_embeddings: bool = False,
        use_learned_positional_embeddings: bool = False,
        patch_bias: bool = True,
        audio_window: int = 5,
        audio_layers: int = 12,
        audio_channels: int = 768,
        audio_hidden_dim: int = 512,
        audio_tokens: int = 32,
        audio_dim: int = 768,
        audio_temporal: str = "token_conv",
        interaction_layers: int = 4,
        interaction_heads: int = 48,
        injection_interval: int = 1,
        injection_heads: int | None = None,
        num_speakers: int = 1,
        separate_extraction: bool = True,
        separate_injection: bool = True,
        zero_init: bool = True,
    ) -> None:
        check_config(self.config)
        base = {name: self.config[name] for name in base_arguments()}
        super().__init__(**{**base, "num_layers": 0})  # the base's own blocks would be thrown away
        self.register_to_config(num_layers=num_layers)
        dim = num_attention_heads * attention_head_dim
        self.transformer_blocks = nn.ModuleList(
            MTVBlock(
                dim=dim,
                num_attention_heads=num_attention_heads,
                attention_head_dim=attention_head_dim,
                time_embed_dim=time_embed_dim,
                dropout=dropout,
                activation_fn=activation_fn,
                attention_bias=attention_bias,
                norm_elementwise_affine=norm_elementwise_affine,
                norm_eps=norm_eps,
            )
            for _ in range(num_layers)
        )
        self.control = AudioControl(
            num_layers=interaction_layers,
            num_heads=interaction_heads,
            time_embed_dim=time_embed_dim,
            num_speakers=num_speakers,
            separate_extraction=separate_extraction,
            window=audio_window,
            layers=audio_layers,
            channels=audio_channels,
            hidden_dim=audio_hidden_dim,
            num_tokens=audio_tokens,
            dim=audio_dim,
            temporal=audio_temporal,
        )
        heads = injection_heads or num_attention_heads
        for block in self.transformer_blocks[::injection_interval]:
            block.control = BlockControl(
                *(dim, audio_dim, heads, attention_head_dim, num_speakers, norm_eps),
                separate_extraction=separate_extraction,
                separate_injection=separate_injection,
            )
        self.zero_control_(everything=zero_init)

    def zero_control_(self, *, everything: bool = True) -> None:
        """Put what writes into the video tokens to zero: all of it, or the music alone as published."""
        for block in self.transformer_blocks:
            if block.control is not None:
                block.control.zero_(everything=everything)

    def encode_audio(
        self,
        speech_embeds: Tensor | None = None,
        effects_embeds: Tensor | None = None,
        music_embeds: Tensor | None = None,
    ) -> MTVAudio:
        """The tracks of clips as tokens, once a clip; ``forward`` takes them as `audio`.

        Args:
            speech_embeds: (b, 4k + 1, window, layers, channels) features around each video frame; of a model with two
                speakers (b, 2, 4k + 1, window, layers, channels).
            effects_embeds, music_embeds: (b, 4k + 1, window, layers, channels).
                A track that is None has features of zeros, as in training where the sound is dropped.

        Raises:
            ValueError: If no track is given, a shape is wrong, frames are not ``4k + 1``, or tracks differ in length.
        """
        tracks = dict(zip(TRACKS, (speech_embeds, effects_embeds, music_embeds), strict=True))
        check_tracks(self.config, tracks)
        name, given = next((name, track) for name, track in tracks.items() if track is not None)
        several = self.config.num_speakers > 1
        plain = given[:, 0] if name == "speech_embeds" and several else given
        speech, effects, music = (torch.zeros_like(plain) if track is None else track for track in tracks.values())
        if speech.ndim == 5:
            speech = speech[:, None].expand(-1, self.config.num_speakers, *[-1] * 4)
        return self.control.encode(speech, effects, music)

    @takes_lora_scale
    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor | int | float,
        timestep_cond: Tensor | None = None,
        ofs: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
        *,
        speech_embeds: Tensor | None = None,
        effects_embeds: Tensor | None = None,
        music_embeds: Tensor | None = None,
        audio: MTVAudio | None = None,
        clean_frame_mask: Tensor | None = None,
        speech_scale: Scale = 1.0,
        effects_scale: Scale = 1.0,
        music_scale: Scale = 1.0,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Predict, as the base does, with sound and with latent frames that are given.

        Args:
            hidden_states: (b, t, c, h, w) noisy latents. Where the base has more channels than it predicts (the shape
                of its image-to-video model), they may be left out: zeros take their place, as in MTV.
            encoder_hidden_states: (b, l, d) text.
            timestep: (b,), or (b, t): one for each latent frame; text, interaction and output then take the largest.
            timestep_cond, ofs, image_rotary_emb, attention_kwargs: As the base's; `ofs` must be None.
            return_dict: Return a tuple instead if False.
            speech_embeds, effects_embeds, music_embeds: Features of the tracks, see ``encode_audio``. Without any, and
                without `audio`, this is the base.
            audio: What ``encode_audio`` made of them, of b clips or of one for all.
            clean_frame_mask: (b, t) boolean, True where a latent frame is given and clean: its tokens are modulated by
                timestep 0.
            speech_scale, effects_scale, music_scale: Factor of what each track adds, a number or (b,); the number 0
                leaves its layers out.

        Returns:
            (b, t, c, h, w) prediction as `sample`.

        Raises:
            ValueError: If shapes do not fit the model or one another.
        """
        if ofs is not None:
            raise ValueError("`ofs` must be None: bases of the CogVideoX 1.0 family have none.")
        check_sample(self.config, hidden_states, encoder_hidden_states)
        b, t, channels, height, width = hidden_states.shape
        timestep = torch.as_tensor(timestep, device=hidden_states.device)
        check_times(timestep, clean_frame_mask, b, t)

        # 1. Time, of the whole and of each frame
        emb, temb = self._embed_time(timestep, clean_frame_mask, (b, t), hidden_states.dtype, timestep_cond)

        # 2. Sound
        scales = speech_scale, effects_scale, music_scale
        heard = self._hear((speech_embeds, effects_embeds, music_embeds), audio, emb, t, scales)

        # 3. Patches and text
        missing = self.config.in_channels - channels
        if missing > 0:
            hidden_states = torch.cat([hidden_states, hidden_states.new_zeros(b, t, missing, height, width)], dim=2)
        tokens = self.embedding_dropout(self.patch_embed(encoder_hidden_states, hidden_states))
        length = encoder_hidden_states.shape[1]
        encoder_hidden_states, hidden_states = tokens[:, :length], tokens[:, length:]

        # 4. Blocks
        for block in self.transformer_blocks:
            arguments = (hidden_states, encoder_hidden_states, temb, image_rotary_emb, attention_kwargs, heard)
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                hidden_states, encoder_hidden_states = self._gradient_checkpointing_func(block, *arguments)
            else:
                hidden_states, encoder_hidden_states = block(*arguments)

        # 5. Patches to latents
        hidden_states = self.proj_out(self.norm_out(self.norm_final(hidden_states), temb=emb))
        p = self.config.patch_size
        output = hidden_states.reshape(b, t, height // p, width // p, -1, p, p)
        output = output.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
        return Transformer2DModelOutput(sample=output) if return_dict else (output,)

    def _embed_time(
        self,
        timestep: Tensor,
        clean_frame_mask: Tensor | None,
        frames: tuple[int, int],
        dtype: torch.dtype,
        timestep_cond: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(b, e) embedding of the whole, and what the blocks take: the same, or (b, 1 + t, e) with each frame's own."""
        whole = timestep.amax(dim=1) if timestep.ndim == 2 else timestep.reshape(-1).expand(frames[0])
        emb = self.time_embedding(self.time_proj(whole).to(dtype), timestep_cond)
        if timestep.ndim < 2 and clean_frame_mask is None:
            return emb, emb
        times = timestep if timestep.ndim == 2 else whole[:, None].expand(frames)
        if clean_frame_mask is not None:
            times = times.masked_fill(clean_frame_mask.to(times.device), 0)
        each = self.time_embedding(self.time_proj(times.flatten()).to(dtype)).unflatten(0, frames)
        return emb, torch.cat([emb[:, None], each], dim=1)

    def _hear(
        self,
        tracks: tuple[Tensor | None, Tensor | None, Tensor | None],
        audio: MTVAudio | None,
        emb: Tensor,
        frames: int,
        scales: tuple[Scale, Scale, Scale],
    ) -> BlockAudio | None:
        """What the blocks hear, None without sound."""
        given = [name for name, track in zip(TRACKS, tracks, strict=True) if track is not None]
        if audio is not None and given:
            raise ValueError(f"`audio` must be None where {given} are given, or the other way round.")
        if (audio is None and not given) or all(is_off(scale) for scale in scales):
            return None
        audio = self.encode_audio(*tracks) if audio is None else audio
        b = emb.shape[0]
        check_tokens(audio.effects.shape[1], audio.effects.shape[0], b, frames)
        audio = MTVAudio(*(part.expand(b, *part.shape[1:]) for part in audio))
        return self.control(audio, emb, *scales)

    @classmethod
    def from_transformer(
        cls, transformer: CogVideoXTransformer3DModel, *, generator: torch.Generator | None = None, **control: Any
    ) -> MTVTransformer3DModel:
        """A base with MTV's control beside it. The layers of the base are shared, not copied.

        Args:
            transformer: A CogVideoX transformer of the 1.0 family.
            generator: Draws the new layers, on the CPU; a fresh one by default.
            **control: Arguments of MTV, from `audio_window` on.

        Raises:
            ValueError: If an argument is not MTV's, or the base does not fit.
        """
        return from_transformer(cls, transformer, generator, control)

    @classmethod
    def from_control(
        cls, transformer: CogVideoXTransformer3DModel, path: str | os.PathLike[str]
    ) -> MTVTransformer3DModel:
        """A base with the control that ``save_control`` has written; the layers of the base are shared.

        Raises:
            ValueError: If the file is no such control, or does not fit the base.
        """
        return from_control(cls, transformer, path)

    def save_control(self, path: str | os.PathLike[str], *, trained: tuple[str, ...] = ()) -> None:
        """Write MTV's weights without the base: one safetensors file that knows its configuration.

        Args:
            path: The file.
            trained: Names of the base's weights that were trained too and belong to the control.
        """
        save_control(self, path, trained)

    def load_control(self, path: str | os.PathLike[str]) -> None:
        """Read what ``save_control`` has written into this model.

        Raises:
            ValueError: If the file is no such control, or its names, shapes or configuration differ.
        """
        load_control(self, path)
