"""Many videos from a table or a folder: read, claimed by whoever is free, recorded one by one."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
