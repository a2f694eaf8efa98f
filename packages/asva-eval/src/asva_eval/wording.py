"""Figures of a report in words, the same in Markdown, in HTML and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def figure(figures: Mapping[str, Any] | None, *, counted: bool = False) -> str:
    """A score with its interval, or why there is none; with the number of clips if asked, or if some are undefined."""
    if figures is None:
        return ""
    if figures["value"] is None:
        return f"nan: {figures['reason']}"
    undefined = sum(figures.get("undefined", {}).values())
    return interval(figures) + (f", n = {figures['num_clips']}" if counted or undefined else "")


def interval(figures: Mapping[str, Any] | None) -> str:
    """A figure with its interval in brackets."""
    if figures is None or figures["value"] is None:
        return "-"
    if figures["low"] is None:
        return f"{number(figures['value'])} (one video: no interval)"
    return f"{number(figures['value'])} [{number(figures['low'])}, {number(figures['high'])}]"


def number(value: float | None) -> str:
    """Three digits or more."""
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 10 else f"{value:.3f}"


def probability(value: float | None) -> str:
    """A p value."""
    return "-" if value is None else "below 0.001" if value < 0.001 else f"{value:.3f}"


def most_common(counts: Mapping[str, int]) -> str:
    """What is counted, the most frequent first; numbers only where there are several kinds."""
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:4]]
    return ", ".join(shown) + (f" and {len(counts) - 4} more" if len(counts) > 4 else "")
