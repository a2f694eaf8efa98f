from .avsyncd import convert_avsyncd_audio as convert_avsyncd_audio
from .avsyncd import invert_avsyncd_audio as invert_avsyncd_audio
from .beats import BEATsEncoder as BEATsEncoder
from .beats import beats_fbank as beats_fbank
from .beats_convert import convert_beats as convert_beats
from .beats_convert import invert_beats as invert_beats
from .clap import CLAPAudioEncoder as CLAPAudioEncoder
from .convert import convert_imagebind_audio as convert_imagebind_audio
from .convert import invert_imagebind_audio as invert_imagebind_audio
from .convert import split_imagebind as split_imagebind
from .demix_files import demix_file as demix_file
from .demix_masks import MaskDemixer as MaskDemixer
from .demix_networks import DemucsDemixer as DemucsDemixer
from .demix_networks import load_demucs as load_demucs
from .embedding import ImageBindAudioHead as ImageBindAudioHead
from .embedding import convert_imagebind_head as convert_imagebind_head
from .features import audio_features as audio_features
from .features import multi_feature_tokens as multi_feature_tokens
from .features import null_feature_tokens as null_feature_tokens
from .imagebind import ImageBindAudioEncoder as ImageBindAudioEncoder
from .imagebind_network import AudioEncoderOutput as AudioEncoderOutput
from .levels import is_silent as is_silent
from .levels import set_levels as set_levels
from .log_mel_frames import LogMelFrames as LogMelFrames
from .mel import imagebind_mel as imagebind_mel
from .mel import null_mel as null_mel
from .positions import resize_positions as resize_positions
from .reading import load_audio as load_audio
from .segments import avsyncd_mel as avsyncd_mel
from .segments import encoder_segment_mask as encoder_segment_mask
from .segments import segment_mask as segment_mask
from .segments import segment_tokens as segment_tokens
from .sound import Audio as Audio
from .sound import AudioError as AudioError
from .sound import cut as cut
from .sound import fit as fit
from .sound import resample as resample
from .speech_gate import GatedDemixer as GatedDemixer
from .speech_gate import default_demixer as default_demixer
from .speech_gate import silero_seconds as silero_seconds
from .spleeter import SpleeterDemixer as SpleeterDemixer
from .spleeter import load_spleeter as load_spleeter
from .stems import Demixer as Demixer
from .stems import GivenStems as GivenStems
from .stems import Stems as Stems
from .stems import level as level
from .taps import AudioTap as AudioTap
from .taps import MultiFeatureEncoder as MultiFeatureEncoder
from .tokens import frame_audio_tokens as frame_audio_tokens
from .tokens import split_audio as split_audio
from .track import Track as Track
from .wav2vec import frame_windows as frame_windows
from .wav2vec import load_wav2vec as load_wav2vec
from .wav2vec import num_video_frames as num_video_frames
from .wav2vec import wav2vec_features as wav2vec_features
from .weights import load_beats as load_beats
from .weights import load_imagebind_audio as load_imagebind_audio
from .weights import read_imagebind as read_imagebind
from .windows import TimedTokens as TimedTokens
from .windows import frame_times as frame_times
from .windows import window_mask as window_mask
from .writing import write_sound as write_sound

__all__ = [
    "Audio",
    "AudioEncoderOutput",
    "AudioError",
    "AudioTap",
    "BEATsEncoder",
    "Demixer",
    "DemucsDemixer",
    "GatedDemixer",
    "GivenStems",
    "ImageBindAudioEncoder",
    "ImageBindAudioHead",
    "LogMelFrames",
    "MaskDemixer",
    "MultiFeatureEncoder",
    "SpleeterDemixer",
    "Stems",
    "TimedTokens",
    "Track",
    "audio_features",
    "avsyncd_mel",
    "beats_fbank",
    "convert_avsyncd_audio",
    "convert_beats",
    "convert_imagebind_audio",
    "convert_imagebind_head",
    "cut",
    "default_demixer",
    "demix_file",
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
    "load_spleeter",
    "load_wav2vec",
    "multi_feature_tokens",
    "null_feature_tokens",
    "null_mel",
    "num_video_frames",
    "read_imagebind",
    "resample",
    "resize_positions",
    "segment_mask",
    "segment_tokens",
    "set_levels",
    "silero_seconds",
    "split_audio",
    "split_imagebind",
    "wav2vec_features",
    "window_mask",
    "write_sound",
]
