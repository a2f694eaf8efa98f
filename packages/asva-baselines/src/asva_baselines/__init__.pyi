"""Public names of asva_baselines, loaded when first used."""

from .tempotokens.mapper import TempoTokensMapper as TempoTokensMapper
from .tempotokens.pipeline import TempoTokensPipeline as TempoTokensPipeline
from .tpos.encoder import TPoSAudioEncoder as TPoSAudioEncoder
from .tpos.encoder import TPoSMapper as TPoSMapper
from .tpos.pipeline import TPoSPipeline as TPoSPipeline

__all__ = ["TPoSAudioEncoder", "TPoSMapper", "TPoSPipeline", "TempoTokensMapper", "TempoTokensPipeline"]
