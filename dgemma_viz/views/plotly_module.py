"""The JavaScript of the installed Plotly as an ES module: neither meets nor leaves anything global in a page."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import plotly

ADDRESS_VARIABLE = "DGEMMA_VIZ_PLOTLY"
"""Environment variable with the address at which the server of a kernel's page has the module."""
_BEFORE = b"const module = { exports: {} }, exports = module.exports, define = undefined;\n"
_AFTER = b"\nexport default module.exports;\n"


@cache
def plotly_module(effort: int = 6) -> bytes:
    """The module (its default export is Plotly), compressed by gzip with this ``effort``, 1 to 9."""
    source = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    return gzip.compress(_BEFORE + source + _AFTER, effort, mtime=0)
