"""See inside text-diffusion language models: record, explore and question every denoising step.

The names at the top, listed in ``__init__.pyi``, are all that most people need; everything else is reached by its
module. Nothing heavy is imported until a name is used: opening a recorded trace needs neither torch nor transformers.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(
            f"module 'dgemma_viz' has no attribute {name!r}; it offers {', '.join(__all__)}; "
            "everything else is reached by its module, such as dgemma_viz.figures"
        )
    return _load(name)
