"""Audio window attention: each frame looks at the sound around it (open-domain, section 4; figure 3b)."""

import torch
from torch import Tensor, nn

from asva_unet.attention import attend_frames, split_heads
from asva_unet.conditions import KeysValues, UNetConditions
from asva_unet.embeddings import zero_
from asva_unet.extended import Network, extended


class AudioWindowAttention(nn.Module):
    """The pixels of a frame look at the audio tokens of its window; the result is added to them.

    Stands after the spatial transformer (text and image) and before the temporal attention of a layer. Nothing here
    has a bias behind the softmax, and the last layer starts at zero: the frozen network is left as it is at the
    start, and without sound (no tokens, or tokens of zeros) for ever.

    Args:
        channels: Width of the network here.
        num_heads: Heads.
        audio_dim: Width of the audio tokens.
    """

    def __init__(self, channels: int, num_heads: int, audio_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(audio_dim, channels, bias=False)
        self.to_v = nn.Linear(audio_dim, channels, bias=False)
        self.to_out = zero_(nn.Linear(channels, channels, bias=False))
        self.layer_index = 0  # place of this layer in UNetConditions.layers, set by the U-Net

    def encode_conditions(self, tokens: Tensor, index: Tensor | None) -> KeysValues:
        """Keys and values of (b, n, d) tokens, each frame's in its own row; (b, t, m, w, d).

        Args:
            tokens: (b, n, d) the sound of the clip.
            index: (b, t, w) tokens of each frame, from ``window_index``; None lets every frame see all of them.
        """
        keys, values = self.to_k(tokens), self.to_v(tokens)
        if index is None:
            pair = keys[:, None], values[:, None]
        else:  # a token belongs to several frames: projected once, then copied
            pair = _pick(keys, index), _pick(values, index)
        return split_heads(pair[0], self.num_heads), split_heads(pair[1], self.num_heads)

    def forward(self, x: Tensor, conditions: UNetConditions) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        pair = conditions.layers[self.layer_index].audio_window
        if pair is None:
            return x
        query = self.to_q(self.norm(x.permute(0, 2, 3, 1).flatten(1, 2)))
        out = self.to_out(attend_frames(query, pair, self.num_heads, conditions.audio_window_bias))
        return out.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2) + x


def window_index(mask: Tensor) -> tuple[Tensor, Tensor | None]:
    """The tokens of each frame, so that those outside its window are never scored.

    Args:
        mask: (b, t, n) bool, True where a frame hears a token.

    Returns:
        (b, t, w) places of the tokens, w as many as the largest window holds; smaller windows repeat their first
        token. And (b, t, w) float32 with -inf at those repetitions, or None if all windows are of the same size.

    Raises:
        ValueError: If a frame is left without a token.
    """
    counts = mask.sum(-1)
    if not counts.all():
        clip, frame = (counts == 0).nonzero()[0].tolist()
        raise ValueError(
            "`audio_window_mask` must leave every frame at least one token, got none for "
            f"frame {frame} of clip {clip}: widen the window (its radius) or give tokens that cover the clip."
        )
    index = (~mask).byte().argsort(dim=-1, stable=True)[..., : int(counts.max())]
    heard = mask.gather(-1, index)
    if heard.all():
        return index, None
    bias = torch.zeros(index.shape, device=mask.device).masked_fill(~heard, float("-inf"))
    return torch.where(heard, index, index[..., :1]), bias


def audio_window_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """What trains while the pretrained network stays frozen (open-domain, section 4): the audio window attentions.

    Args:
        unet: A ``KeyVIDUNet`` with ``audio_window_attention=True``.

    Returns:
        Name -> parameter; 50.4 million numbers at full size.

    Raises:
        ValueError: If the network has no audio windows.
    """
    layers = {name: module for name, module in unet.named_modules() if isinstance(module, AudioWindowAttention)}
    if not layers:
        raise ValueError("`unet` must have `audio_window_attention=True`, got one without: see `with_audio_window`.")
    return {f"{layer}.{name}": value for layer, module in layers.items() for name, value in module.named_parameters()}


def freeze_all_but_audio_windows(unet: nn.Module) -> dict[str, nn.Parameter]:
    """Let only the audio window attentions learn; returns them as ``audio_window_parameters`` does."""
    learning = audio_window_parameters(unet)
    unet.requires_grad_(False)
    for parameter in learning.values():
        parameter.requires_grad_(True)
    return learning


def with_audio_window(
    unet: Network, *, audio_window_dim: int = 1024, generator: torch.Generator | None = None
) -> Network:
    """The same network with audio window attention before each temporal attention, so far without effect.

    Args:
        unet: A pretrained ``KeyVIDUNet`` without audio windows; its weights are shared, not copied.
        audio_window_dim: Width of the audio tokens.
        generator: Of the new layers' first weights, on the CPU; a fresh one if None.

    Returns:
        A network that answers exactly as ``unet`` does until it is trained.

    Raises:
        ValueError: If the network already has audio windows.
    """
    if unet.config["audio_window_attention"]:
        raise ValueError("`unet` must have `audio_window_attention=False`, got a network that has audio windows.")
    return extended(unet, generator, audio_window_attention=True, audio_window_dim=audio_window_dim)


def _pick(rows: Tensor, index: Tensor) -> Tensor:
    """Rows (b, n, d) at ``index`` (b, t, w): (b, t, w, d)."""
    first = torch.arange(rows.shape[0], device=rows.device)[:, None, None] * rows.shape[1]
    return rows.flatten(0, 1).index_select(0, (index + first).flatten()).unflatten(0, index.shape)
