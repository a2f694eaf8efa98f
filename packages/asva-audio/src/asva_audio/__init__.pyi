"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""

from .convert import convert_imagebind_audio, invert_imagebind_audio, split_imagebind
from .imagebind import AudioEncoderOutput, ImageBindAudioEncoder
from .mel import imagebind_mel, null_mel
from .positions import resize_positions
from .reading import load_audio
from .sound import Audio, AudioError, cut, fit, official_stereo_scramble, resample
from .tokens import frame_audio_tokens, split_audio

__all__ = [
    "Audio",
    "AudioEncoderOutput",
    "AudioError",
    "ImageBindAudioEncoder",
    "convert_imagebind_audio",
    "cut",
    "fit",
    "frame_audio_tokens",
    "imagebind_mel",
    "invert_imagebind_audio",
    "load_audio",
    "null_mel",
    "official_stereo_scramble",
    "resample",
    "resize_positions",
    "split_audio",
    "split_imagebind",
]
