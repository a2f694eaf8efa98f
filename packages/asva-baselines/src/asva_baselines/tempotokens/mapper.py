"""The mapper: what BEATs heard becomes six words for each frame (TempoTokens, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from asva_weights import KeyTable

NEAR = (1, 2, 4, 8)  # frames on each side that the four local words are averages of
WORDS = 2 + len(NEAR)
TABLE = KeyTable(
    (
        (r"^layers\.([0-3])\.", lambda match: f"fc{int(match[1]) + 1}."),
        (r"^unary\.", "fga.un_models.0.embed."),
        (r"^unary_score\.", "fga.un_models.0.feature_reduce."),
        (r"^query\.", "fga.pp_models.0.embed_X."),
        (r"^key\.", "fga.pp_models.0.embed_Y."),
        (r"^mix$", "fga.reduce_potentials.0.weight"),
    ),
    ndim=((r"fga\.(?:un|pp)_models.*\.weight", 3),),
)


class TempoTokensMapper(ModelMixin, ConfigMixin):
    """Words for each frame: its own, four averages over its neighbours, and one for the whole clip.

    BEATs' tokens are cut into as many runs as there are frames. Two seconds give 96 tokens, eight bands at each of 12
    moments, so that an even frame hears the four low bands of a moment and the odd one after it the four high ones.

    Args:
        input_size: Width of the layers of BEATs, laid beside each other.
        hidden_size: Inner width.
        output_size: Width d of the text encoder's words.
        num_frames: Frames t.
    """

    @register_to_config
    def __init__(
        self, input_size: int = 9216, hidden_size: int = 2304, output_size: int = 1024, num_frames: int = 24
    ) -> None:
        super().__init__()
        sizes = (input_size, hidden_size, hidden_size, output_size, output_size)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.unary, self.unary_score = nn.Linear(output_size, output_size), nn.Linear(output_size, 1)
        self.query, self.key = nn.Linear(output_size, output_size), nn.Linear(output_size, output_size)
        self.mix = nn.Parameter(torch.full((1, 2, 1), 0.5))

    def forward(self, features: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Words (b, t, 6, d) of each frame: its own, the local ones from narrow to wide, the clip's.

        Args:
            features: (b, n, input_size) all layers of BEATs, see :func:`asva_baselines.tempotokens.network.all_layers`;
                n is a multiple of t.
            dropout: (b, t, d) factors, 0 or 2, of what the original drops from the clip's word, in use as in training.

        Raises:
            ValueError: If the tokens do not divide among the frames.
        """
        count = self.config["num_frames"]
        if features.ndim != 3 or features.shape[1] % count:
            raise ValueError(f"`features` must hold a multiple of {count} tokens, got shape {tuple(features.shape)}.")
        *hidden, project = self.layers
        for layer in hidden[:-1]:
            features = F.gelu(layer(features))
        runs = hidden[-1](features).unflatten(1, (count, -1)).mean(2)
        own = project(F.gelu(runs))
        local = torch.einsum("kts,bsd->btkd", _neighbours(count).to(own), own)
        clip = self._clip(own, dropout)[:, None, None].expand(-1, count, -1, -1)
        return torch.cat([own[:, :, None], local, clip], dim=2)

    def _clip(self, own: Tensor, dropout: Tensor | None) -> Tensor:
        """The clip's word (b, d): frames weighed each by itself and by its likeness to the others."""
        seen = F.relu(self.unary(own))
        alone = self.unary_score(seen if dropout is None else seen * dropout)[..., 0]
        query, key = (F.normalize(layer(own), dim=-1) for layer in (self.query, self.key))
        alike = (query @ key.mT).mean(-1)
        weights = (torch.stack([alone, alike], dim=1) * self.mix).sum(1).softmax(-1)
        return (weights[..., None] * own).sum(1)


def _neighbours(count: int) -> Tensor:
    """(4, t, t) weights of the averages: k frames back and k - 1 ahead, fewer at both ends."""
    ahead = torch.arange(count)[None] - torch.arange(count)[:, None]
    near = torch.stack([(ahead >= -k) & (ahead < k) for k in NEAR]).float()
    return near / near.sum(-1, keepdim=True)


def convert_mapper(state: Mapping[str, Tensor], *, num_frames: int = 24, what: str = "The mapper") -> TempoTokensMapper:
    """The network of a released ``learned_embeds.pth``, its widths read from the weights.

    Raises:
        ConversionError: If a weight is missing, unknown or of another shape.
    """
    hidden, inputs = _shape(state, "fc1.weight")
    outputs, _ = _shape(state, "fc3.weight")
    with torch.device("meta"):
        mapper = TempoTokensMapper(inputs, hidden, outputs, num_frames)
    mapper.load_state_dict(TABLE.to_ours(state, mapper.state_dict(), what), assign=True)
    return mapper.eval()


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Of a matrix; of one that is missing any, for the table says so in a moment."""
    rows, columns = state[name].shape if name in state else (1, 1)
    return rows, columns


def invert_mapper(mapper: TempoTokensMapper) -> dict[str, Tensor]:
    """Inverse of :func:`convert_mapper`."""
    return TABLE.to_original(mapper.state_dict())
