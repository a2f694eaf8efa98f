from .models import ModelError as ModelError
from .models import load_pipeline as load_pipeline
from .models import resolve_model as resolve_model
from .outputs import plot_keyframes as plot_keyframes
from .pipelines import KeyVIDPipeline as KeyVIDPipeline

__all__ = ["KeyVIDPipeline", "ModelError", "load_pipeline", "plot_keyframes", "resolve_model"]
