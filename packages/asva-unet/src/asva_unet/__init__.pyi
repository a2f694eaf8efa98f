"""Public names of asva_unet, loaded when first used."""

from .audio_window import AudioWindowAttention as AudioWindowAttention
from .audio_window import audio_window_parameters as audio_window_parameters
from .audio_window import freeze_all_but_audio_windows as freeze_all_but_audio_windows
from .audio_window import with_audio_window as with_audio_window
from .avsyncd.conditions import AVSyncDConditions as AVSyncDConditions
from .avsyncd.pndm import AVSyncDPNDMScheduler as AVSyncDPNDMScheduler
from .avsyncd.release import load_avsyncd_unet as load_avsyncd_unet
from .avsyncd.release import save_avsyncd_unet as save_avsyncd_unet
from .avsyncd.unet import AVSyncDUNet as AVSyncDUNet
from .avsyncd.unet import AVSyncDUNetOutput as AVSyncDUNetOutput
from .components import checkpoint_family as checkpoint_family
from .components import convert_component as convert_component
from .components import join_checkpoint as join_checkpoint
from .components import load_component as load_component
from .components import restore_component as restore_component
from .components import split_checkpoint as split_checkpoint
from .conditions import LayerConditions as LayerConditions
from .conditions import UNetConditions as UNetConditions
from .convert import unet_table as unet_table
from .deep_features import DeepFeatures as DeepFeatures
from .deep_features import FeatureCache as FeatureCache
from .denoise import denoise as denoise
from .denoise import draw_noise as draw_noise
from .extended import with_audio as with_audio
from .guidance import Guidance as Guidance
from .guidance import guided_prediction as guided_prediction
from .image_resampler import ImageResampler as ImageResampler
from .noise_schedule import dynamic_rescale as dynamic_rescale
from .openclip import OPENCLIP_TEXT_CONFIG as OPENCLIP_TEXT_CONFIG
from .openclip import OPENCLIP_VISION_CONFIG as OPENCLIP_VISION_CONFIG
from .openclip import clip_image_pixels as clip_image_pixels
from .schedulers import make_scheduler as make_scheduler
from .text_audio import TextAudioGuidance as TextAudioGuidance
from .texture_carry import TextureCarry as TextureCarry
from .unet import KeyVIDUNet as KeyVIDUNet
from .unet import KeyVIDUNetOutput as KeyVIDUNetOutput

__all__ = [
    "OPENCLIP_TEXT_CONFIG",
    "OPENCLIP_VISION_CONFIG",
    "AVSyncDConditions",
    "AVSyncDPNDMScheduler",
    "AVSyncDUNet",
    "AVSyncDUNetOutput",
    "AudioWindowAttention",
    "DeepFeatures",
    "FeatureCache",
    "Guidance",
    "ImageResampler",
    "KeyVIDUNet",
    "KeyVIDUNetOutput",
    "LayerConditions",
    "TextAudioGuidance",
    "TextureCarry",
    "UNetConditions",
    "audio_window_parameters",
    "checkpoint_family",
    "clip_image_pixels",
    "convert_component",
    "denoise",
    "draw_noise",
    "dynamic_rescale",
    "freeze_all_but_audio_windows",
    "guided_prediction",
    "join_checkpoint",
    "load_avsyncd_unet",
    "load_component",
    "make_scheduler",
    "restore_component",
    "save_avsyncd_unet",
    "split_checkpoint",
    "unet_table",
    "with_audio",
    "with_audio_window",
]
