"""Curation: one decode of a file gives measurements, a recipe of thresholds gives what is kept and why."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
