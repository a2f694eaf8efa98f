"""A video diffusion transformer steered by speech, effects and music."""

from .audio_tokens import AudioTokens as AudioTokens
from .block import MTVBlock as MTVBlock
from .control import MTVAudio as MTVAudio
from .injection import BlockAudio as BlockAudio
from .injection import HolisticStyle as HolisticStyle
from .injection import IntervalInjection as IntervalInjection
from .interval_interaction import IntervalInteraction as IntervalInteraction
from .transformer import MTVTransformer3DModel as MTVTransformer3DModel
from .validation import latent_frames as latent_frames
