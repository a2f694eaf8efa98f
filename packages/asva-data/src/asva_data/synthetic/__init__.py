"""A synthetic audiovisual world with known truth, and a detector that reads events off its pixels."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
