"""Public names of asva_baselines, loaded when first used."""

from .aadiff.pipeline import AADiffPipeline as AADiffPipeline
from .codi.clip import CoDiCLIP as CoDiCLIP
from .codi.pipeline import CoDiPipeline as CoDiPipeline
from .codi.unet import CoDiUNet as CoDiUNet
from .ltx2.pipeline import LTX2AudioToVideoPipeline as LTX2AudioToVideoPipeline
from .mmdiffusion.pipeline import MMDiffusionPipeline as MMDiffusionPipeline
from .mmdiffusion.super_resolution import SuperResolutionUNet as SuperResolutionUNet
from .mmdiffusion.unet import MultimodalUNet as MultimodalUNet
from .seeing_hearing.pipeline import SeeingHearingPipeline as SeeingHearingPipeline
from .tempotokens.mapper import TempoTokensMapper as TempoTokensMapper
from .tempotokens.pipeline import TempoTokensPipeline as TempoTokensPipeline
from .tpos.encoder import TPoSAudioEncoder as TPoSAudioEncoder
from .tpos.encoder import TPoSMapper as TPoSMapper
from .tpos.pipeline import TPoSPipeline as TPoSPipeline
from .videocrafter.pipeline import VideoCrafterPipeline as VideoCrafterPipeline

__all__ = [
    "AADiffPipeline",
    "CoDiCLIP",
    "CoDiPipeline",
    "CoDiUNet",
    "LTX2AudioToVideoPipeline",
    "MMDiffusionPipeline",
    "MultimodalUNet",
    "SeeingHearingPipeline",
    "SuperResolutionUNet",
    "TPoSAudioEncoder",
    "TPoSMapper",
    "TPoSPipeline",
    "TempoTokensMapper",
    "TempoTokensPipeline",
    "VideoCrafterPipeline",
]
