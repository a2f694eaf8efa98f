"""Settings out of YAML: small files, checked against frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from asva_weights.text import read_text

T = TypeVar("T")
MAX_DEPTH = 50

strict = dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
"""Makes a class a frozen dataclass whose fields are checked, whether a file or a caller gives them."""


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, by which a few lines become gigabytes, and nesting that no settings have."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class SettingsReader(Generic[T]):
    """Reads settings by name, from those that a package brings, or by path.

    Args:
        kind: What they are: a dataclass made with `strict`, or a union of them.
        folder: Of the YAML files that the package brings.
        word: What such a file is called in messages, such as "recipe".
        error: Class of the errors raised.

    >>> @strict
    ... class Loop:
    ...     steps: int = 10
    >>> SettingsReader(Loop, Path("recipes"), word="recipe").parse({"stepz": 3})
    Traceback (most recent call last):
        ...
    ValueError: `stepz` in the recipe: Unexpected keyword argument.
    """

    def __init__(self, kind: Any, folder: Traversable, *, word: str, error: type[Exception] = ValueError) -> None:
        self.folder, self.word, self.error = folder, word, error
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def names(self) -> list[str]:
        """Names of the settings that come with the package."""
        return sorted(path.name.removesuffix(".yaml") for path in self.folder.iterdir() if path.name.endswith(".yaml"))

    def find(self, source: str | Path) -> Traversable:
        """The file of a name, or of a path."""
        if Path(source).is_file():
            return Path(source)
        if str(source) not in self.names():
            raise self.error(f"`{self.word}` must be a YAML file or one of {', '.join(self.names())}, got {source}.")
        return self.folder / f"{source}.yaml"

    def load(self, source: str | Path, overrides: Mapping[str, Any] | None = None) -> T:
        """Read settings by name or path; a file may begin with ``extends: NAME`` and say what differs from those.

        Args:
            source: Name of bundled settings, or path of a YAML file.
            overrides: Values by dotted field name, for example ``{"loop.max_steps": 10}``.

        Raises:
            Exception: The reader's, if there is no such file, it does not parse, or a field is unknown, missing or has
                a wrong value.
        """
        path = self.find(source)
        values = self._read(path)
        for name, value in (overrides or {}).items():
            self._override(values, name, value)
        return self.parse(values, path)

    def _read(self, path: Traversable, below: int = 0) -> Any:
        try:
            text = read_text(path) if isinstance(path, Path) else path.read_text(encoding="utf-8")
            values = yaml.load(text, _PlainLoader)
        except Exception as error:  # numbers and dates that are none break the parser in ways of their own
            raise self.error(f"`{self.word}` must be valid YAML, got {path}: {str(error).splitlines()[0]}.") from error
        if not isinstance(values, dict) or "extends" not in values:
            return values
        if below == MAX_DEPTH:
            raise self.error(f"`extends` must lead to settings that extend no others, got {path} again and again.")
        name = str(values.pop("extends"))
        beside = path.parent / name if isinstance(path, Path) else None
        found = beside if beside is not None and beside.is_file() else self.find(name)
        return _merged(self._read(found, below + 1), values)

    def parse(self, values: Any, source: Any = None) -> T:
        """Settings from plain values; `source` says in messages where they come from."""
        try:
            return self._adapter.validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = str(first.get("ctx", {}).get("error", first["msg"])).rstrip(".")
            place = " ".join(_place(first["loc"], values).split())[:100] or self.word
            raise self.error(f"`{place}` in {source or f'the {self.word}'}: {reason}.") from error

    def _override(self, values: Any, name: str, value: Any) -> None:
        *path, last = name.split(".")
        for part in path:
            values = values.setdefault(part, {}) if isinstance(values, dict) else None
        if not isinstance(values, dict):
            raise self.error(f"`{name}` must name a field of the {self.word}, got nothing that has fields there.")
        values[last] = value


def _merged(old: Any, new: Any) -> Any:
    """The new values over the old ones, field by field."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: _merged(old.get(name), value) for name, value in new.items()}


def _place(location: tuple[str | int, ...], values: Any) -> str:
    """The dotted name of a field: without tags of unions, and by its keys where a mapping was read as a list."""
    names = []
    for number, part in enumerate(location, start=1):
        if isinstance(values, dict) and isinstance(part, int) and part < len(values):
            part = list(values)[part]
        elif isinstance(values, dict) and part not in values and number < len(location):
            continue
        names.append(str(part))
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            values = None
    return ".".join(names)


def plain_values(settings: Any) -> dict[str, Any]:
    """Settings with every default, as plain values that YAML and JSON can hold."""
    return json.loads(json.dumps(asdict(settings), default=str))
