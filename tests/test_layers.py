"""The rules of design.md: imports run downward only, and opening a trace needs neither torch nor transformers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dgemma_viz"
TESTS = Path(__file__).parent

ALLOWED = {
    "upstream": set(),
    "trace": set(),
    "analysis": {"trace"},
    "rules": {"analysis", "trace"},
    "conformance": {"rules", "analysis", "trace"},
    "diagnosis": {"conformance", "rules", "analysis", "trace"},
    "figures": {"diagnosis", "conformance", "analysis", "trace", "costs"},
    "tiny": {"upstream", "analysis"},
    "recorders": {"trace", "upstream"},
    "views": {"figures", "diagnosis", "conformance", "rules", "analysis", "trace"},
    "labs": {"recorders", "tiny", "upstream", "diagnosis", "conformance", "analysis", "trace", "costs"},
    "costs": {"upstream"},
    "serving": {"views", "labs", "tiny", "trace"},
    "export": {"views", "figures", "diagnosis", "conformance", "analysis", "trace"},
}
ALLOWED["widgets"] = set(ALLOWED) - {"export", "serving"}
HEAVY = ("torch", "transformers", "diffusers", "mlx", "mlx_vlm")
WIDGETS = ("ipywidgets", "anywidget", "voila", "IPython")
ASKED_FOR = {"_esm", "_css", "_name_or_path", "_pools"}
"""Names with an underscore that base classes in anywidget, transformers and Voila ask for or have."""
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


def imported_names(path: Path) -> set[str]:
    """All that a module imports, lazily or not."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = f"{'.' * node.level}{node.module or ''}"
            names |= {module, *(f"{module.rstrip('.')}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def imported_layers(path: Path) -> set[str]:
    """Layers of dgemma_viz that a module imports."""
    parts = [name.split(".") for name in imported_names(path)]
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
        ("from dgemma_viz.upstream import diffusers, mlx_vlm, torch_compile, transformers, versions", HEAVY),
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


def imported_test_modules(path: Path) -> set[str]:
    return {name for name in imported_names(path) if name.startswith(("tests.", ".")) and ".test_" in name}


def test_no_module_imports_a_test_module():
    """What two of them need lies in a module of its own, so that each runs and moves alone."""
    found = {str(path.relative_to(TESTS)): imported_test_modules(path) for path in TESTS.rglob("*.py")}
    assert not {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    "planted",
    [
        "from tests.test_cli import x",
        "from tests.a.test_b import *",
        "def f():\n    import tests.a.test_b as b",
        "from .test_b import x",
        "from . import test_b",
        "from ..a.test_b import x",
    ],
)
def test_such_an_import_is_found(planted, tmp_path):
    path = tmp_path / "planted.py"
    path.write_text(planted)
    assert imported_test_modules(path)


def is_private(name: str) -> bool:
    """Names with an underscore at both ends are agreed upon with Python or IPython."""
    return name.startswith("_") and not name.endswith("_")


def private_names_of_ours() -> set[str]:
    """Private names that the package chose."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
    return {name for name in found if is_private(name)} - ASKED_FOR


def names_reached_for(path: Path) -> set[str]:
    """What a module takes from others: attributes (also of strings, as ``monkeypatch`` takes them), and imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass  # its own
            case ast.Attribute(attr=name) | ast.alias(name=name):
                names.add(name)
            case ast.Constant(value=str(words)):
                names.add(words.rpartition(".")[2])
    return names


def test_tests_use_no_private_name_of_the_package():
    """What a reader can neither see nor call may be changed without any test failing."""
    ours = private_names_of_ours()
    found = {str(path.relative_to(TESTS)): names_reached_for(path) & ours for path in TESTS.rglob("*.py")}
    del found["upstream/test_private_names.py"]  # it looks for such names, and plants some
    assert not {name: sorted(wrong) for name, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    "planted",
    ["from dgemma_viz.a import _b", "x._b()", 'f().setattr(x, "_b", 1)', 'monkeypatch.setattr("dgemma_viz.a._b", 1)'],
)
def test_such_a_name_is_found(planted, tmp_path):
    path = tmp_path / "planted.py"
    path.write_text(planted)
    assert "_b" in names_reached_for(path)


def test_unknown_names_say_what_there_is():
    import dgemma_viz

    with pytest.raises(AttributeError, match=r"no attribute 'recrod'.*\brecord\b"):
        dgemma_viz.recrod  # noqa: B018
    assert "explore" in dir(dgemma_viz)
