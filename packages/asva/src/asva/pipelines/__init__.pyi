from .keyvid import KeyVIDPipeline as KeyVIDPipeline
from .output import KeyVIDOutput as KeyVIDOutput

__all__ = ["KeyVIDOutput", "KeyVIDPipeline"]
