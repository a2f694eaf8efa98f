"""Audio tokens of every latent frame from features of every video frame (MTV, section 4.2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TEMPORAL = ("token_conv", "tied_conv", "mean", "latent")


class AudioTokens(nn.Module):
    """The features around each video frame as tokens, then two halvings in time: one set of tokens a latent frame.

    ``4k + 1`` video frames become ``k + 1`` latent ones as in CogVideoX's autoencoder: the first frame stands for
    itself, the others are halved twice, both times by the same weights.

    Args:
        window: Video frames whose features one frame sees, 5 as released: its own and two on each side.
        layers: Layers of the audio encoder, 12 as released.
        channels: Width of one layer.
        hidden_dim: Width between the linear layers.
        num_tokens: Tokens of a frame.
        dim: Width of a token.
        temporal: How two frames become one. ``"token_conv"``: a convolution of each token by itself, the light form.
            ``"tied_conv"``, as published: a convolution over all tokens of a frame at once, ``num_tokens * dim`` wide,
            3.62 of the 5.96 billion weights that MTV adds. ``"mean"``: their mean, without weights.
            ``"latent"``: not at all, features are those of latent frames.

    Raises:
        ValueError: If `temporal` is none of these.
    """

    def __init__(
        self,
        *,
        window: int = 5,
        layers: int = 12,
        channels: int = 768,
        hidden_dim: int = 512,
        num_tokens: int = 32,
        dim: int = 768,
        temporal: str = "token_conv",
    ) -> None:
        super().__init__()
        if temporal not in TEMPORAL:
            raise ValueError(f"`temporal` must be one of {TEMPORAL}, got {temporal!r}.")
        self.num_tokens, self.temporal = num_tokens, temporal
        self.proj_in = nn.Linear(window * layers * channels, hidden_dim)
        self.proj_hidden = nn.Linear(hidden_dim, hidden_dim)
        self.proj_out = nn.Linear(hidden_dim, num_tokens * dim)
        width = {"tied_conv": num_tokens * dim, "token_conv": dim}.get(temporal)
        self.halve = nn.Conv1d(width, width, kernel_size=2, stride=2) if width else nn.AvgPool1d(2)
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: Tensor) -> Tensor:
        """The tokens of each latent frame.

        Args:
            features: (b, 4k + 1, window, layers, channels) audio features around each video frame.

        Returns:
            (b, k + 1, num_tokens, dim) tokens.
        """
        x = F.relu(self.proj_in(features.flatten(2)))
        x = self.proj_out(F.relu(self.proj_hidden(x)))  # (b, t, n d)
        for _ in range(0 if self.temporal == "latent" else 2):
            x = torch.cat([x[:, :1], self._halved(x[:, 1:])], dim=1) if x.shape[1] > 1 else x
        return self.norm(x.unflatten(-1, (self.num_tokens, -1)))

    def _halved(self, x: Tensor) -> Tensor:
        """(b, 2t, n d) -> (b, t, n d)."""
        if self.temporal == "tied_conv":
            return self.halve(x.transpose(1, 2)).transpose(1, 2)
        tokens = x.unflatten(-1, (self.num_tokens, -1)).permute(0, 2, 3, 1)  # (b, n, d, 2t)
        halved = self.halve(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        return halved.permute(0, 3, 1, 2).flatten(2)
