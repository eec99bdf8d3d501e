"""Versions of transformers and diffusers that do not run together are named before the run, and so is the way out."""

from functools import wraps

import pytest
from packaging.requirements import Requirement

from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS, need_samplers
from dgemma_viz.recorders import record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.upstream.versions import clash_of, required, shortfall
from tests.recorders.pipelines import called, pipeline_of

OF_THE_PIPELINE = ("entropy_bound_diffusers", "block_refinement", "discrete_ddim")


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.mark.parametrize(
    ("transformers", "diffusers", "clash"),
    [
        ("5.23.0", "0.42.1", False),
        ("5.24.0", "0.42.0", True),
        ("5.24.0", "0.42.1", True),
        ("5.25.1", "0.42.1", True),
        ("6.0.0", "0.42.1", False),
        ("5.24.0", "0.43.0.dev0", False),  # not tried, so nothing is said against it
        ("5.24.0", None, False),
    ],
)
def test_which_versions_clash(installed, transformers, diffusers, clash):
    installed(transformers=transformers, diffusers=diffusers)
    said = clash_of("DiffusionGemmaPipeline")
    assert bool(said) == clash
    if clash:
        assert f"diffusers {diffusers}" in said
        assert f"transformers {transformers}" in said
        assert "pip install 'transformers<5.24'" in said
    assert not clash_of("LLaDA2Pipeline")
    assert not clash_of("DiffusionGemmaGenerationMixin")


def test_recording_a_pipeline_refuses_before_the_run(tiny, installed):
    pipe = pipeline_of(tiny, "block refinement")
    installed(transformers="5.24.0", diffusers="0.42.1")
    with pytest.raises(
        MissingDependencyError, match=r"DiffusionGemmaPipeline of diffusers 0.42.1 .*transformers 5.24.0"
    ):
        record(pipe)


def test_a_pipeline_with_a_loop_of_its_own_is_not_refused(tiny, installed):
    pipe = pipeline_of(tiny, "block refinement")
    upstream = type(pipe).__call__

    class Mended(type(pipe)):
        @wraps(upstream)
        def __call__(self, *args, **kwargs):
            return upstream(self, *args, **kwargs)

    pipe.__class__ = Mended
    installed(transformers="5.24.0", diffusers="0.42.1")
    with record(pipe) as recording:
        called(pipe)
    assert recording.trace.n_steps


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_refuse_before_the_run(installed, name):
    installed(transformers="5.24.0", diffusers="0.42.1")
    assert SAMPLERS[name].installed == (name not in OF_THE_PIPELINE)
    if name in OF_THE_PIPELINE:
        with pytest.raises(
            MissingDependencyError, match=rf"'{name}'.*diffusers 0.42.1.*pip install 'transformers<5.24'"
        ):
            SAMPLERS[name].need_library()
        with pytest.raises(MissingDependencyError, match=r"transformers 5\.24\.0"):
            run(None, None, "sort 21=", name)


def test_a_diffusers_without_the_pipeline_is_too_old(installed):
    installed(diffusers="0.35.0")
    with pytest.raises(MissingDependencyError, match=r"0.35.0.*dgemma-viz\[diffusers\]"):
        SAMPLERS["llada2"].need_library()


def test_a_page_asks_for_all_its_samplers_at_once(installed):
    installed(transformers="5.23.0", diffusers="0.42.1")
    need_samplers("entropy_bound", "block_refinement")
    installed(transformers="5.24.0", diffusers="0.42.1")
    need_samplers("entropy_bound", "llada2")
    with pytest.raises(MissingDependencyError, match=r"transformers 5\.24\.0"):
        need_samplers("llada2", "block_refinement")


def test_requirements_are_read_with_both_bounds():
    by_name = {requirement.name: requirement for requirement in required()}
    assert "5.22" not in by_name["transformers"].specifier
    assert "6.0" not in by_name["transformers"].specifier
    assert "5.24" in by_name["transformers"].specifier
    assert "torch" in by_name
    assert not {"diffusers", "pytest"} & set(by_name)
    assert [requirement.name for requirement in required("diffusers")] == ["diffusers", "transformers"]


@pytest.mark.parametrize(
    ("version", "needs", "enough"),
    [
        ("5.23.0", "transformers<6,>=5.23", True),
        ("5.22.4", "transformers<6,>=5.23", False),
        ("6.0.0", "transformers<6,>=5.23", False),
        ("5.23.0.dev0", "transformers<6,>=5.23", True),
        ("2.13.0+cpu", "torch>=2.9", True),
        ("2.8", "torch>=2.9", False),
        (None, "torch>=2.9", False),
    ],
)
def test_what_a_requirement_lacks(installed, version, needs, enough):
    requirement = Requirement(needs)
    installed(**{requirement.name: version})
    assert (shortfall(requirement) == "") == enough
