"""The page itself, and the style and scripts that it asks for."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from asva_pages.demo.examples import EXAMPLES
from asva_pages.demo.settings import Settings
from asva_pages.demo.uploads import in_words
from asva_pages.requests import page_file


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
    return page_file("demo", request.path_params["name"])
