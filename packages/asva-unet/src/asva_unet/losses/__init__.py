"""Losses of the networks: what each is asked, and the error of its answer."""

from asva_unet.losses.audio_window import AudioWindowLoss
from asva_unet.losses.autoencoder import AutoencoderLoss
from asva_unet.losses.avsyncd import AVSyncDLoss
from asva_unet.losses.denoising import DenoisingLoss, Question
from asva_unet.losses.dropout import CONDITIONS, dropped
from asva_unet.losses.keyvid import KeyVIDLoss
from asva_unet.losses.parts import LearningParts
from asva_unet.losses.settings import KeyVIDSettings, LossSettings

__all__ = [
    "CONDITIONS",
    "AVSyncDLoss",
    "AudioWindowLoss",
    "AutoencoderLoss",
    "DenoisingLoss",
    "KeyVIDLoss",
    "KeyVIDSettings",
    "LearningParts",
    "LossSettings",
    "Question",
    "dropped",
]
