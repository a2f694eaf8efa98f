"""Sound for audio-synchronized video models: reading, mel spectrograms, encoders and tokens aligned to video frames."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
