"""What is used of mlx-vlm that is not documented for everyone, as of 0.7.10: the loop of its DiffusionGemma.

The loop is one generator function of the module :data:`ENGINE`, which ``generate()`` and ``stream_generate()`` come to
for this model. What it does in a step, it does by functions of the same module. :func:`with_functions` runs the loop's
own code with some of them replaced, for one call: the module's stay as they are for every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

MODEL: Final = "mlx_vlm.models.diffusion_gemma.diffusion_gemma.Model"
ENGINE: Final = "mlx_vlm.generate.diffusion"
LOOP: Final = "stream_diffusion_generate"
"""A generator of results: drafts for display, single tokens, and one at the end of each canvas."""

# -- functions that the loop calls, in the order of a step ------------------------------------------------------------

DECODERS: Final = "_make_diffusion_decoder_logits_fns"
"""Once per canvas: gives the decoder pass without, and the one with self-conditioning; both read the canvas first."""
SCHEDULE: Final = "_diffusion_linear_temperature"
"""``(step counted down, steps, config)``: what the logits are divided by."""
SAMPLE: Final = "_diffusion_sample_canvas"
"""``(logits, dtype, temperature)``: the candidate. Not called at temperature 0, where the argmax is the candidate."""
ENTROPY: Final = "_diffusion_token_entropy"
ACCEPT_BY_ENTROPY: Final = "_diffusion_entropy_transfer_mask"
"""``(entropy, bound)``"""
PROBABILITY: Final = "_diffusion_token_probability"
"""``(logits, candidate)``"""
ACCEPT_BY_CONFIDENCE: Final = "_diffusion_confidence_transfer_mask"
"""``(confidence, positions not yet revealed, threshold, force_all=)``"""
STOP: Final = "_diffusion_stable_and_confident"
"""``(draft, logits, earlier drafts, config)``: whether the canvas is done; not called where it is done otherwise."""

OF_A_STEP: Final = (
    DECODERS,
    SCHEDULE,
    SAMPLE,
    ENTROPY,
    ACCEPT_BY_ENTROPY,
    PROBABILITY,
    ACCEPT_BY_CONFIDENCE,
    STOP,
)


def engine() -> ModuleType:
    """The module of the loop."""
    return import_module(ENGINE)


def missing_parts(loop: Any) -> list[str]:
    """Functions of a step that a loop does not call by their names, as another version may not."""
    code = getattr(loop, "__code__", None)
    return [name for name in OF_A_STEP if code is None or name not in code.co_names or name not in loop.__globals__]


def with_functions(loop: FunctionType, functions: Mapping[str, Callable[..., Any]]) -> FunctionType:
    """The same code with other functions in place of those of its module that it calls."""
    copy = FunctionType(loop.__code__, {**loop.__globals__, **functions}, loop.__name__, loop.__defaults__)
    copy.__kwdefaults__ = loop.__kwdefaults__
    return copy


def random_key() -> Any:
    """Key of the generator that sampling draws from, ``mx.array`` of two uint32: the high and the low half of a seed.

    ``mx.random.seed(high << 32 | low)`` puts the generator back there, whatever was drawn before.
    """
    import mlx.core as mx

    state: Any = mx.random.state
    return state[0]


def device_name() -> str:
    """Where MLX computes: "cpu" or "gpu"."""
    import mlx.core as mx

    return str(mx.default_device().type).rpartition(".")[2]


def schedule_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Ends of the temperature schedule, with the defaults that :data:`SCHEDULE` has."""
    return {"t_min": float(config.get("t_min", 0.4)), "t_max": float(config.get("t_max", 0.8))}


def stop_rule_of(config: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Thresholds of the stop rule, with the defaults that :data:`STOP` has; None where it is off."""
    if config is None:
        return {"stability_threshold": None, "confidence_threshold": None}
    return {
        "stability_threshold": int(config.get("stability_threshold", 1)),
        "confidence_threshold": float(config.get("confidence_threshold", 0.005)),
    }


def end_ids(tokenizer: Any) -> list[int]:
    """Tokens at which the loop stops; empty where a function of the user's own says so."""
    return [int(token) for token in getattr(tokenizer.stopping_criteria, "eos_token_ids", None) or ()]


def name_of(model: Any) -> str:
    """What a model was loaded from: a repository's name where its files lie in the hub's cache, else the folder's."""
    parts = Path(str(getattr(model, "model_path", "") or "")).parts
    cached = [part for part in parts if part.startswith("models--")]
    return cached[-1].rpartition("--")[2] if cached else parts[-1] if parts else ""
