from .catalogue import CLASSES, EVENT_CLASSES, VOCABULARY
from .detector import Detection, ObjectSignal, detect_events
from .world import WORLD_VERSION, SyntheticClip, SyntheticWorld
from .writing import write_world

__all__ = [
    "CLASSES",
    "EVENT_CLASSES",
    "VOCABULARY",
    "WORLD_VERSION",
    "Detection",
    "ObjectSignal",
    "SyntheticClip",
    "SyntheticWorld",
    "detect_events",
    "write_world",
]
