"""The keyframe localizer as a part of diffusers pipelines."""

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

from asva_audio import ImageBindAudioEncoder
from asva_keyframe.localizer_network import LocalizerNetwork


class MotionLocalizer(LocalizerNetwork, ModelMixin, ConfigMixin):
    """:class:`LocalizerNetwork`, loaded, saved and moved as every part of a pipeline is."""

    encoder_class = ImageBindAudioEncoder
    _supports_gradient_checkpointing = True
    _skip_layerwise_casting_patterns = ImageBindAudioEncoder._skip_layerwise_casting_patterns
    __init__ = register_to_config(LocalizerNetwork.__init__)
