"""The JavaScript of all hosts: joined it stands alone, its names are its own, and Plotly stays a closed box."""

import ast
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
import pytest

from dgemma_viz.views.modules import STATIC as OF_VIEWS
from dgemma_viz.views.modules import joined_module
from dgemma_viz.widgets import STATIC as OF_WIDGETS
from tests.browser import open_page
from tests.node import NODE

PACKAGE = Path(__file__).parents[2] / "dgemma_viz"

FILES = {path.name: path for folder in (OF_VIEWS, OF_WIDGETS) for path in sorted(folder.glob("*.js"))}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
ENTRIES = [name for name, source in SOURCES.items() if "export default" in source]
OUR_OWN_HTML = {"viewer.js": 3, "run_views.js": 1, "inspector.js": 1}
"""Files that put HTML in which Python has escaped what came from outside, and how often."""

OF_FIGURES = {name for name in dir(go.Figure) if name.startswith("_") and not name.startswith("__")}

TOP_LEVEL = re.compile(r"^(?:export (?:default )?)?(?:async )?(?:function\*?|class|const|let|var) +(.+)$", re.MULTILINE)


@cache
def joined(entry):
    return joined_module(entry, FILES[entry].parent)


def declared(source):
    """Names that a module declares at its top level."""
    for line in TOP_LEVEL.findall(source):
        if line.startswith(("{", "[")):
            yield from re.findall(r"[\w$]+", line[: line.index("=")])
        else:
            yield re.match(r"[\w$]+", line)[0]
            yield from re.findall(r"^[^({\[]*, ([\w$]+) = ", line)  # const one = 1, other = 2


def without_comments(source):
    return re.sub(r"(^|\s)//.*", "", source)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_joined_module_stands_alone_and_is_valid(entry, tmp_path):
    source, path = joined(entry), tmp_path / "module.mjs"
    assert not re.findall(r"^import ", source, re.MULTILINE)
    assert len(re.findall(r"^export ", source, re.MULTILINE)) == 1
    path.write_text(source)
    done = subprocess.run([NODE, "--check", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # a name that two files declare at their top is an error, too


def test_every_module_is_used_and_never_twice_in_one():
    for name, source in SOURCES.items():
        counts = {joined(entry).count(source.splitlines()[0]) for entry in ENTRIES}
        assert counts <= {0, 1}, name
        assert 1 in counts, name


def test_imported_files_come_first():
    source = joined("viewer_widget.js")
    assert source.index("class RunStore") < source.index("new RunStore")
    assert source.index("function element") < source.index("function createLegend")


def test_no_name_is_declared_by_two_modules_that_may_be_joined():
    """Entries of widgets are never joined with each other, so each of them may have its ``render``."""
    shared = [name for name in SOURCES if name not in ENTRIES]
    names = Counter(name for file in shared for name in declared(SOURCES[file]))
    assert {name: count for name, count in names.items() if count > 1} == {}
    for entry in ENTRIES:
        assert not set(declared(SOURCES[entry])) & set(names), entry


@pytest.mark.browser
def test_no_name_hides_one_of_the_browser_s_own(chromium):
    """In a joined module it would be hidden from all files: ``history``, ``name``, ``event``, ``top`` ..."""
    walk = "for (let at = window; at; at = Object.getPrototypeOf(at)) names.push(...Object.getOwnPropertyNames(at));"
    with open_page(chromium, "about:blank", wait_for=None) as visit:
        known = set(visit.page.evaluate(f"() => {{ const names = []; {walk} return names; }}"))
    assert {"history", "name", "event", "status", "top", "Plotly"} - known == {"Plotly"}
    assert {file: hidden for file, source in SOURCES.items() if (hidden := known & set(declared(source)))} == {}


@pytest.mark.parametrize("name", SOURCES)
def test_token_text_never_becomes_html_and_nothing_is_fetched(name):
    source = SOURCES[name].replace("http://www.w3.org/2000/svg", "")
    assert source.count("innerHTML") == OUR_OWN_HTML.get(name, 0)
    for risk in ("outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert risk not in source
    assert not re.search(r"https?://|(?<!host\.)(?<!\w)(?<!frames\.)fetch\(\"|XMLHttpRequest", source)


def test_no_style_sheet_fetches():
    for folder in (OF_VIEWS, OF_WIDGETS):
        for path in folder.glob("*.css"):
            assert not re.search(r"https?://|@import|url\(", path.read_text()), path.name


@pytest.mark.parametrize("name", SOURCES)
def test_modules_stay_readable(name):
    lines = SOURCES[name].splitlines()
    assert len(lines) < 300
    assert max(map(len, lines)) <= 150


# -- Plotly: what it documents, and no more ------------------------------------------------------------------------


def private_in_javascript(source):
    """Names that begin with an underscore: our modules have none of their own."""
    return re.findall(r"(?<![\w$])_\w+", without_comments(source))


def private_in_python(source):
    """What a module that knows Plotly takes of it that begins with an underscore.

    A class that is made of one of Plotly's shares its attributes, so there is none.
    """
    tree, found = ast.parse(source), []
    plotly = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            for alias in node.names:
                path = f"{module}.{alias.name}".strip(".")
                if path.split(".")[0] == "plotly":
                    plotly.add((alias.asname or alias.name).split(".")[0])
                    found += [part for part in path.split(".") if part.startswith("_")]
    if not plotly:
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = {name.id for base in node.bases for name in ast.walk(base) if isinstance(name, ast.Name)}
            found += sorted(bases & plotly)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            found += [] if own else [node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value] if node.value in OF_FIGURES or re.match(r"_(py2js|js2py|widget)_", node.value) else []
    return found


def test_what_would_be_found():
    """The kinds of use that the former ``chart.py`` and ``moved_shapes.js`` made."""
    plotly = "import plotly.graph_objects as go\nfrom plotly.graph_objects import FigureWidget\n"
    for line, name in (
        ("shown = figure.layout._props", "_props"),
        ("class Chart(FigureWidget): pass", "FigureWidget"),
        ("class Chart(go.FigureWidget): pass", "go"),
        ("chart._trait_values['_widget_layout'] = 1", "_widget_layout"),
        ("import plotly.io._kaleido", "_kaleido"),
        ("class A:\n  def f(self): self._layout_obj._props", "_props"),
    ):
        assert name in private_in_python(plotly + line)
    assert private_in_python(f"{plotly}class A:\n  def f(self): self._own()") == []
    for line in (
        "const full = el._fullLayout;",
        "axis.r2p(axis._offset)",
        'plot["_fullData"]',
        "const { _size } = layout;",
    ):
        assert private_in_javascript(line)


def test_nothing_of_plotly_s_that_begins_with_an_underscore_is_used():
    scripts = {path: private_in_javascript(path.read_text()) for path in PACKAGE.rglob("*.js")}
    modules = {path: private_in_python(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): found for path, found in (scripts | modules).items() if found} == {}
    drawing = [path.name for path in PACKAGE.rglob("*.js") if re.search(r"\.(react|newPlot)\(", path.read_text())]
    assert drawing == ["figure.js"], "one place draws, with one configuration"
