"""A page about a curated set: counts, every measurement against its thresholds, what was kept and dropped."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
