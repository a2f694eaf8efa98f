"""The page itself, and the style and scripts that it asks for."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from asva_pages.demo.examples import EXAMPLES
from asva_pages.demo.settings import Settings
from asva_pages.demo.uploads import Refused, in_words

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page_html(settings: Settings) -> str:
    """The page for a model and its limits."""
    from jinja2 import Environment, StrictUndefined

    from asva_pipelines.loading.folders import method_of_model, model_settings

    method = method_of_model(settings.folder)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = (files("asva_pages.demo") / "page" / "index.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        model=settings.model,
        method=method,
        told=model_settings(settings.folder, method),
        limits=settings.limits,
        largest=in_words(settings.limits.upload),
        examples={name: words for name, (_, words) in EXAMPLES.items()},
    )


async def static(request: Request) -> Response:
    """A style or a script of the page."""
    name = request.path_params["name"]
    file, kind = files("asva_pages.demo") / "page" / name, KINDS.get(Path(name).suffix)
    if kind is None or name != Path(name).name or not file.is_file():
        raise Refused(404, "There is no such file.")
    return Response(file.read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})
