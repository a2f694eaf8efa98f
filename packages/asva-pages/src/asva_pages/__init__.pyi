"""Public names of asva_pages, loaded when first used."""

from .demo.app import make_app as make_app
from .demo.serving import serve_demo as serve_demo
from .demo.settings import Limits as Limits
from .demo.settings import Settings as Settings
from .review.server import make_review_app as make_review_app
from .review.server import serve_review as serve_review
from .review.session import Session as Session
from .serving import listen as listen
from .study.plan import Study as Study
from .study.plan import begin_study as begin_study
from .study.plan import open_study as open_study
from .study.raters import Raters as Raters
from .study.results import write_study_results as write_study_results
from .study.server import make_study_app as make_study_app
from .study.server import serve_study as serve_study

__all__ = [
    "Limits",
    "Raters",
    "Session",
    "Settings",
    "Study",
    "begin_study",
    "listen",
    "make_app",
    "make_review_app",
    "make_study_app",
    "open_study",
    "serve_demo",
    "serve_review",
    "serve_study",
    "write_study_results",
]
