"""Curation recipes: small YAML files of thresholds, checked against frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from asva_curate.curation.cuts import CutRule
from asva_curate.curation.filters import Filter
from asva_curate.curation.windows import WindowRule
from asva_data import MediaError
from asva_data.settings import SettingsReader, strict

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


def _named(filters: Any) -> Any:
    """Filters as files hold them, by name."""
    if not isinstance(filters, dict):
        return filters
    return [{"name": name, **rule} if isinstance(rule, dict) else rule for name, rule in filters.items()]


@strict
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
    filters: Annotated[tuple[Filter, ...], BeforeValidator(_named)] = ()
    whole: SetRule = field(default_factory=SetRule)

    def record(self) -> dict[str, Any]:
        """The recipe as plain values, as a YAML file holds them."""
        plain = asdict(self)
        plain["filters"] = {rule.pop("name"): rule for rule in plain["filters"]}
        return plain


_READER: SettingsReader[Recipe] = SettingsReader(Recipe, RECIPES, word="recipe", error=MediaError)
recipe_names = _READER.names
parse_recipe = _READER.parse


def load_recipe(source: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe by name or path.

    Args:
        source: Name of a bundled recipe, or path of a YAML file.
        overrides: Values by dotted name, such as ``{"filters.flow.max": 2.0, "windows.seconds": 2}``.

    Raises:
        MediaError: If there is no such recipe, it does not parse, or a field is unknown or has a wrong value.
    """
    return _READER.load(source, overrides)
