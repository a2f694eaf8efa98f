"""Sections of a report as one HTML file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from .blocks import Section, Words, pieces


def to_html(
    title: str, sections: Sequence[Section], *, note: str = "", facts: Sequence[Words] = (), script: bool = True
) -> str:
    """A page for any browser, on any screen, in light and dark.

    Args:
        title: Heading of the page, and name of its tab.
        sections: What it holds, in order.
        note: Small words beside the heading.
        facts: The few numbers that matter most, above all sections; `Strong` pieces are set large.
        script: Whether a line may run over the curves of the clip that plays; all else needs no script.
    """
    from jinja2 import Environment, StrictUndefined

    page = files("asva_data.report") / "page"
    style, source = ((page / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"kind": lambda one: type(one).__name__, "pieces": pieces}
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    template = environment.from_string((page / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        sections=sections,
        note=note,
        facts=facts,
        style=style,
        script=source if script else "",
        script_hash=base64.b64encode(hashlib.sha256(source.encode()).digest()).decode(),
    )
