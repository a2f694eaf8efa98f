"""Features of several encoders and layers as one sequence of timed tokens (open-domain, section 4, multi-feature)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_audio.windows import TimedTokens

PAPER_SOURCES = {
    "imagebind": {"width": 768, "layers": [3, 7, 11]},
    "beats": {"width": 768, "layers": [3, 7, 11]},
}


class AudioTap(NamedTuple):
    """One layer of one encoder.

    Attributes:
        source: Name of the encoder.
        layer: Block whose output is taken, counted from 0.
        width: Width d of that output.
    """

    source: str
    layer: int
    width: int


class MultiFeatureEncoder(ModelMixin, ConfigMixin):
    """A linear layer for each tapped feature; holds no encoder, so that those stay frozen and their features cacheable.

    Args:
        sources: For each encoder its ``width`` and the ``layers`` tapped, counted from 0; None for the paper's: blocks
            3, 7 and 11 of ImageBind and of BEATs.
        output_dim: Width of the tokens made, the cross attention width of the video model.
        normalize: Whether features are normalised (without weights) before their linear layer. The paper has it not.

    Raises:
        ValueError: If ``sources`` is empty or a tap is no layer.
    """

    @register_to_config
    def __init__(
        self,
        sources: Mapping[str, Mapping[str, Any]] | None = None,
        output_dim: int = 1024,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.taps = _taps(PAPER_SOURCES if sources is None else sources)
        self.projections: Any = nn.ModuleDict({source: nn.ModuleDict() for source, _, _ in self.taps})
        for source, layer, width in self.taps:
            self.projections[source][str(layer)] = nn.Linear(width, output_dim)

    @property
    def layers(self) -> dict[str, list[int]]:
        """Tapped layers by encoder, in the order of the sequence."""
        return {name: [int(layer) for layer in modules] for name, modules in self.projections.items()}

    def forward(self, features: Mapping[str, Sequence[Tensor]], token_times: Mapping[str, Tensor]) -> TimedTokens:
        """Project features and put them one after the other, encoders by name and then layer by layer.

        Args:
            features: For each encoder its tapped layers in order, each (b, n, width), without class tokens.
            token_times: For each encoder (n, 2) seconds of its tokens.

        Returns:
            Tokens (b, sum of n over all taps, output_dim) with their times.

        Raises:
            ValueError: If encoders, layers or widths are not those of the configuration.
        """
        self._check(features, token_times)
        tokens, times = [], []
        for source, layers in self.layers.items():
            for layer, feature in zip(layers, features[source], strict=True):
                tokens.append(self._project(self.projections[source][str(layer)], feature))
                times.append(token_times[source])
        return TimedTokens(torch.cat(tokens, dim=1), torch.cat(times))

    def _project(self, projection: nn.Linear, feature: Tensor) -> Tensor:
        if self.config["normalize"]:
            feature = F.layer_norm(feature.float(), feature.shape[-1:], eps=1e-6)
        return projection(feature.to(self.dtype))

    def _check(self, features: Mapping[str, Sequence[Tensor]], token_times: Mapping[str, Tensor]) -> None:
        for name, given in (("features", features), ("token_times", token_times)):
            if given.keys() != self.layers.keys():
                raise ValueError(f"`{name}` must be given for {sorted(self.layers)}, got {sorted(given)}.")
        for source, layers in self.layers.items():
            if len(features[source]) != len(layers):
                raise ValueError(
                    f"`features[{source!r}]` must hold the layers {layers}, got {len(features[source])} tensors."
                )
            width = self.projections[source][str(layers[0])].in_features
            for feature in features[source]:
                expected = (len(token_times[source]), width)
                if feature.ndim != 3 or feature.shape[1:] != expected:
                    raise ValueError(
                        f"`features[{source!r}]` must have shape (b, {expected[0]}, {width}), "
                        f"got {tuple(feature.shape)}; leave class tokens out."
                    )


def _taps(sources: Mapping[str, Mapping[str, Any]]) -> tuple[AudioTap, ...]:
    if not sources:
        raise ValueError("`sources` must name at least one encoder, got none.")
    taps = []
    # By name, for a saved configuration forgets another order.
    for name, source in sorted(sources.items()):
        if not str(name).isidentifier():
            raise ValueError(f"`sources` must be named by plain words, got {name!r}.")
        if set(source) != {"width", "layers"}:
            raise ValueError(f"`sources[{name!r}]` must state `width` and `layers`, got {sorted(source)}.")
        layers = [int(layer) for layer in source["layers"]]
        if not layers or min(layers) < 0 or len(set(layers)) < len(layers):
            raise ValueError(f"`sources[{name!r}]` must tap different layers counted from 0, got {layers}.")
        taps += [AudioTap(name, layer, int(source["width"])) for layer in layers]
    return tuple(taps)
