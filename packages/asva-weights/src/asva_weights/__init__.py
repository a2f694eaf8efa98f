"""Foreign checkpoints read without running code, key tables strict both ways, folders written whole or not at all."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
