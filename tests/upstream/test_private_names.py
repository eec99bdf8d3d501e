"""What upstream does not document is named in ``dgemma_viz/upstream/`` and nowhere else; and what is named exists."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import dgemma_viz
from dgemma_viz.upstream import diffusers as of_diffusers
from dgemma_viz.upstream import mlx_vlm as of_mlx_vlm
from dgemma_viz.upstream import torch_compile
from dgemma_viz.upstream import transformers as of_transformers

PACKAGE = Path(dgemma_viz.__file__).parent
READ = (
    "transformers.cache_utils",
    "transformers.configuration_utils",
    "transformers.generation.utils",
    "transformers.generation.candidate_generator",
    "transformers.integrations.moe",
    "transformers.modeling_utils",
    "transformers.models.diffusion_gemma.generation_diffusion_gemma",
    "transformers.models.diffusion_gemma.modeling_diffusion_gemma",
    "transformers.tokenization_utils_base",
    "diffusers.configuration_utils",
    "diffusers.pipelines.diffusion_gemma.pipeline_diffusion_gemma",
    "diffusers.pipelines.llada2.pipeline_llada2",
    "diffusers.pipelines.pipeline_utils",
    "diffusers.schedulers.scheduling_block_refinement",
    "diffusers.schedulers.scheduling_discrete_ddim",
    "diffusers.schedulers.scheduling_entropy_bound",
    "torch._dynamo.eval_frame",
    "torch.nn.modules.module",
)
"""Modules of upstream's whose private names are looked for."""
PUBLIC = {
    "transformers": {
        "AutoTokenizer",
        "Cache",
        "DynamicCache",
        "GenerationConfig",
        "GenerationMixin",
        "LogitsProcessor",
        "LogitsProcessorList",
        "PreTrainedModel",
        "PreTrainedTokenizerFast",
        "TemperatureLogitsWarper",
        "__version__",
        "get_cosine_schedule_with_warmup",
    },
    "transformers.utils": {"logging"},
    "diffusers": {"__version__"},
}
MLX_LOOP = "generate/diffusion.py"
"""In mlx-vlm, where that is installed."""
"""Documented for everyone, and so free to use anywhere."""
_PRIVATE = re.compile(r"_[a-z]\w*")


def mlx_vlm_folders() -> list[str]:
    spec = find_spec("mlx_vlm")
    return [*(spec.submodule_search_locations or ())] if spec else []


@pytest.fixture(scope="module")
def theirs() -> set[str]:
    """Private names in the source of the modules that are read."""
    sources = [Path(find_spec(name).origin).read_text("utf-8") for name in READ]
    sources += [(Path(folder) / MLX_LOOP).read_text("utf-8") for folder in mlx_vlm_folders()]
    return {name for source in sources for name in re.findall(r"\b_[a-z]\w*", source)}


def texts(tree: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def private_names(tree: ast.AST, theirs: set[str]) -> list[str]:
    """Upstream's private names that a module uses: as texts, or as attributes of what is not its own."""
    used, own = set(texts(tree)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            (own if ast.unparse(node.value) in ("self", "cls", "super()") else used).add(node.attr)
    return sorted(name for name in used - own if _PRIVATE.fullmatch(name) and name in theirs)


def other_imports(tree: ast.AST) -> list[str]:
    """What a module takes of upstream beside what is documented for everyone."""
    nodes = list(ast.walk(tree))
    taken = {
        (node.module or "", name.name) for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names
    }
    plain = [name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    known_as = {name.asname or name.name: name.name for name in plain if name.name in PUBLIC}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    taken |= {(known_as[name], node.attr) for node in attributes if (name := ast.unparse(node.value)) in known_as}
    submodules = [*(name.name for name in plain), *texts(tree)]
    taken |= {tuple(name.rsplit(".", 1)) for name in submodules if re.fullmatch(r"(\w+\.){2,}\w+", name)}
    ours = {f"{module}.{name}" for module, name in taken if name not in PUBLIC.get(module, set())}
    return sorted(name for name in ours if name.split(".")[0] in PUBLIC)


def modules_outside() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "upstream" not in path.relative_to(PACKAGE).parts]


def test_no_private_name_of_upstreams_is_used_anywhere_else(theirs):
    used = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in modules_outside()
        if (names := private_names(ast.parse(path.read_text("utf-8")), theirs))
    }
    assert not used


def test_nothing_undocumented_is_imported_anywhere_else():
    taken = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in modules_outside()
        if (names := other_imports(ast.parse(path.read_text("utf-8"))))
    }
    assert not taken


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("model._prepare_sampler(config)", ["_prepare_sampler"]),
        ("hooks.wrap(model, '_denoising_step', around)", ["_denoising_step"]),
        ("getattr(pipeline, '_execution_device')", ["_execution_device"]),
        ("model.config._name_or_path = 'x'", ["_name_or_path"]),
        ("scheduler._committed", ["_committed"]),
        ("model._orig_mod", ["_orig_mod"]),
        ("self._name_or_path, super()._prepare_inputs()", []),
        ("run._anything_of_ours", []),
    ],
)
def test_a_planted_name_is_found(theirs, line, found):
    assert private_names(ast.parse(line), theirs) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from transformers.models.llama import LlamaModel", ["transformers.models.llama.LlamaModel"]),
        ("from transformers import LlamaForCausalLM", ["transformers.LlamaForCausalLM"]),
        ("import transformers as t\nt.LlamaForCausalLM", ["transformers.LlamaForCausalLM"]),
        ("def later():\n    import diffusers\n    return diffusers.LLaDA2Pipeline", ["diffusers.LLaDA2Pipeline"]),
        ("import transformers.generation.utils", ["transformers.generation.utils"]),
        ("import_module('transformers.models.llama')", ["transformers.models.llama"]),
        ("from transformers import LogitsProcessor\nimport diffusers\ndiffusers.__version__", []),
        ("from dgemma_viz.upstream import diffusers\ndiffusers.LLaDA2Pipeline", []),
    ],
)
def test_a_planted_import_is_found(line, found):
    assert other_imports(ast.parse(line)) == found


# -- what is named is there ----------------------------------------------------------------------------------------


def test_every_class_is_there():
    for name in of_transformers.__all__:
        assert getattr(of_transformers, name).__module__.startswith("transformers.") or name.isupper()
    assert of_transformers.CACHE in ("cache", "past_key_values")
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = of_transformers.Nothing


def constants(module: object) -> dict[str, str]:
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


def test_every_method_of_transformers_is_there():
    from transformers import GenerationMixin

    named = constants(of_transformers)
    model = of_transformers.DiffusionGemmaForBlockDiffusion
    for name, method in named.items():
        if name.startswith(("PREPARE", "DENOISING", "FINALIZE")):
            assert callable(getattr(model, method)), name
        if name.startswith("COMPILED"):
            assert method in inspect.getsource(model._compile_functions), name
    assert callable(getattr(GenerationMixin, named["CAUSAL_PROCESSORS"]))
    assert find_spec(named["GENERATION_LOGGER"])
    assert f"self.{named['STATIC_CACHE']}" in inspect.getsource(inspect.getmodule(of_transformers.EntropyBoundSampler))


def test_every_method_of_diffusers_is_there():
    assert callable(getattr(of_diffusers.DiffusionGemmaPipeline, of_diffusers.PREPARE_PROMPT))
    assert callable(getattr(of_diffusers.LLaDA2Pipeline, of_diffusers.PREPARE_IDS))
    assert callable(getattr(of_diffusers.DiscreteDDIMScheduler, of_diffusers.SELECT_POSITIONS))
    scheduler = of_diffusers.BlockRefinementScheduler()
    assert of_diffusers.committed(scheduler) is None
    assert "_committed" in vars(scheduler)
    positions = torch.tensor([[True, False]])
    of_diffusers.set_committed(scheduler, positions)
    assert of_diffusers.committed(scheduler) is positions
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    kept = of_diffusers.filtered(scheduler, logits, top_k=1, top_p=None)
    assert kept.softmax(-1).tolist() == [[0.0, 0.0, 1.0]]
    with of_diffusers.changed_config(scheduler, {"threshold": 0.25}):
        assert scheduler.config.threshold == 0.25
    assert scheduler.config.threshold != 0.25


@pytest.mark.skipif(not mlx_vlm_folders(), reason="mlx-vlm is not installed (the extra 'mlx')")
def test_the_loop_of_mlx_vlm_calls_what_is_named():
    loop = getattr(of_mlx_vlm.engine(), of_mlx_vlm.LOOP)
    assert not of_mlx_vlm.missing_parts(loop)
    assert of_mlx_vlm.missing_parts(test_every_class_is_there) == [*of_mlx_vlm.OF_A_STEP]
    module, _, name = of_mlx_vlm.MODEL.rpartition(".")
    assert getattr(import_module(module), name).__module__ == module
    assert of_mlx_vlm.random_key().shape == (2,)
    assert of_mlx_vlm.device_name() in ("cpu", "gpu")


def test_a_model_of_the_hub_is_called_by_its_repository():
    def named(path: str) -> str:
        return of_mlx_vlm.name_of(SimpleNamespace(model_path=path))

    assert named("/home/me/hub/models--org--some-model-4bit/snapshots/0123abc") == "some-model-4bit"
    assert named("/home/me/some-model") == "some-model"
    assert of_mlx_vlm.name_of(SimpleNamespace()) == ""


def test_what_torch_compile_leaves_is_there():
    module = torch.nn.Linear(1, 1)
    assert torch_compile.called_through(module) == "forward"
    assert getattr(torch.compile(module), torch_compile.COMPILED_MODULE) is module
    compiled = torch.compile(module.extra_repr)
    assert torch_compile.is_compiled(compiled)
    assert torch_compile.owner_of(compiled, None) is module
    module.compile()
    assert torch_compile.called_through(module) != "forward"
