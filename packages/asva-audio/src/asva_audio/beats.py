"""BEATs, a self-supervised audio encoder: filter bank -> patch tokens of 0.16 s and 16 bands, all layers available."""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_audio.beats_blocks import BEATsBlock, PositionConvolution, distance_buckets
from asva_audio.filterbank import filterbank
from asva_audio.imagebind_network import AudioEncoderOutput
from asva_audio.windows import FRAME_SHIFT, patch_times

# Statistics of the original's training set; it feeds 16 bit sample values to the filter bank.
FBANK_MEAN, FBANK_SCALE = 15.41663, 2 * 6.55582
SAMPLE_SCALE = 2**15
NUM_MEL_BINS = 128


def beats_fbank(waveform: Tensor, sample_rate: int = 16000) -> Tensor:
    """Normalised Kaldi log-mel filter bank of BEATs: 25 ms Povey windows every 10 ms, no dither.

    Args:
        waveform: (b, s) or (s,) mono sound in [-1, 1].
        sample_rate: Rate of ``waveform`` in Hz; BEATs was trained at 16000.

    Returns:
        (b, frames, 128) float32; two seconds give 198 frames.

    Raises:
        ValueError: If the shape is not (b, s) or (s,), or the sound is shorter than 25 ms.
    """
    if waveform.ndim not in (1, 2):
        raise ValueError(f"`waveform` must have shape (b, s) or (s,), got {tuple(waveform.shape)}.")
    samples = waveform.float().reshape(-1, waveform.shape[-1]) * SAMPLE_SCALE
    log_mel = filterbank(samples, sample_rate=sample_rate, num_mel_bins=NUM_MEL_BINS, window="povey")
    return (log_mel - FBANK_MEAN) / FBANK_SCALE


class BEATsEncoder(ModelMixin, ConfigMixin):
    """BEATs (Chen et al., 2023) for features: no predictor, no dropout, sounds of any length from 0.185 s on.

    Tokens are ordered time first: token ``t * 8 + f`` is band f of column t, each column 16 frames of 10 ms, without
    overlap; frames that fill no column are not heard. Layers are post-norm with residuals scaled as in DeepNet, and
    share one table of biases by distance in the sequence, which every layer gates by its queries.

    Args:
        patch_size: Side of a patch in frames and in bands.
        embed_dim: Width of a patch before its projection.
        hidden_size: Width d.
        num_hidden_layers: Number of layers.
        num_attention_heads: Heads; divides ``hidden_size``.
        intermediate_size: Inner width of the feed-forward.
        conv_pos: Kernel of the convolution that tells positions.
        conv_pos_groups: Groups of that convolution.
        num_buckets: Classes of distance that have a bias of their own.
        max_distance: Distance from which on all share the last class.
        deep_norm: Whether residuals are scaled by ``(2 num_hidden_layers) ** 0.25``.
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ("BEATsBlock",)

    @register_to_config
    def __init__(
        self,
        patch_size: int = 16,
        embed_dim: int = 512,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        conv_pos: int = 128,
        conv_pos_groups: int = 16,
        num_buckets: int = 320,
        max_distance: int = 1280,
        deep_norm: bool = True,
    ) -> None:
        super().__init__()
        if hidden_size % num_attention_heads:
            raise ValueError(
                f"`num_attention_heads` must divide `hidden_size` ({hidden_size}), got {num_attention_heads}."
            )
        self.gradient_checkpointing = False
        self.patch = nn.Conv2d(1, embed_dim, patch_size, patch_size, bias=False)
        self.patch_norm = nn.LayerNorm(embed_dim)
        self.projection = nn.Linear(embed_dim, hidden_size)
        self.positions = PositionConvolution(hidden_size, conv_pos, conv_pos_groups)
        self.norm = nn.LayerNorm(hidden_size)
        self.distance_bias = nn.Embedding(num_buckets, num_attention_heads)
        scale = (2 * num_hidden_layers) ** 0.25 if deep_norm else 1.0
        self.blocks = nn.ModuleList(
            BEATsBlock(hidden_size, num_attention_heads, intermediate_size, scale) for _ in range(num_hidden_layers)
        )

    def grid(self, frames: int) -> tuple[int, int]:
        """Number of patches as (time, mel) for ``frames`` frames of the filter bank."""
        return frames // self.config["patch_size"], NUM_MEL_BINS // self.config["patch_size"]

    def spectrogram(self, waveform: Tensor, sample_rate: int = 16000) -> Tensor:
        """(b, s) sound -> (b, frames, 128), :func:`beats_fbank`."""
        return beats_fbank(waveform, sample_rate)

    def null_spectrogram(self, batch: int = 1, seconds: float = 2.0, device: torch.device | None = None) -> Tensor:
        """The "no sound" input: (batch, frames, 128) zeros in normalised space, as many as ``seconds`` give."""
        frames = int((round(seconds * 16000) - 400) // 160) + 1
        return torch.zeros(batch, frames, NUM_MEL_BINS, device=device or self.device)

    def token_times(self, spectrogram: Tensor) -> Tensor:
        """(n, 2) float64 seconds, start and end of what each token hears."""
        time, mel = self.grid(spectrogram.shape[1])
        times = patch_times(time, size=self.config["patch_size"], stride=self.config["patch_size"])
        return times.repeat_interleave(mel, dim=0).to(spectrogram.device)

    def forward(
        self, fbank: Tensor, output_hidden_states: bool = False, padding_mask: Tensor | None = None
    ) -> AudioEncoderOutput:
        """Encode filter banks.

        Args:
            fbank: (b, frames, 128), see :func:`beats_fbank`.
            output_hidden_states: Whether to return the input of the first layer and the output of every layer.
            padding_mask: (b, s) bool, True where a sound is padding, s samples or frames. As in the original it is
                divided evenly among the tokens, of which those count as padding that hear nothing else.

        Returns:
            Tokens (b, n, d); n = 96 for two seconds.

        Raises:
            ValueError: If a shape is wrong, the sound is shorter than a patch, or a row is all padding.
        """
        self._check(fbank)
        tokens = self.embed(fbank.to(self.dtype))
        padding = None if padding_mask is None else _token_padding(padding_mask, fbank.shape[:2], tokens.shape[1])
        if padding is not None:
            tokens = tokens.masked_fill(padding[..., None], 0.0)
        hidden_states = self.norm(tokens + self.positions(tokens))
        bias = self.bias(tokens.shape[1], tokens.device)
        collected = [hidden_states]
        for block in self.blocks:
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                hidden_states = self._gradient_checkpointing_func(block, hidden_states, bias, padding)
            else:
                hidden_states = block(hidden_states, bias, padding)
            collected.append(hidden_states)
        return AudioEncoderOutput(hidden_states, tuple(collected) if output_hidden_states else None)

    def embed(self, fbank: Tensor) -> Tensor:
        """Patch tokens before positions are told: (b, n, d)."""
        patches = self.patch(fbank[:, None]).flatten(2).transpose(1, 2)
        return self.projection(self.patch_norm(patches))

    def bias(self, num_tokens: int, device: torch.device | str = "cpu") -> Tensor:
        """(m, n, n) bias of attention by the distance between tokens, before the layers gate it."""
        config = self.config
        buckets = distance_buckets(num_tokens, config["num_buckets"], config["max_distance"])
        return self.distance_bias(buckets.to(device)).permute(2, 0, 1)

    def _check(self, fbank: Tensor) -> None:
        if fbank.ndim != 3 or fbank.shape[-1] != NUM_MEL_BINS:
            raise ValueError(f"`fbank` must have shape (b, frames, {NUM_MEL_BINS}), got {tuple(fbank.shape)}.")
        if fbank.shape[1] < self.config["patch_size"]:
            seconds = (self.config["patch_size"] + 1.5) * FRAME_SHIFT
            raise ValueError(
                f"`fbank` must hold at least {self.config['patch_size']} frames, got {fbank.shape[1]}; "
                f"pad the sound to {seconds:g} s with `fit`."
            )


def _token_padding(padding: Tensor, frames: tuple[int, ...], num_tokens: int) -> Tensor:
    """(b, s) of samples or frames -> (b, n) of tokens, in two even divisions; what is left over is not looked at."""
    if padding.ndim != 2 or len(padding) != frames[0] or padding.shape[1] < frames[1] or padding.dtype != torch.bool:
        raise ValueError(
            f"`padding_mask` must be bool of shape ({frames[0]}, s) with s at least {frames[1]}, "
            f"got {padding.dtype} of shape {tuple(padding.shape)}."
        )
    for count in (frames[1], num_tokens):
        each = padding.shape[1] // count
        padding = padding[:, : each * count].unflatten(1, (count, each)).all(-1)
    if padding.all(1).any():
        raise ValueError("`padding_mask` must leave every sound a token, got a row that is all padding.")
    return padding
