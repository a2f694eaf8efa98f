"""The field's datasets: layouts on disk, splits, captions, clips of every protocol, and tar shards."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
