"""The ears: a picture network hears each piece, a recurrent one their order, and a mapper says it in words.

TPoS, section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import ResNetConfig, ResNetForImageClassification

from asva_weights import KeyTable

TABLE = KeyTable(
    (
        (r"^widen\.", "conv."),
        (r"^order\.", "lstm."),
        (r"^importance\.", "cnn."),
        (r"^backbone\.classifier\.1\.", "feature_extractor.fc."),
        (r"^backbone\.resnet\.embedder\.embedder\.convolution\.", "feature_extractor.conv1."),
        (r"^backbone\.resnet\.embedder\.embedder\.normalization\.", "feature_extractor.bn1."),
        (
            r"^backbone\.resnet\.encoder\.stages\.(\d)\.layers\.(\d)\.",
            lambda match: f"feature_extractor.layer{int(match[1]) + 1}.{match[2]}.",
        ),
        (r"\.shortcut\.convolution\.", ".downsample.0."),
        (r"\.shortcut\.normalization\.", ".downsample.1."),
        (r"\.layer\.(\d)\.convolution\.", lambda match: f".conv{int(match[1]) + 1}."),
        (r"\.layer\.(\d)\.normalization\.", lambda match: f".bn{int(match[1]) + 1}."),
    ),
    ndim=((r"cnn\.weight", 3),),
    unused=r"(T_A|T_A2|conv2)\..+",  # of heads that no code of theirs calls
)
MAPPER_TABLE = KeyTable(((r"^layers\.0\.", "linear1."), (r"^layers\.3\.", "linear2.")))


class Heard(NamedTuple):
    """What each piece says.

    Attributes:
        pieces: (b, k, d) of length one, each hearing those before it.
        weighted: (b, k, d) the same times its importance.
        importance: (b, k), which sums to one.
    """

    pieces: Tensor
    weighted: Tensor
    importance: Tensor


class TPoSAudioEncoder(ModelMixin, ConfigMixin):
    """What each piece of a spectrogram says, in its order and by its importance.

    Args:
        width: Of what is said, d.
        hidden_sizes: Channels of the picture network's stages.
    """

    @register_to_config
    def __init__(self, width: int = 768, hidden_sizes: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.widen = nn.Conv2d(1, 3, 3)
        depths = [2] * len(hidden_sizes)
        resnet18 = ResNetConfig(embedding_size=64, hidden_sizes=list(hidden_sizes), depths=depths, layer_type="basic")
        resnet18.num_labels = width
        self.backbone = ResNetForImageClassification(resnet18)
        self.order = nn.LSTM(width, width, batch_first=True)
        self.importance = nn.Linear(width, 1)

    def forward(self, segments: Tensor) -> Heard:
        """Hear pieces (b, k, 128, 153) of a spectrogram."""
        seen = self.backbone(self.widen(segments.flatten(0, 1)[:, None])).logits
        pieces = F.normalize(self.order(seen.unflatten(0, segments.shape[:2]))[0], dim=-1)
        importance = self.importance(pieces)[..., 0].softmax(-1)
        return Heard(pieces, pieces * importance[..., None], importance)


class TPoSMapper(ModelMixin, ConfigMixin):
    """Words in place of those of a prompt, all but its first.

    Args:
        width: Of what is heard and of the words, d.
        num_words: Words n.
    """

    @register_to_config
    def __init__(self, width: int = 768, num_words: int = 76) -> None:
        super().__init__()
        sizes = (width, 10 * width, num_words * width)
        blocks = ((nn.Linear(*pair), nn.Dropout(0.2), nn.GELU()) for pair in pairwise(sizes))
        self.layers = nn.Sequential(*chain(*blocks))

    def forward(self, heard: Tensor) -> Tensor:
        """Words (..., n, d) of what is heard (..., d)."""
        return self.layers(heard).unflatten(-1, (self.config["num_words"], self.config["width"]))


def convert_encoder(state: Mapping[str, Tensor], what: str = "The audio encoder") -> TPoSAudioEncoder:
    """The network of a released ``audio_encoder_23.pth``; its sizes are read from the weights.

    Raises:
        ConversionError: If a weight is missing, unknown or of another shape.
    """
    state = without_module(state)
    sizes = [_rows(state, f"feature_extractor.layer{stage}.0.conv1.weight") for stage in range(1, 5)]
    config = {"width": _rows(state, "feature_extractor.fc.bias"), "hidden_sizes": sizes}
    return _loaded(TPoSAudioEncoder, TABLE, state, what, **config)


def convert_mapper(state: Mapping[str, Tensor], what: str = "The mapper") -> TPoSMapper:
    """The network of a released ``map_model_23.pth``; its sizes are read from the weights.

    Raises:
        ConversionError: If a weight is missing, unknown or of another shape.
    """
    state = without_module(state)
    width = _rows(state, "linear1.bias") // 10
    config = {"width": width, "num_words": _rows(state, "linear2.bias") // max(width, 1)}
    return _loaded(TPoSMapper, MAPPER_TABLE, state, what, **config)


def without_module(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that were saved from a wrapper for several devices, under the names that the network gives them."""
    return {name.removeprefix("module."): value for name, value in state.items()}


def _rows(state: Mapping[str, Tensor], name: str) -> int:
    """Of a weight; of one that is missing any, for the table says so in a moment."""
    return len(state[name]) if name in state else 1


def _loaded(kind: Any, table: KeyTable, state: Mapping[str, Tensor], what: str, **config: Any) -> Any:
    with torch.device("meta"):
        network = kind(**config)
    network.load_state_dict(table.to_ours(state, network.state_dict(), what), assign=True)
    return network.eval()
