"""What other packages add by entry points; one that cannot be loaded leaves the others usable."""

from __future__ import annotations

from collections.abc import Container, Iterator
from importlib.metadata import entry_points
from typing import Any

from asva_pipelines.notes import note


def of_other_packages(group: str, kind: type, taken: Container[str]) -> Iterator[Any]:
    """Things of one kind that the entry points of a group name.

    Args:
        group: Of entry points.
        kind: Class of the things, which have a `name`.
        taken: Names that are ours.
    """
    for entry in entry_points(group=group):
        try:
            found = entry.load()
        except Exception as error:  # whatever a foreign module raises
            note(f"Note: '{entry.name}' ({entry.value}) could not be loaded: {error}")
            continue
        if isinstance(found, kind) and found.name not in taken:
            yield found
        else:
            note(f"Note: '{entry.value}' must be a `{kind.__name__}` with a name of its own, got {found!r:.80}.")
