"""Opening a trace loads none of what Plotly needs for ``Figure.show()`` and images alone; both work all the same."""

import subprocess
import sys

import pytest

from dgemma_viz.widgets.postponed_import import postponed

SEEN = """\
import sys
from dgemma_viz.widgets.explorer import explore
print({name for name in ("nbformat", "kaleido", "jsonschema", "pandas", "dgemma_viz.labs") if name in sys.modules})
import plotly.graph_objects as go, plotly.io
plotly.io.renderers.default = "plotly_mimetype"
go.Figure(go.Scatter(y=[1, 2])).show()
print("nbformat" in sys.modules)
import plotly.io._kaleido
print(plotly.io._kaleido.kaleido.write_fig.__name__)
"""


def test_the_explorer_loads_nbformat_and_kaleido_when_they_are_used():
    done = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    loaded, *_, shown, kaleido = done.stdout.splitlines()
    assert (loaded, shown, kaleido) == ("set()", "True", "write_fig")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Name of a package that nothing has imported."""
    (tmp_path / "seldom_used").mkdir()
    (tmp_path / "seldom_used" / "__init__.py").write_text("answer = 42")
    (tmp_path / "seldom_used" / "part.py").write_text("answer = 43")
    monkeypatch.syspath_prepend(tmp_path)
    yield "seldom_used"
    for name in [name for name in sys.modules if name.startswith("seldom_used")]:
        del sys.modules[name]


def test_a_module_is_loaded_when_it_is_first_asked_for_something(package):
    with postponed(package):
        import seldom_used as early
    assert package not in sys.modules
    assert early.answer == 42
    assert early.answer is sys.modules[package].answer


def test_parts_can_be_imported_within(package):
    with postponed(package):
        from seldom_used.part import answer
    assert answer == 43
    assert sys.modules[package].answer == 42


def test_what_is_missing_stays_missing():
    with postponed("no_such_package"), pytest.raises(ModuleNotFoundError):
        import no_such_package  # noqa: F401
    assert "no_such_package" not in sys.modules
