"""Pages that people open in a browser: the demo, the review of curated clips, and studies with raters."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
