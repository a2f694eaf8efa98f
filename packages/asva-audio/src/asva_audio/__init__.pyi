"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""

from .convert import convert_imagebind_audio, invert_imagebind_audio, split_imagebind
from .embedding import ImageBindAudioHead, convert_imagebind_head
from .imagebind import AudioEncoderOutput, ImageBindAudioEncoder
from .mel import imagebind_mel, null_mel
from .positions import resize_positions
from .reading import load_audio
from .sound import Audio, AudioError, cut, fit, official_stereo_scramble, resample
from .tokens import frame_audio_tokens, split_audio
from .weights import load_imagebind_audio

__all__ = [
    "Audio",
    "AudioEncoderOutput",
    "AudioError",
    "ImageBindAudioEncoder",
    "ImageBindAudioHead",
    "convert_imagebind_audio",
    "convert_imagebind_head",
    "cut",
    "fit",
    "frame_audio_tokens",
    "imagebind_mel",
    "invert_imagebind_audio",
    "load_audio",
    "load_imagebind_audio",
    "null_mel",
    "official_stereo_scramble",
    "resample",
    "resize_positions",
    "split_audio",
    "split_imagebind",
]
