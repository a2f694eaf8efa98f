"""ImageBind's audio tower as a part of diffusers pipelines."""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from asva_audio.imagebind_network import ImageBindNetwork
from asva_audio.mel import null_mel


class ImageBindAudioEncoder(ImageBindNetwork, ModelMixin, ConfigMixin):
    """:class:`ImageBindNetwork`, loaded, saved and moved as every part of a pipeline is."""

    _supports_gradient_checkpointing = True
    _no_split_modules = ("EncoderBlock",)
    _skip_layerwise_casting_patterns = ("norm", "patch")  # whose type tells in which a mel spectrogram is read
    __init__ = register_to_config(ImageBindNetwork.__init__)

    def null_spectrogram(self, batch: int = 1, seconds: float = 2.0, device: torch.device | None = None) -> Tensor:
        """The "no sound" input, :func:`asva_audio.null_mel`; it is of one length, whatever ``seconds``."""
        shape = {"num_mel_bins": self.config["num_mel_bins"], "num_frames": self.config["num_frames"]}
        return null_mel(batch, **shape, device=device or self.device)
