"""Which model a page about the released one runs on: never one that is half there, or too large."""

import json
import shutil

import pytest

from dgemma_viz.costs import RELEASED
from dgemma_viz.errors import SettingError
from dgemma_viz.labs import models
from dgemma_viz.labs.models import VARIABLE, local_weights, released_or_tiny
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.loading import KINDS

WEIGHTS = KINDS["diffusion"].weights

COMMIT = "a" * 40


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A hub cache that holds the bundled model under the released one's name."""
    from huggingface_hub import constants

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / ("models--" + RELEASED.name.replace("/", "--"))
    folder = repository / "snapshots" / COMMIT
    shutil.copytree(WEIGHTS, folder)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder


def test_weights_in_the_hub_s_cache_are_loaded_and_recorded(cache):
    found = released_or_tiny()
    assert found.released
    assert RELEASED.name in found.note
    assert local_weights() == cache
    assert run(found.model, found.tokenizer, "add 347+678=").facts.status == "complete"


def test_a_download_that_is_not_complete_is_left_alone(cache):
    index = {"weight_map": {"one": "model.safetensors", "two": "model-00002-of-00002.safetensors"}}
    (cache / "model.safetensors.index.json").write_text(json.dumps(index))
    assert local_weights() is None
    found = released_or_tiny()
    assert not found.released
    assert "not on this machine" in found.note


@pytest.mark.usefixtures("cache")
def test_weights_larger_than_the_memory_are_not_loaded(monkeypatch):
    monkeypatch.setattr(models, "memory_here", lambda: 0.001)
    found = released_or_tiny()
    assert not found.released
    assert "this machine has 0" in found.note


def test_a_folder_of_one_s_own_comes_first(cache, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(cache))
    assert released_or_tiny().note == f"Loaded from {VARIABLE}: {COMMIT}."
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(SettingError, match="no DiffusionGemma"):
        released_or_tiny()
