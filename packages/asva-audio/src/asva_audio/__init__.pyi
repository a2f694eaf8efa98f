"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""

from .avsyncd import convert_avsyncd_audio, invert_avsyncd_audio
from .beats import BEATsEncoder, beats_fbank
from .beats_convert import convert_beats, invert_beats
from .convert import convert_imagebind_audio, invert_imagebind_audio, split_imagebind
from .demix_masks import MaskDemixer
from .demix_networks import DemucsDemixer, load_demucs
from .embedding import ImageBindAudioHead, convert_imagebind_head
from .features import audio_features, multi_feature_tokens, null_feature_tokens
from .imagebind import AudioEncoderOutput, ImageBindAudioEncoder
from .levels import is_silent, set_levels
from .mel import imagebind_mel, null_mel
from .positions import resize_positions
from .reading import load_audio
from .segments import avsyncd_mel, segment_mask, segment_tokens
from .sound import Audio, AudioError, cut, fit, official_stereo_scramble, resample
from .stems import Demixer, GivenStems, Stems, level
from .taps import AudioTap, MultiFeatureEncoder
from .tokens import frame_audio_tokens, split_audio
from .wav2vec import frame_windows, load_wav2vec, num_video_frames, wav2vec_features
from .weights import load_beats, load_imagebind_audio
from .windows import TimedTokens, frame_times, window_mask
from .writing import write_sound

__all__ = [
    "Audio",
    "AudioEncoderOutput",
    "AudioError",
    "AudioTap",
    "BEATsEncoder",
    "Demixer",
    "DemucsDemixer",
    "GivenStems",
    "ImageBindAudioEncoder",
    "ImageBindAudioHead",
    "MaskDemixer",
    "MultiFeatureEncoder",
    "Stems",
    "TimedTokens",
    "audio_features",
    "avsyncd_mel",
    "beats_fbank",
    "convert_avsyncd_audio",
    "convert_beats",
    "convert_imagebind_audio",
    "convert_imagebind_head",
    "cut",
    "fit",
    "frame_audio_tokens",
    "frame_times",
    "frame_windows",
    "imagebind_mel",
    "invert_avsyncd_audio",
    "invert_beats",
    "invert_imagebind_audio",
    "is_silent",
    "level",
    "load_audio",
    "load_beats",
    "load_demucs",
    "load_imagebind_audio",
    "load_wav2vec",
    "multi_feature_tokens",
    "null_feature_tokens",
    "null_mel",
    "num_video_frames",
    "official_stereo_scramble",
    "resample",
    "resize_positions",
    "segment_mask",
    "segment_tokens",
    "set_levels",
    "split_audio",
    "split_imagebind",
    "wav2vec_features",
    "window_mask",
    "write_sound",
]
