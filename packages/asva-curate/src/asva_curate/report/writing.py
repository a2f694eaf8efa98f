"""report.html and report.json: written beside the results, whole or not at all."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from asva_curate.curation.results import Results
from asva_curate.preview import write_preview
from asva_curate.report.drawing import drawing
from asva_curate.report.examples import Example
from asva_curate.report.summary import summarize
from asva_data import MediaError, iter_frames

SECONDS = 4.0
"""Length of an example, at most."""
SIDE = 192
QUALITIES = (28, 34, 40)
"""Values of x264's crf that are tried until an example is small enough."""
MOST_BYTES = 300_000


def write_report(
    folder: str | os.PathLike,
    *,
    examples: int = 3,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write ``report.html``, which needs nothing from outside, and ``report.json`` beside the results of a curation.

    Args:
        folder: Results of `asva curate`.
        examples: Playable examples of what was kept and of what each reason dropped; 0 for none.
        on_step: Called with (stage, done, all).

    Returns:
        The path of report.html.

    Raises:
        MediaError: If the folder holds no results, or the number of examples is negative.
    """
    if examples < 0:
        raise MediaError(f"`examples` must be at least 0, got {examples}.")
    results, step = Results(folder), on_step or (lambda stage, done, total: None)
    total = len(results.verdicts)
    report, chosen = summarize(results, examples, lambda done: step("reading measurements", done, total))
    shown, made, count = {}, 0, sum(map(len, chosen.values()))
    for group, found in chosen.items():
        shown[group] = []
        for example in found:
            shown[group].append((example, _videos(example)))
            step("making examples small", made := made + 1, count)
    _write(results.folder / "report.json", json.dumps(report, indent=1) + "\n")
    return _write(results.folder / "report.html", _html(report, shown))


def _html(report: dict[str, Any], shown: dict[str, list[tuple[Example, list[dict[str, str]]]]]) -> str:
    from jinja2 import Environment, StrictUndefined

    page = files("asva_curate.report") / "page"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": figure, "length": len, "span": span, "name": lambda path: Path(path).name}
    template = environment.from_string((page / "report.html.jinja").read_text(encoding="utf-8"))
    style = (page / "report.css").read_text(encoding="utf-8")
    drawings = [(one, drawing(one)) for one in report["measurements"]]
    return template.render(report=report, drawings=drawings, shown=shown, style=style)


def figure(value: float | None) -> str:
    """A number with four digits at most."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _videos(example: Example) -> list[dict[str, str]]:
    """The example, and beside a duplicate the file that it equals."""
    found = [_video(example.path, example.start, example.end)]
    return [*found, _video(example.twin, 0.0, None)] if example.twin else found


def _video(path: str, start: float, end: float | None) -> dict[str, str]:
    seconds = SECONDS if end is None else min(SECONDS, end - start)
    with tempfile.TemporaryDirectory(prefix="asva-") as home:
        target = Path(home) / "clip.mp4"
        try:
            for quality in QUALITIES:
                write_preview(path, target, start=start, seconds=seconds, side=SIDE, crf=quality)
                if target.stat().st_size <= MOST_BYTES:
                    break
            poster, data = _poster(target), target.read_bytes()
        except MediaError as error:
            return {"path": path, "source": "", "poster": "", "problem": str(error)}
    return {"path": path, "source": _address("video/mp4", data), "poster": poster, "problem": ""}


def _poster(path: Path) -> str:
    """The middle picture, which stands for the video until it plays, and on paper."""
    frames = [frame for _, frame in iter_frames(path, fps=4)]
    data = io.BytesIO()
    Image.fromarray(frames[len(frames) // 2]).save(data, "JPEG", quality=60)
    return _address("image/jpeg", data.getvalue())


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _write(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
