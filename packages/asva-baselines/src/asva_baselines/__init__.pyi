"""Public names of asva_baselines, loaded when first used."""

from .tempotokens.mapper import TempoTokensMapper as TempoTokensMapper

__all__ = ["TempoTokensMapper"]
