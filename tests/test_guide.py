"""README and guide: every Python block runs as it stands and gives what its comments promise; names are explained."""

import re
import runpy
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
LISTED = re.findall(r"^(?:\w[\w ]* <)?(\w+)>?$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE)
PAGES = [README, *(DOCS / f"{name}.md" for name in LISTED)]
"""The front page and the guide's own pages, in the order in which they are read."""
REFERENCE = "\n".join(path.read_text("utf-8") for path in sorted((DOCS / "api").glob("*.md")))
MODEL = "model, tokenizer = dv.load_tiny()"


def test_the_front_page_is_short_and_leads_to_every_page():
    """The list of ``docs/index.md`` is for the built guide; on GitHub, readers have the front page's links."""
    front = README.read_text("utf-8")
    assert len(front.splitlines()) <= 150
    pages = {path.name for path in PAGES[1:]}
    assert pages == {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert set(re.findall(r"\(docs/([\w.]+)", front)) == pages


def test_the_python_blocks_run(tmp_path, monkeypatch):
    """The block that loads the bundled model goes first: the others take ``model`` and ``inputs`` from it."""
    monkeypatch.chdir(tmp_path)
    blocks = [
        (page.name, block)
        for page in PAGES
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    blocks.sort(key=lambda named: MODEL not in named[1])
    assert MODEL in blocks[0][1]
    names = {"dv": __import__("dgemma_viz")}
    for page, block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102 - our own pages
    dv, trace = names["dv"], names["trace"]
    (reference,) = set(re.findall(r'reference="([^"]+)"', "".join(block for _, block in blocks)))
    assert trace.output_text() == reference, "the guide's reference is what the model should answer"
    assert not [finding for finding in dv.diagnose(trace, reference) if finding.severity > 1]
    table = names["failure_kinds"](names["runs"])
    assert table["count"].sum() == 60
    assert np.isclose(table["share"].sum(), 1)
    assert names["found"].missing == 0
    assert (tmp_path / "sweep.jsonl").stat().st_size
    assert names["done"].same_until
    assert {name: names[name].facts.status for name in ("sticky", "masked")} == dict.fromkeys(
        ("sticky", "masked"), "complete"
    )
    assert dv.interventions.replay(names["model"], names["tokenizer"], names["original"]).divergence is None


def test_every_name_of_ours_in_the_text_exists():
    """``dv.compare`` and ``dgemma_viz.trace.schema.ARRAYS`` alike: what is renamed is renamed here, too."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    names = set(re.findall(r"`(dgemma_viz(?:\.\w+)+)", text))
    names |= {f"dgemma_viz.{name}" for name in re.findall(r"`dv\.(\w+)", text)}
    assert len(names) > 20
    for name in names:
        resolve_name(name)


@pytest.mark.parametrize("name", re.findall(r"automodule:: ([\w.]+)", REFERENCE))
def test_every_public_class_and_function_is_explained(name):
    """In each module of the reference that says what it offers (the build of the guide renders all of it)."""
    module = import_module(name)
    values = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    assert module.__doc__
    assert not [name for name, value in values.items() if callable(value) and not value.__doc__]


def test_a_built_page_that_fetches_from_elsewhere_is_named(tmp_path):
    """A link that a reader may follow is none; a script, a style or a font is."""
    builder = runpy.run_path(str(DOCS / "__main__.py"))
    (tmp_path / "good.html").write_text(
        '<a href="https://arxiv.org/abs/2502.09992">paper</a><script src="own.js"></script>'
    )
    (tmp_path / "bad.html").write_text('<script defer="defer" src="https://cdn.example/mathjax.js"></script>')
    (tmp_path / "bad.css").write_text("@font-face { src: url(//fonts.example/a.woff2) }")
    found = builder["fetched_from_elsewhere"](tmp_path)
    assert [line.partition(":")[0] for line in found] == ["bad.html", "bad.css"]
