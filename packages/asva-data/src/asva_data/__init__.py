"""Video and sound in and out, datasets, and a synthetic audiovisual world with known truth."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
