"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""

from .convert import convert_imagebind_audio, invert_imagebind_audio, split_imagebind
from .imagebind import AudioEncoderOutput, ImageBindAudioEncoder
from .mel import imagebind_mel, null_mel
from .positions import resize_positions
from .tokens import frame_audio_tokens, split_audio

__all__ = [
    "AudioEncoderOutput",
    "ImageBindAudioEncoder",
    "convert_imagebind_audio",
    "frame_audio_tokens",
    "imagebind_mel",
    "invert_imagebind_audio",
    "null_mel",
    "resize_positions",
    "split_audio",
    "split_imagebind",
]
