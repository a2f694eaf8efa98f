"""Public names of asva_pipelines, loaded when first used."""

from .aadiff.pipeline import AADiffPipeline as AADiffPipeline
from .audio_window.pipeline import AudioWindowPipeline as AudioWindowPipeline
from .avsyncd.pipeline import AVSyncDPipeline as AVSyncDPipeline
from .batch.make_batch import make_batch as make_batch
from .batch.table import read_rows as read_rows
from .keyvid.pipeline import KeyVIDPipeline as KeyVIDPipeline
from .loading.convert import convert_model as convert_model
from .loading.load import load_pipeline as load_pipeline
from .loading.memory import free_memory as free_memory
from .loading.memory import measured_peak as measured_peak
from .loading.memory import reset_peak as reset_peak
from .loading.resolve import cache_folder as cache_folder
from .loading.resolve import resolve_model as resolve_model
from .long.compose import long_video as long_video
from .long.compose import shared_frames as shared_frames
from .long.keyframes import kept_keyframes as kept_keyframes
from .long.keyframes import window_keyframes as window_keyframes
from .long.video import LongVideo as LongVideo
from .make.drawings import plot_keyframes as plot_keyframes
from .make.errors import RequestError as RequestError
from .make.job import Job as Job
from .make.make_video import make_video as make_video
from .make.request import Request as Request
from .make.stages import Stages as Stages
from .memory.choice import Choice as Choice
from .memory.choice import choose as choose
from .memory.ledger import Ledger as Ledger
from .memory.prediction import Prediction as Prediction
from .memory.prediction import predict as predict
from .memory.skeleton import skeleton as skeleton
from .method import Credit as Credit
from .method import Method as Method
from .method import NamedModel as NamedModel
from .methods import METHODS as METHODS
from .methods import MODELS as MODELS
from .methods import method_of as method_of
from .mtv.pipeline import MTVPipeline as MTVPipeline
from .mtv.sound import LogMelFrames as LogMelFrames
from .mtv.text import MTVPrompt as MTVPrompt
from .mtv.vae import PatchVideoAutoencoder as PatchVideoAutoencoder
from .output import KeyVIDOutput as KeyVIDOutput
from .output import MTVOutput as MTVOutput
from .output import VideoOutput as VideoOutput
from .static.pipeline import StaticPipeline as StaticPipeline

__all__ = [
    "METHODS",
    "MODELS",
    "AADiffPipeline",
    "AVSyncDPipeline",
    "AudioWindowPipeline",
    "Choice",
    "Credit",
    "Job",
    "KeyVIDOutput",
    "KeyVIDPipeline",
    "Ledger",
    "LogMelFrames",
    "LongVideo",
    "MTVOutput",
    "MTVPipeline",
    "MTVPrompt",
    "Method",
    "NamedModel",
    "PatchVideoAutoencoder",
    "Prediction",
    "Request",
    "RequestError",
    "Stages",
    "StaticPipeline",
    "VideoOutput",
    "cache_folder",
    "choose",
    "convert_model",
    "free_memory",
    "kept_keyframes",
    "load_pipeline",
    "long_video",
    "make_batch",
    "make_video",
    "measured_peak",
    "method_of",
    "plot_keyframes",
    "predict",
    "read_rows",
    "reset_peak",
    "resolve_model",
    "shared_frames",
    "skeleton",
    "window_keyframes",
]
