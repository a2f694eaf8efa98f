"""The manual step: a person looks through the kept clips, keeps, drops or trims them; several are compared."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
