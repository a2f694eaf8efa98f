"""Work on very many files: resumable, on one machine or on a cluster by Ray Data."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
