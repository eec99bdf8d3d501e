"""The API reference: every public name is explained, and all of it renders without a warning."""

import warnings
from importlib import import_module
from pathlib import Path

import pytest
from pdoc.doc import Module

from tests.api_reference import PUBLIC, write_reference


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_class_and_function_is_explained(package):
    """As pdoc sees it, which follows a name to where it is defined (but not a constant)."""
    module = import_module(package)
    values = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    reference = Module(module)
    assert reference.docstring
    assert not [name for name, value in values.items() if callable(value) and not reference.get(name).docstring]


def test_the_reference_renders_without_a_warning(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_reference(tmp_path, source=False)
    assert not [str(warning.message) for warning in caught if "pdoc" in Path(warning.filename).parts]
    page = (tmp_path / "dgemma_viz.html").read_text("utf-8")
    assert 'id="record"' in page
    assert 'id="Recorder.step"' in page
