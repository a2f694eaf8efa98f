from .catalogue import CLASSES, EVENT_CLASSES, VOCABULARY
from .world import SyntheticClip, SyntheticWorld

__all__ = ["CLASSES", "EVENT_CLASSES", "VOCABULARY", "SyntheticClip", "SyntheticWorld"]
