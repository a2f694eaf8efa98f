"""All classes of the world by name, and the words that captions are made of."""

from __future__ import annotations

from .creatures import CLOUD, FROG, HANDS, WOODPECKER
from .puppet import ObjectClass
from .things import BALL, BELL, DISC, DRUMS, GLASS, HAMMER

OBJECT_CLASSES: dict[str, ObjectClass] = {
    item.name: item for item in (BALL, HAMMER, DRUMS, BELL, WOODPECKER, HANDS, FROG, GLASS, DISC, CLOUD)
}
CLASSES: tuple[str, ...] = tuple(OBJECT_CLASSES)
EVENT_CLASSES: tuple[str, ...] = tuple(n for n, c in OBJECT_CLASSES.items() if not (c.continuous or c.ambient))

PALETTE: dict[str, tuple[float, float, float]] = {
    "red": (214.0, 54.0, 50.0),
    "orange": (240.0, 138.0, 40.0),
    "yellow": (244.0, 206.0, 60.0),
    "green": (70.0, 166.0, 84.0),
    "blue": (58.0, 112.0, 214.0),
    "purple": (138.0, 82.0, 190.0),
    "pink": (236.0, 116.0, 166.0),
}


def _vocabulary() -> tuple[str, ...]:
    words = {"and", *PALETTE}
    for item in OBJECT_CLASSES.values():
        words.update(item.noun.replace("{color}", "").split(), item.action.split())
    return tuple(sorted(words))


VOCABULARY: tuple[str, ...] = _vocabulary()
