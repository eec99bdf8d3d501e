"""What Sphinx is told of the guide; ``.venv/bin/python docs`` builds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

import dgemma_viz

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent

project = "dgemma_viz"
author = "The dgemma_viz developers"
project_copyright = author
release = version = dgemma_viz.__version__

# Sources keep their places in the repository: a relative link then holds on GitHub and in the built pages alike.
include_patterns = [
    "README.md",
    "docs/**.md",
    "notebooks/*.ipynb",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "dgemma_viz/serving/deploy/README.md",
]
exclude_patterns = [".*", "build", "dist", "site"]
root_doc = "docs/index"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 4
myst_enable_extensions: list[str] = []
# The suite runs the notebooks; here they are read.
nb_execution_mode = "off"
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints_format = "short"
# Attributes of one name, such as ``trace``, in several classes: a bare mention leads to none of them.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = project
html_extra_path = ["front"]  # index.html, which leads to README.html
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_copy_source = False

EVERY_MODULE = "<!-- every module -->"
LONGEST_VALUE = 60
TEXTS: dict[str, list[str]] = {}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect what follows, none of which looks beyond its page."""
    app.connect("source-read", list_modules)
    app.connect("autodoc-process-docstring", keep_text, priority=400)  # napoleon comes at 500
    app.connect("autodoc-process-docstring", restore_text, priority=600)
    app.connect("doctree-read", shorten_values)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def list_modules(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put the modules of ``dgemma_viz.<page's name>`` where the page asks for them: a new one need not be named."""
    if EVERY_MODULE in source[0]:
        package = ROOT / "dgemma_viz" / name.rpartition("/")[2]
        modules = [path.stem for path in package.glob("[!_]*.py")]
        packages = [path.parent.name for path in package.glob("*/__init__.py")]
        sections = [section(f"dgemma_viz.{package.name}.{module}") for module in sorted(modules + packages)]
        source[0] = source[0].replace(EVERY_MODULE, "\n".join(sections))


def section(module: str) -> str:
    """MyST of one module: its name as a heading, and all that it offers."""
    return f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"


def keep_text(_app: Sphinx, what: str, name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Note a constant's or a property's text, of which napoleon takes what stands before a colon for its type."""
    if what in {"attribute", "data", "property"}:
        TEXTS[name] = list(lines)


def restore_text(_app: Sphinx, _what: str, name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Put the text back after napoleon."""
    lines[:] = TEXTS.pop(name, lines)


def shorten_values(_app: Sphinx, page: nodes.document) -> None:
    """Show the value of a constant where it is short; a table in the code is no help in a signature."""
    for value in page.findall(addnodes.desc_annotation):
        if value.astext().startswith(" = ") and len(value.astext()) > LONGEST_VALUE:
            value.clear()
            value.append(nodes.Text(" = …"))
