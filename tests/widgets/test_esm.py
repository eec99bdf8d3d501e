import re
import subprocess

import pytest
from playwright._impl._driver import compute_driver_executable

from dgemma_viz.widgets.esm import STATIC, joined_module

MODULES = sorted(path.name for path in STATIC.glob("*.js"))
STYLES = sorted(path.name for path in STATIC.glob("*.css"))
NODE, _ = compute_driver_executable()
"""Playwright brings a Node.js of its own."""

ENTRIES = [name for name in MODULES if "export default" in (STATIC / name).read_text()]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_joined_module_stands_alone(entry):
    source = joined_module(entry)
    assert not re.findall(r"^import ", source, re.MULTILINE)
    assert len(re.findall(r"^export ", source, re.MULTILINE)) == 1
    assert "export default" in source


def test_every_module_is_used_and_never_twice_in_one():
    assert "token_canvas.js" in ENTRIES
    sources = [joined_module(entry) for entry in ENTRIES]
    for name in MODULES:
        first_line = (STATIC / name).read_text().splitlines()[0]
        counts = {source.count(first_line) for source in sources}
        assert counts <= {0, 1}, name
        assert 1 in counts, name


def test_imported_files_come_first():
    source = joined_module("token_canvas.js")
    assert source.index("class RunStore") < source.index("new RunStore")
    assert source.index("function element") < source.index("function createLegend")


@pytest.mark.parametrize("name", MODULES)
def test_token_text_never_becomes_html(name):
    source = (STATIC / name).read_text()
    for risk in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert risk not in source


@pytest.mark.parametrize("name", [*MODULES, *STYLES])
def test_nothing_is_fetched(name):
    source = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", source)


@pytest.mark.parametrize("name", MODULES)
def test_modules_stay_readable(name):
    lines = (STATIC / name).read_text().splitlines()
    assert len(lines) < 200
    assert max(map(len, lines)) <= 140


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_joined_module_is_valid_javascript(entry, tmp_path):
    path = tmp_path / "module.mjs"
    path.write_text(joined_module(entry))
    done = subprocess.run([NODE, "--check", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
