"""Every figure that is drawn of one trace."""

import inspect

from dgemma_viz import figures

EVERY = {name: getattr(figures, name) for name in figures.__all__}
ALL = {name: figure for name, figure in EVERY.items() if "trace" in inspect.signature(figure).parameters}
