"""Find the sampler object that really runs, and say where it is not the one that was asked for.

With a static cache, ``DiffusionGemmaGenerationMixin._compile_functions`` compiles the FIRST call's bound methods
``sampler.accept_canvas`` and ``sampler.renoise_canvas``, keeps them on the model (``_compiled_accept_canvas``,
``_compiled_renoise_canvas``) and sets them on every later call's sampler. So a later call runs with the first sampler's
bound, canvas length and vocabulary, the accepted mask appears on the first sampler, and its own sampler never has one.
"""

from __future__ import annotations

from typing import Any

from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.upstream.transformers import COMPILED_ACCEPT, COMPILED_RENOISE

_REMEDY = (
    f"To run what is asked for, delete the model's '{COMPILED_ACCEPT}' and '{COMPILED_RENOISE}' before "
    "generate(), or pass disable_compile=True."
)


def bound_of(sampler: Any) -> float:
    """Entropy bound of a sampler in nats; NaN if it has none."""
    bound = getattr(sampler, "entropy_bound", None)
    return float(bound) if isinstance(bound, int | float) else float("nan")


def staleness(asked: Any, accepting: Any, renoising: Any) -> Notice | None:
    """What differs between the sampler asked for and those that run, with a remedy; None if nothing does.

    Parameters
    ----------
    asked
        The sampler that ``generate()`` made for this call.
    accepting, renoising
        The objects whose ``accept_canvas`` and ``renoise_canvas`` run (:func:`.torch_compile.owner_of`).
    """
    differing = [
        f"{name} {getattr(running, name)} instead of {getattr(asked, name)} in {role}"
        for running, role, names in (
            (accepting, "accept_canvas", ("entropy_bound",)),
            (renoising, "renoise_canvas", ("vocab_size", "canvas_length")),
        )
        for name in names
        if getattr(running, name, None) != getattr(asked, name, None)
    ]
    if differing:
        return Notice(
            NoticeCode.STALE_SAMPLER,
            f"generate() ran the compiled sampler of an earlier call: {'; '.join(differing)}. "
            f"The trace shows what really ran. {_REMEDY}",
        )
    if accepting is not renoising:
        return Notice(
            NoticeCode.MIXED_SAMPLERS,
            "generate() accepted tokens with one sampler and re-noised with the compiled one of an earlier call, whose "
            f"accepted mask is another: accepted tokens may have been re-noised. {_REMEDY}",
        )
    return None
