"""Evaluation: folders of generated and of true clips become a report that anyone can repeat."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
