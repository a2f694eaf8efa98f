"""Figures drawn by matplotlib as SVG within the page, in the page's own font and colours."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

NAMES = ("ink", "quiet", "line", "blue", "band", "amber", "violet", "slate", "red")
COLOURS = {name: f"#0a0b{place:02x}" for place, name in enumerate(NAMES, start=16)}
"""Colours to draw with: each stands for a variable of the stylesheet, which is another on a dark screen."""


def draw(paint: Callable[[Any], None], width: float, height: float) -> str:
    """A drawing as an ``<svg>`` that scales to the width it is given.

    Args:
        paint: Draws on the matplotlib figure that it is called with; text is set in the font of the page.
        width: Pixels for which sizes of letters and lines are meant.
        height: Pixels.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    plain = {name: COLOURS["quiet"] for name in ("xtick.labelcolor", "ytick.labelcolor", "text.color")}
    lines = {name: COLOURS["line"] for name in ("axes.edgecolor", "xtick.color", "ytick.color")}
    spines = {f"axes.spines.{side}": False for side in ("left", "right", "top")}
    style: dict[Any, Any] = {"font.size": 10, "axes.facecolor": "none", "svg.fonttype": "none", "svg.hashsalt": "asva"}
    file = io.StringIO()
    with mpl.rc_context(style | plain | lines | spines), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that matplotlib's font lacks: the page has others
        figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
        paint(figure)
        FigureCanvasSVG(figure).print_svg(file)
    return _for_page(file.getvalue())


def _for_page(svg: str) -> str:
    """Only what a page needs: no header, no addresses, no names of groups, no style but the page's."""
    size = re.search(r'viewBox="([^"]*)"', svg)[1]
    inner = svg[svg.index(">", svg.index("<svg")) + 1 :]
    inner = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", inner, flags=re.DOTALL)
    inner = re.sub(r'(?<=<g) id="[^"]*"| transform="rotate\(-0 [^"]*"| font-family: [^;"]*;', "", inner)
    inner = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", inner)  # as older releases write it
    for name, colour in COLOURS.items():
        inner = inner.replace(colour, f"var(--{name})")
    inner = inner.replace("xlink:href", "href")
    return f'<svg viewBox="{size}" aria-hidden="true">' + re.sub(r"\s*\n\s*", "\n", inner)
