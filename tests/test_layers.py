"""The rules of design.md: imports run downward only, and opening a trace needs neither torch nor transformers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dgemma_viz"

ALLOWED = {
    "upstream": set(),
    "trace": set(),
    "analysis": {"trace"},
    "rules": {"analysis", "trace"},
    "conformance": {"rules", "analysis", "trace"},
    "diagnosis": {"conformance", "rules", "analysis", "trace"},
    "figures": {"diagnosis", "conformance", "analysis", "trace", "costs"},
    "tiny": {"upstream"},
    "recorders": {"trace", "upstream"},
    "views": {"figures", "diagnosis", "conformance", "rules", "analysis", "trace"},
    "labs": {"recorders", "tiny", "upstream", "diagnosis", "conformance", "analysis", "trace", "costs"},
    "costs": {"upstream"},
    "serving": {"views", "labs", "tiny", "trace"},
    "export": {"views", "figures", "diagnosis", "conformance", "analysis", "trace"},
}
ALLOWED["widgets"] = set(ALLOWED) - {"export", "serving"}
HEAVY = ("torch", "transformers", "diffusers")
WIDGETS = ("ipywidgets", "anywidget", "voila", "IPython")
CONTENTS = """
from dataclasses import replace
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.views import contents
from tests.synthetic import synthetic_trace
trace = synthetic_trace()
pin = {"kind": "Pin", "step": 1, "position": 0, "token": 2}
changed = replace(trace, facts=replace(trace.facts, task={"interventions": [pin]}))
for shown in (contents(trace, "an answer"), contents(pair_of(trace, changed))):
    told = str(shown.whole_page()), shown.place(0, 0)
assert "changed on purpose" in told[0]
"""
"""All that is shown of a trace, and of two of which one was changed on purpose."""


def imported_layers(path: Path) -> set[str]:
    """Layers of dgemma_viz that a module imports, lazily or not."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "dgemma_viz" and len(part) > 1 and part[1] in ALLOWED}


@pytest.mark.parametrize("layer", ALLOWED)
def test_imports_run_downward_only(layer):
    modules = sorted((PACKAGE / layer).rglob("*.py"))
    assert modules, f"layer {layer} is empty"
    upward = {
        str(module.relative_to(PACKAGE)): sorted(wrong)
        for module in modules
        if (wrong := imported_layers(module) - ALLOWED[layer] - {layer})
    }
    assert not upward


def test_every_folder_of_the_package_is_a_known_layer():
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob("*/*.py")}
    assert folders == set(ALLOWED)


def modules_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import dgemma_viz", (*HEAVY, "numpy", "pandas", "plotly", "ipywidgets")),
        ("import dgemma_viz.recorders, dgemma_viz.labs.run, dgemma_viz.cli", HEAVY),
        ("import dgemma_viz.trace, dgemma_viz.analysis.positions", (*HEAVY, "pandas", "xarray", "plotly")),
        ("from dgemma_viz.upstream import diffusers, torch_compile, transformers, versions", HEAVY),
        ("import dgemma_viz.figures", (*HEAVY, *WIDGETS)),
        (CONTENTS, (*HEAVY, *WIDGETS)),
        ("import dgemma_viz.tiny, dgemma_viz.tiny.tasks", HEAVY),
        ("import dgemma_viz.export.html, dgemma_viz.export.command", HEAVY),
        ("import dgemma_viz.serving.server, dgemma_viz.serving.handlers, dgemma_viz.serving.trace_handlers", HEAVY),
        (
            "import dgemma_viz as dv; [getattr(dv, name) for name in dv.__all__ if not name.startswith('load_tiny')]",
            HEAVY,
        ),
    ],
)
def test_nothing_heavy_is_imported_early(statement, forbidden):
    assert not modules_after(statement) & set(forbidden)


def test_no_drawer_modules():
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in drawers]


def test_unknown_names_say_what_there_is():
    import dgemma_viz

    with pytest.raises(AttributeError, match=r"no attribute 'recrod'.*\brecord\b"):
        dgemma_viz.recrod  # noqa: B018
    assert "explore" in dir(dgemma_viz)
