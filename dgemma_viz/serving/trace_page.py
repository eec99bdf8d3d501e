"""The page of one published trace, as its kernel builds it: the explorer, read-only, without model or torch."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import unquote

import ipywidgets as ipw

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.serving.published_traces import open_published
from dgemma_viz.widgets.explorer import Explorer
from dgemma_viz.widgets.notices import alert
from dgemma_viz.widgets.run_header import readable

FOLDER_VARIABLE = "DGEMMA_VIZ_TRACES"


def trace_page() -> ipw.VBox:
    """Explorer of the trace that the page's address names, or what is wrong with it."""
    # Voila tells a kernel the address that was asked for; its last part is the trace's name.
    name = unquote(os.environ.get("SCRIPT_NAME", "").rsplit("/", 1)[-1])
    heading = ipw.HTML(f"<h1 style='overflow-wrap:anywhere'>{readable(name)}</h1>")
    try:
        view = Explorer(open_published(Path(os.environ.get(FOLDER_VARIABLE, "")), name))
    except DgemmaVizError as error:
        view = ipw.HTML(alert(f"{error}. The gallery lists what there is."))
    except Exception:
        logging.getLogger(__name__).exception("the trace %r could not be shown", name)
        view = ipw.HTML(alert(f"'{name}' could not be shown: it is not as a trace should be."))
    return ipw.VBox([heading, view], layout=ipw.Layout(width="100%", min_width="0"))
