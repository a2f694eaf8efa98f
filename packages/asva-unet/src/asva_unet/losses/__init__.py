"""Losses of the networks: what each is asked, and the error of its answer."""

from asva_unet.losses.audio_window import AudioWindowLoss as AudioWindowLoss
from asva_unet.losses.autoencoder import AutoencoderLoss as AutoencoderLoss
from asva_unet.losses.avsyncd import AVSyncDLoss as AVSyncDLoss
from asva_unet.losses.denoising import DenoisingLoss as DenoisingLoss
from asva_unet.losses.denoising import Question as Question
from asva_unet.losses.dropout import CONDITIONS as CONDITIONS
from asva_unet.losses.dropout import dropped as dropped
from asva_unet.losses.keyvid import KeyVIDLoss as KeyVIDLoss
from asva_unet.losses.parts import LearningParts as LearningParts
from asva_unet.losses.settings import KeyVIDSettings as KeyVIDSettings
from asva_unet.losses.settings import LossSettings as LossSettings
from asva_unet.losses.texture_carry import TextureCarryLoss as TextureCarryLoss
