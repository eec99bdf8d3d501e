"""A DiffusionGemma's causal half; made here, so that its name can be imported without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers.sampler import noise_of

if TYPE_CHECKING:
    from dgemma_viz.labs.decoding.causal_view import CausalDiffusionGemma


def as_causal(model: Any) -> CausalDiffusionGemma:
    """The causal half of a DiffusionGemma, with transformers' ``generate()``.

    It shares the model's parameters, and :func:`dgemma_viz.record` knows it.

    Parameters
    ----------
    model
        A ``DiffusionGemmaForBlockDiffusion``.

    Raises
    ------
    SettingError
        The model is of another kind: only DiffusionGemma has a causal half.

    Examples
    --------
    >>> model, tokenizer = load_tiny()
    >>> causal = as_causal(model)
    >>> inputs = tokenizer("add 347+678=", return_tensors="pt", return_token_type_ids=False)
    >>> tokenizer.decode(causal.generate(**inputs)[0], skip_special_tokens=True)
    'add 347+678=1025'
    """
    if noise_of(model) != "uniform" or not hasattr(getattr(model, "model", None), "encoder"):
        raise SettingError(
            f"as_causal() needs a DiffusionGemmaForBlockDiffusion, whose encoder is causal; this is a "
            f"{type(model).__name__}"
        )
    from dgemma_viz.labs.decoding.causal_view import CausalDiffusionGemma

    causal: CausalDiffusionGemma = CausalDiffusionGemma(model).eval()
    return causal
