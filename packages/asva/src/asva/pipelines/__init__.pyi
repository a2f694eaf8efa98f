from .aadiff import AADiffPipeline as AADiffPipeline
from .audio_window import AudioWindowPipeline as AudioWindowPipeline
from .avsyncd import AVSyncDPipeline as AVSyncDPipeline
from .keyvid import KeyVIDPipeline as KeyVIDPipeline
from .methods import METHODS as METHODS
from .methods import Method as Method
from .methods import method_of as method_of
from .mtv import MTVPipeline as MTVPipeline
from .mtv_sound import LogMelFrames as LogMelFrames
from .mtv_text import MTVPrompt as MTVPrompt
from .mtv_vae import PatchVideoAutoencoder as PatchVideoAutoencoder
from .output import KeyVIDOutput as KeyVIDOutput
from .output import MTVOutput as MTVOutput
from .output import VideoOutput as VideoOutput
from .static import StaticPipeline as StaticPipeline

__all__ = [
    "METHODS",
    "AADiffPipeline",
    "AVSyncDPipeline",
    "AudioWindowPipeline",
    "KeyVIDOutput",
    "KeyVIDPipeline",
    "LogMelFrames",
    "MTVOutput",
    "MTVPipeline",
    "MTVPrompt",
    "Method",
    "PatchVideoAutoencoder",
    "StaticPipeline",
    "VideoOutput",
    "method_of",
]
