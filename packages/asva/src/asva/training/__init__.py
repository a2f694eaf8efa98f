"""Training of every part: recipes, the loop, and one file per task."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
