from .audio_window import AudioWindowPipeline as AudioWindowPipeline
from .avsyncd import AVSyncDPipeline as AVSyncDPipeline
from .keyvid import KeyVIDPipeline as KeyVIDPipeline
from .output import KeyVIDOutput as KeyVIDOutput
from .output import VideoOutput as VideoOutput

__all__ = ["AVSyncDPipeline", "AudioWindowPipeline", "KeyVIDOutput", "KeyVIDPipeline", "VideoOutput"]
