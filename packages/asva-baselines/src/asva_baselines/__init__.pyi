"""Public names of asva_baselines, loaded when first used."""

from .tempotokens.mapper import TempoTokensMapper as TempoTokensMapper
from .tempotokens.pipeline import TempoTokensPipeline as TempoTokensPipeline

__all__ = ["TempoTokensMapper", "TempoTokensPipeline"]
