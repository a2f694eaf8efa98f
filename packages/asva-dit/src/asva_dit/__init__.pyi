"""A video diffusion transformer steered by speech, effects and music."""

from .audio_tokens import AudioTokens as AudioTokens
from .block import MTVBlock as MTVBlock
from .control import MTVAudio as MTVAudio
from .convert import convert_mtv as convert_mtv
from .convert import restore_mtv as restore_mtv
from .denoise import denoise as denoise
from .guidance import MTVGuidance as MTVGuidance
from .guidance import mtv_guidance as mtv_guidance
from .injection import BlockAudio as BlockAudio
from .injection import BlockControl as BlockControl
from .injection import HolisticStyle as HolisticStyle
from .injection import IntervalInjection as IntervalInjection
from .interval_interaction import IntervalInteraction as IntervalInteraction
from .release import load_mtv_checkpoint as load_mtv_checkpoint
from .release import mtv_config as mtv_config
from .release import save_mtv_checkpoint as save_mtv_checkpoint
from .rotary import rotary_embedding as rotary_embedding
from .scheduler import MTVDPMScheduler as MTVDPMScheduler
from .scheduler import OfficialMTVDPMScheduler as OfficialMTVDPMScheduler
from .scheduler import make_scheduler as make_scheduler
from .training import freeze_all_but_control as freeze_all_but_control
from .transformer import MTVTransformer3DModel as MTVTransformer3DModel
from .validation import latent_frames as latent_frames
from .windows import WindowPlan as WindowPlan
from .windows import plan_windows as plan_windows
