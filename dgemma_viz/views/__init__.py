"""What is shown of a trace, or of two compared: the contents of a page as JSON and bytes, and the modules that draw it.

Pure: no kernel, no server, no widgets. :func:`contents` says what is shown; the ES modules in ``static/`` draw it. The
hosts (:mod:`dgemma_viz.widgets`, :mod:`dgemma_viz.export`, :mod:`dgemma_viz.serving`) add how bytes and clicks travel.
"""

from dgemma_viz.views.contents import Contents, contents

__all__ = ["Contents", "contents"]
