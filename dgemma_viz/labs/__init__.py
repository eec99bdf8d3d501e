"""Experiments that run a model. Importing this package imports neither torch nor transformers; running does."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["interventions"])
