from .catalogue import CLASSES, EVENT_CLASSES, VOCABULARY
from .detector import Detection, ObjectSignal, detect_events
from .tracks import TRACKS
from .tracks_detector import TrackReading, read_tracks
from .tracks_world import TrackClip, TrackWorld
from .world import WORLD_VERSION, SyntheticClip, SyntheticWorld
from .writing import write_world

__all__ = [
    "CLASSES",
    "EVENT_CLASSES",
    "TRACKS",
    "VOCABULARY",
    "WORLD_VERSION",
    "Detection",
    "ObjectSignal",
    "SyntheticClip",
    "SyntheticWorld",
    "TrackClip",
    "TrackReading",
    "TrackWorld",
    "detect_events",
    "read_tracks",
    "write_world",
]
