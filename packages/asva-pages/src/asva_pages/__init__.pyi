"""Public names of asva_pages, loaded when first used."""

from .demo.app import make_app as make_app
from .demo.serving import serve_demo as serve_demo
from .demo.settings import Limits as Limits
from .demo.settings import Settings as Settings
from .review.server import make_review_app as make_review_app
from .review.server import serve_review as serve_review
from .review.session import Session as Session
from .serving import listen as listen

__all__ = [
    "Limits",
    "Session",
    "Settings",
    "listen",
    "make_app",
    "make_review_app",
    "serve_demo",
    "serve_review",
]
