"""The contrastive head of ImageBind's audio tower: tokens -> one vector comparable with those of images and texts."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_weights import KeyTable, shape_of
from asva_weights.key_table import below

TABLE = KeyTable(
    (
        (r"^norm\.", "modality_heads.audio.0."),
        (r"^projection\.", "modality_heads.audio.2."),
        (r"^log_scale$", "modality_postprocessors.audio.1.log_logit_scale"),
    )
)


class ImageBindAudioHead(ModelMixin, ConfigMixin):
    """Norm and projection of the class token, unit length times a learned temperature.

    Args:
        hidden_size: Width of the tokens.
        embedding_size: Width of the joint space.
    """

    @register_to_config
    def __init__(self, hidden_size: int = 768, embedding_size: int = 1024) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.projection = nn.Linear(hidden_size, embedding_size, bias=False)
        self.register_buffer("log_scale", torch.tensor(20.0).log())

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, n, d) ``last_hidden_state`` of the trunk, class token first -> (b, embedding_size).

        The length of the vectors is the temperature, at most 100; normalise them for cosine similarity.
        """
        embedding = self.projection(self.norm(tokens[:, 0]))
        return F.normalize(embedding, dim=-1) * self.log_scale.exp().clamp(max=100)


def convert_imagebind_head(state_dict: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
    """Weights of :class:`ImageBindAudioHead` from an ImageBind checkpoint that stands under ``prefix``.

    Raises:
        ConversionError: If a key of the head is missing or unknown, or a shape is another.
    """
    what, parts = "head of ImageBind's audio tower", ("modality_heads.audio.", "modality_postprocessors.audio.")
    head = {key: value for key, value in below(state_dict, prefix).items() if key.startswith(parts)}
    size, width = shape_of(head, "modality_heads.audio.2.weight", what, 2)
    with torch.device("meta"):
        like = ImageBindAudioHead(width, size).state_dict()
    return TABLE.to_ours(head, like, f"The {what}")
