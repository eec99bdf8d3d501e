"""What is used of transformers that is not documented for everyone, as of 5.23 and 5.24.

Methods are named here as what they do; the names are hooked on single objects, never changed on a class.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from transformers import (
        DiffusionGemmaConfig,
        DiffusionGemmaForBlockDiffusion,
        DiffusionGemmaTextConfig,
        Gemma4VisionConfig,
        LlamaConfig,
        LlamaForCausalLM,
        ModernBertConfig,
        ModernBertForMaskedLM,
    )
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
    from transformers.modeling_outputs import CausalLMOutputWithPast
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
        DiffusionGemmaGenerationConfig,
        EntropyBoundSampler,
        EntropyBoundSamplerConfig,
        LinearTemperatureScheduleLogitsProcessor,
        StableAndConfidentStoppingCriteria,
    )

__all__ = [
    "ALL_EXPERTS_FUNCTIONS",
    "CausalLMOutputWithPast",
    "DiffusionGemmaConfig",
    "DiffusionGemmaForBlockDiffusion",
    "DiffusionGemmaGenerationConfig",
    "DiffusionGemmaTextConfig",
    "EntropyBoundSampler",
    "EntropyBoundSamplerConfig",
    "Gemma4VisionConfig",
    "LinearTemperatureScheduleLogitsProcessor",
    "LlamaConfig",
    "LlamaForCausalLM",
    "ModernBertConfig",
    "ModernBertForMaskedLM",
    "StableAndConfidentStoppingCriteria",
]
"""Classes, each imported when it is asked for."""

_GENERATION = "transformers.models.diffusion_gemma.generation_diffusion_gemma"
_HOMES: Mapping[str, str] = {
    "ALL_EXPERTS_FUNCTIONS": "transformers.integrations.moe",
    "CausalLMOutputWithPast": "transformers.modeling_outputs",
    "DiffusionGemmaGenerationConfig": _GENERATION,
    "EntropyBoundSampler": _GENERATION,
    "EntropyBoundSamplerConfig": _GENERATION,
    "LinearTemperatureScheduleLogitsProcessor": _GENERATION,
    "StableAndConfidentStoppingCriteria": _GENERATION,
}
"""Of classes that transformers itself does not hand out."""

# -- methods of DiffusionGemmaForBlockDiffusion, in the order in which generate() calls them -------------------------

PREPARE_CONFIG: Final = "_prepare_generation_config"
PREPARE_PROCESSORS: Final = "_prepare_logits_processor"
PREPARE_SAMPLER: Final = "_prepare_sampler"
PREPARE_STOPPING: Final = "_prepare_diffusion_stopping_criteria"
"""Gives None, no criterion, where either threshold is None."""
PREPARE_ENCODER: Final = "_prepare_encoder_inputs"
PREPARE_CANVAS: Final = "_prepare_denoiser_inputs"
DENOISING_STEP: Final = "_denoising_step"
FINALIZE_CANVAS: Final = "_finalize_canvas"
PREPARE_NEXT_CANVAS: Final = "_prepare_kwargs_for_next_canvas"

# -- what generate() with a static cache leaves on the model, by _compile_functions -----------------------------------

COMPILED_ENCODER: Final = "_compiled_encoder"
COMPILED_DECODER: Final = "_compiled_decoder_forward"
COMPILED_ACCEPT: Final = "_compiled_accept_canvas"
COMPILED_RENOISE: Final = "_compiled_renoise_canvas"
COMPILED_STOPPING: Final = "_compiled_diffusion_stopping_criteria"
STATIC_CACHE: Final = "_cache"

# -- GenerationMixin: generate() of causal models ---------------------------------------------------------------------

CAUSAL_PROCESSORS: Final = "_get_logits_processor"
"""What transformers' loop, and any other that is built on its parts, asks for before the first pass."""
GENERATION_LOGGER: Final = "transformers.generation.utils"


def __getattr__(name: str) -> Any:
    """Import a class, or find the cache's name, when it is asked for."""
    if name == "CACHE":
        value: Any = _cache_argument()
    elif name in __all__:
        value = getattr(import_module(_HOMES.get(name, "transformers")), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


if TYPE_CHECKING:
    CACHE: str
    """What the key-value cache is called: the argument of every model, and the field of every output."""


def _cache_argument() -> str:
    """``past_key_values`` up to 5.23, ``cache`` from 5.24 on."""
    from transformers.modeling_outputs import CausalLMOutputWithPast

    return "cache" if "cache" in {field.name for field in fields(CausalLMOutputWithPast)} else "past_key_values"


def name_or_path(config: Any) -> str:
    """What a model was loaded from, as its config says: a name or a path; empty if it does not."""
    return str(getattr(config, "_name_or_path", "") or "")


def set_name(config: Any, name: str) -> None:
    """Call a model something else than the place that it was loaded from."""
    config._name_or_path = name


# -- attention: which function a layer calls, and being called in its place ------------------------------------------

_ATTENTION_FUNCTIONS = "transformers.modeling_utils", "ALL_ATTENTION_FUNCTIONS"
_EAGER = "eager_attention_forward"
"""What a module of a model calls its own attention, which runs where the implementation is ``eager``."""
_one_at_a_time = RLock()


def attention_implementation(config: Any) -> str:
    """Key of the function that the layers of a model call, such as ``sdpa``; ``eager`` for their own."""
    return str(getattr(config, "_attn_implementation", None) or "eager")


@contextmanager
def attention_called_through(implementation: str, around: Callable[..., Any]) -> Iterator[None]:
    """Let every attention of this implementation call ``around(original, module, query, key, value, mask, **options)``.

    Layers look their function up in one table in each pass, so for the time of the block another stands there; the
    originals are called as before. The table is the process's: ``around`` must pass on the modules that it does not
    know, and one block at a time is open.
    """
    place, name = _ATTENTION_FUNCTIONS
    functions = getattr(import_module(place), name)
    original = functions.get(implementation)  # None for the modules' own

    def called(module: Any, *args: Any, **options: Any) -> Any:
        own = original if original is not None else getattr(sys.modules[type(module).__module__], _EAGER)
        return around(partial(own, module), module, *args, **options)

    with _one_at_a_time:
        local = functions._local_mapping
        before = local.get(implementation)
        functions[implementation] = called
        try:
            yield
        finally:
            del functions[implementation]
            if before is not None:
                functions[implementation] = before
