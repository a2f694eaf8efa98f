"""Curation recipes: small YAML files of thresholds, checked against frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from asva_curate.curation.cuts import CutRule
from asva_curate.curation.filters import Filter
from asva_curate.curation.windows import WindowRule
from asva_data import MediaError

RECIPES = files("asva_curate") / "curation" / "recipes"


@dataclass(frozen=True, kw_only=True)
class SetRule:
    """What is asked of the set as a whole.

    Attributes:
        hash_bits: Bits in which the hashes of two frames may differ for one look.
        hash_share: Share of the shorter file's frames that must be found in the other for the two to be one.
        print_bits: Share of bits in which the sounds of two files may differ for one sound; 0.5 is chance.
        duplicates: Whether all but the first of several equal files are dropped.
        min_per_class: Clips below which a class is dropped.
        max_per_class: Clips of a class that are kept, or None for all.
    """

    hash_bits: int = 10
    hash_share: float = 0.6
    print_bits: float = 0.3
    duplicates: bool = True
    min_per_class: int = 0
    max_per_class: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what is kept.

    Attributes:
        name: Its name.
        cuts: When a scene changes.
        windows: How shots are cut.
        filters: Bounds, in the order in which they speak.
        whole: What is asked of the set.
    """

    name: str
    cuts: CutRule = field(default_factory=CutRule)
    windows: WindowRule = field(default_factory=WindowRule)
    filters: tuple[Filter, ...] = ()
    whole: SetRule = field(default_factory=SetRule)

    def record(self) -> dict[str, Any]:
        """The recipe as plain values, as a YAML file holds them."""
        plain = asdict(self)
        plain["filters"] = {rule.pop("name"): rule for rule in plain["filters"]}
        return plain


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.name.removesuffix(".yaml") for path in RECIPES.iterdir() if path.name.endswith(".yaml"))


def load_recipe(source: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe by name or path.

    Args:
        source: Name of a bundled recipe, or path of a YAML file.
        overrides: Values by dotted name, such as ``{"filters.flow.max": 2.0, "windows.seconds": 2}``.

    Raises:
        MediaError: If there is no such recipe, it does not parse, or a field is unknown or has a wrong value.
    """
    import yaml

    path = Path(source)
    if not path.is_file():
        if str(source) not in recipe_names():
            raise MediaError(f"`recipe` must be a YAML file or one of {', '.join(recipe_names())}, got {source}.")
        path = RECIPES / f"{source}.yaml"
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MediaError(f"`recipe` must be valid YAML, got {path}: {str(error).splitlines()[0]}.") from error
    for name, value in (overrides or {}).items():
        _override(plain, name, value)
    return parse_recipe(plain, str(path))


def parse_recipe(plain: Any, source: str = "the recipe") -> Recipe:
    """A recipe from plain values.

    Raises:
        MediaError: If a field is unknown, missing or has a wrong value.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("filters", {}), dict):
        raise MediaError(f"`recipe` must be a mapping with `name` and `filters` by name, got {plain!r} in {source}.")
    filters = tuple(
        _build(Filter, {"name": name, **(rule or {})}, f"filters.{name}", source)
        for name, rule in plain.get("filters", {}).items()
    )
    parts = {
        name: _build(kind, plain[name] or {}, name, source)
        for name, kind in (("cuts", CutRule), ("windows", WindowRule), ("whole", SetRule))
        if name in plain
    }
    rest = {name: value for name, value in plain.items() if name not in ("cuts", "windows", "whole", "filters")}
    return _build(Recipe, {**rest, **parts, "filters": filters}, "recipe", source)


def _build(kind: type, plain: Any, place: str, source: str) -> Any:
    known = {item.name for item in fields(kind)}
    if not isinstance(plain, dict) or set(plain) - known:
        wrong = sorted(set(plain) - known) if isinstance(plain, dict) else plain
        raise MediaError(f"`{place}` must have fields of {', '.join(sorted(known))}, got {wrong} in {source}.")
    try:
        return kind(**plain)
    except TypeError as error:
        raise MediaError(f"`{place}` in {source}: {error}.") from error


def _override(plain: Any, name: str, value: Any) -> None:
    *path, last = name.split(".")
    place = plain
    for part in path:
        if not isinstance(place, dict) or (place is plain.get("filters") and part not in place):
            raise MediaError(f"`{name}` must name a field of the recipe, got no {part!r}.")
        place = place.setdefault(part, {})
    place[last] = value
