from .choice import Choice as Choice
from .choice import choose as choose
from .choice import free_memory as free_memory
from .ledger import Ledger as Ledger
from .prediction import Prediction as Prediction
from .prediction import predict as predict
from .skeleton import skeleton as skeleton

__all__ = [
    "Choice",
    "Ledger",
    "Prediction",
    "choose",
    "free_memory",
    "predict",
    "skeleton",
]
