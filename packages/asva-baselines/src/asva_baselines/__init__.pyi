"""Public names of asva_baselines, loaded when first used."""

from .seeing_hearing.pipeline import SeeingHearingPipeline as SeeingHearingPipeline
from .tempotokens.mapper import TempoTokensMapper as TempoTokensMapper
from .tempotokens.pipeline import TempoTokensPipeline as TempoTokensPipeline
from .tpos.encoder import TPoSAudioEncoder as TPoSAudioEncoder
from .tpos.encoder import TPoSMapper as TPoSMapper
from .tpos.pipeline import TPoSPipeline as TPoSPipeline

__all__ = [
    "SeeingHearingPipeline",
    "TPoSAudioEncoder",
    "TPoSMapper",
    "TPoSPipeline",
    "TempoTokensMapper",
    "TempoTokensPipeline",
]
