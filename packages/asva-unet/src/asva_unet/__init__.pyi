"""Video diffusion U-Nets conditioned on text, image and sound."""

from .conditions import LayerConditions as LayerConditions
from .conditions import UNetConditions as UNetConditions
from .convert import unet_table as unet_table
from .denoise import denoise as denoise
from .guidance import Guidance as Guidance
from .guidance import guided_prediction as guided_prediction
from .key_table import ConversionError as ConversionError
from .schedulers import make_scheduler as make_scheduler
from .unet import KeyVIDUNet as KeyVIDUNet
from .unet import KeyVIDUNetOutput as KeyVIDUNetOutput
