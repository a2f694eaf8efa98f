from .catalog import MODELS as MODELS
from .catalog import DownloadPlan as DownloadPlan
from .catalog import ModelEntry as ModelEntry
from .catalog import ModelError as ModelError
from .catalog import RemoteFile as RemoteFile
from .checkpoint import read_checkpoint as read_checkpoint
from .convert import convert_model as convert_model
from .convert import restore_model as restore_model
from .load import load_pipeline as load_pipeline
from .memory import measured_peak as measured_peak
from .memory import reset_peak as reset_peak
from .resolve import cache_folder as cache_folder
from .resolve import resolve_model as resolve_model

__all__ = [
    "MODELS",
    "DownloadPlan",
    "ModelEntry",
    "ModelError",
    "RemoteFile",
    "cache_folder",
    "convert_model",
    "load_pipeline",
    "measured_peak",
    "read_checkpoint",
    "reset_peak",
    "resolve_model",
    "restore_model",
]
