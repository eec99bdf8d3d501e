"""What is published: the wheel holds all that the program reads, and the source distribution builds the same wheel."""

import re
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml
from hatchling import build

import dgemma_viz as dv
from hatch_build import standing_alone

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDED = (
    "dgemma_viz/py.typed",
    "dgemma_viz/notebooks/01_watch_a_canvas_denoise.ipynb",
    "dgemma_viz/serving/deploy/Containerfile",
    "dgemma_viz/serving/deploy/nginx.conf",
    "dgemma_viz/serving/jupyter/voila/templates/dgemma/index.html.j2",
    "dgemma_viz/serving/jupyter/voila/templates/dgemma/static/session.js",
    "dgemma_viz/serving/static/published_trace.js",
    "dgemma_viz/tiny/drafter/weights/model.safetensors",
    "dgemma_viz/tiny/masked/weights/model.safetensors",
    "dgemma_viz/tiny/weights/chat_template.jinja",
    "dgemma_viz/tiny/weights/model.safetensors",
    "dgemma_viz/tiny/weights/tokenizer.json",
    "dgemma_viz/views/static/token_canvas.css",
    "dgemma_viz/views/static/viewer.js",
    "dgemma_viz/widgets/static/viewer_widget.js",
)
LINKED = re.compile(r"\]\(([^)]+)\)")
MADE = {"__pycache__", ".ipynb_checkpoints"}


def files_below(folder):
    """Paths of what stands in a folder of the checkout, less what running it leaves there."""
    return {path.relative_to(ROOT) for path in folder.rglob("*") if path.is_file() and not MADE & set(path.parts)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Paths of the source distribution, of the wheel, and of the wheel that the source distribution builds."""
    out = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        source, wheel = out / build.build_sdist(str(out)), out / build.build_wheel(str(out))
        with tarfile.open(source) as archive:
            archive.extractall(out / "unpacked", filter="data")
        (unpacked,) = (out / "unpacked").iterdir()
        patch.chdir(unpacked)
        again = unpacked / build.build_wheel(str(unpacked))
    return source, wheel, again


def test_the_wheel_holds_all_that_the_program_reads(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    assert not set(NEEDED) - names
    package = {path.as_posix() for path in files_below(ROOT / "dgemma_viz")}
    notebooks = {f"dgemma_viz/{path.as_posix()}" for path in files_below(ROOT / "notebooks")}
    about = f"dgemma_viz-{dv.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == package | notebooks
    assert about + "licenses/LICENSE" in names


def test_the_wheel_says_what_it_is(built):
    with zipfile.ZipFile(built[1]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        (scripts,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
        said = HeaderParser().parsestr(wheel.read(metadata).decode())
        assert "dgemma-viz = dgemma_viz.cli:main" in wheel.read(scripts).decode()
    assert (said["Name"], said["Version"]) == ("dgemma-viz", dv.__version__)
    assert (said["License-Expression"], said["Requires-Python"]) == ("Apache-2.0", PROJECT["requires-python"])


def test_the_long_description_has_no_link_that_needs_the_repository(built):
    with zipfile.ZipFile(built[1]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        message = HeaderParser().parsestr(wheel.read(metadata).decode())
    assert message["Description-Content-Type"] == "text/markdown"
    assert "## Three lines" in message.get_payload()
    assert all(target.startswith("https://") for target in LINKED.findall(message.get_payload()))


def test_a_release_leads_its_links_to_the_tag():
    readme = (ROOT / "README.md").read_text("utf-8")
    address = "https://github.com/somebody/dgemma_viz"
    wanted = {target.partition("#")[0] for target in LINKED.findall(readme) if not target.startswith("https:")}
    led = {target for target in LINKED.findall(standing_alone(readme, address, "v1.0.0")) if target.startswith(address)}
    paths = {target.removeprefix(address).split("/v1.0.0/")[1].partition("#")[0] for target in led}
    assert paths == wanted
    assert all((ROOT / path).is_file() for path in paths)
    assert f"{address}/raw/v1.0.0/.github/explorer.png" in led


def test_the_source_distribution_builds_the_same_wheel(built):
    source, wheel, again = built
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", ".ci/constraints.txt"} <= names
    assert {path.as_posix() for path in files_below(ROOT / "docs")} <= names
    assert {path.as_posix() for path in files_below(ROOT / "tests")} <= names


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (dv.__version__, PROJECT["license"])


def test_the_pythons_that_are_promised_are_those_that_are_tested():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    tested = workflow["jobs"]["checks"]["strategy"]["matrix"]["python"]
    label = "Programming Language :: Python :: 3."
    assert [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith(label)] == tested
    assert PROJECT["requires-python"] == f">={tested[0]}"
