from .catalogue import CLASSES, EVENT_CLASSES, VOCABULARY
from .detector import Detection, ObjectSignal, detect_events
from .world import SyntheticClip, SyntheticWorld

__all__ = [
    "CLASSES",
    "EVENT_CLASSES",
    "VOCABULARY",
    "Detection",
    "ObjectSignal",
    "SyntheticClip",
    "SyntheticWorld",
    "detect_events",
]
