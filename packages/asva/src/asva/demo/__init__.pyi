from .app import make_app as make_app
from .settings import Limits as Limits
from .settings import Settings as Settings

__all__ = ["Limits", "Settings", "make_app"]
