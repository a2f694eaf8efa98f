"""Video diffusion U-Nets conditioned on text, image and sound."""

from .audio_window import AudioWindowAttention as AudioWindowAttention
from .audio_window import audio_window_parameters as audio_window_parameters
from .audio_window import freeze_all_but_audio_windows as freeze_all_but_audio_windows
from .audio_window import with_audio_window as with_audio_window
from .checkpoint import read_checkpoint as read_checkpoint
from .components import convert_component as convert_component
from .components import join_checkpoint as join_checkpoint
from .components import load_component as load_component
from .components import restore_component as restore_component
from .components import split_checkpoint as split_checkpoint
from .conditions import LayerConditions as LayerConditions
from .conditions import UNetConditions as UNetConditions
from .convert import unet_table as unet_table
from .denoise import denoise as denoise
from .denoise import draw_noise as draw_noise
from .guidance import Guidance as Guidance
from .guidance import guided_prediction as guided_prediction
from .image_resampler import ImageResampler as ImageResampler
from .key_table import ConversionError as ConversionError
from .noise_schedule import dynamic_rescale as dynamic_rescale
from .openclip import OPENCLIP_TEXT_CONFIG as OPENCLIP_TEXT_CONFIG
from .openclip import OPENCLIP_VISION_CONFIG as OPENCLIP_VISION_CONFIG
from .openclip import clip_image_pixels as clip_image_pixels
from .schedulers import make_scheduler as make_scheduler
from .unet import KeyVIDUNet as KeyVIDUNet
from .unet import KeyVIDUNetOutput as KeyVIDUNetOutput
