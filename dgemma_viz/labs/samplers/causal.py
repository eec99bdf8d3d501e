"""A DiffusionGemma left to right, through transformers' ``generate()``: token by token, or with drafts to verify.

Its encoder is causal and shares the decoder's head (see :mod:`.causal_view`), so these are loops on the same weights.
The output of a verified draft is that of autoregressive decoding: token for token where it is greedy, in distribution
where it is sampled (arXiv 2211.17192).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.sampler import Prepared, Sampler, Values, noise_of
from dgemma_viz.upstream.transformers import GENERATION_LOGGER, name_or_path

if TYPE_CHECKING:
    from dgemma_viz.labs.samplers.causal_view import CausalDiffusionGemma

TEMPERATURE = Parameter(
    "temperature",
    "Temperature",
    "What the logits are divided by when a token is drawn; off: the most probable token is taken.",
    default=None,
    least=1e-6,
    most=100.0,
    optional=True,
)
DRAFT_TOKENS = Parameter(
    "draft_tokens",
    "Drafted tokens",
    "Tokens that are drafted before each verification.",
    default=4,
    kind="whole",
    least=1,
    most=64,
)


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
    from dgemma_viz.labs.samplers.causal_view import CausalDiffusionGemma

    causal: CausalDiffusionGemma = CausalDiffusionGemma(model).eval()
    return causal


def drafted_by(drafter: Any) -> Sampler:
    """The sampler ``"drafted"`` with a drafter of your own: a causal model with the same tokenizer."""
    return replace(DRAFTED, prepare=partial(_prepare_drafted, lambda _model: drafter))


def _prepare(
    model: Any, _tokenizer: Any, inputs: Mapping[str, Any], given: Values, max_new_tokens: int | None, **more: Any
) -> Prepared:
    causal = as_causal(model)
    temperature = given.get("temperature")
    arguments: Values = {"do_sample": False}
    if temperature is not None:
        arguments = {"do_sample": True, "temperature": temperature, "top_k": 0}
    if max_new_tokens is not None:
        arguments["max_new_tokens"] = max_new_tokens
    return Prepared(causal, lambda: causal.generate(**inputs, **arguments, **more))


def _prepare_looked_up(
    model: Any, tokenizer: Any, inputs: Mapping[str, Any], given: Values, max_new_tokens: int | None
) -> Prepared:
    return _prepare(model, tokenizer, inputs, given, max_new_tokens, prompt_lookup_num_tokens=_draft_length(given))


def _prepare_drafted(
    drafter_for: Callable[[Any], Any],
    model: Any,
    tokenizer: Any,
    inputs: Mapping[str, Any],
    given: Values,
    max_new_tokens: int | None,
) -> Prepared:
    drafter = drafter_for(model)
    prepared = _prepare(model, tokenizer, inputs, given, max_new_tokens, assistant_model=drafter)

    def run() -> object:
        with _drafts(drafter, _draft_length(given)):
            return prepared.run()

    return Prepared(prepared.recordable, run)


def _draft_length(given: Values) -> int:
    count: Any = given.get(DRAFT_TOKENS.name, DRAFT_TOKENS.default)
    return int(count)


def _bundled_drafter(model: Any) -> Any:
    from dgemma_viz.tiny.loading import KINDS, load_tiny

    if name_or_path(model.config) != KINDS["diffusion"].name:
        raise SettingError(
            "the bundled drafter knows the bundled model's vocabulary only: give drafted_by(drafter) a causal model "
            "with this model's tokenizer, or use 'looked_up', which needs none"
        )
    return load_tiny("drafter")[0].to(model.device)


@contextmanager
def _drafts(drafter: Any, tokens: int) -> Iterator[None]:
    """Have a drafter draft the same number of tokens every time; by default transformers adapts it as it goes."""
    config = drafter.generation_config
    settings = {
        "num_assistant_tokens": tokens,
        "num_assistant_tokens_schedule": "constant",
        "assistant_confidence_threshold": 0.0,
    }
    before = {name: getattr(config, name) for name in settings}
    # transformers 5.23 warns of how its own candidate generator calls generate().
    logger = logging.getLogger(GENERATION_LOGGER)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        for name, value in settings.items():
            setattr(config, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)
        logger.setLevel(level)


AUTOREGRESSIVE = Sampler(
    name="autoregressive",
    title="Autoregressive (transformers)",
    description="One token a pass, left to right.",
    library="transformers",
    loop="GenerationMixin",
    noise=None,
    parameters=(TEMPERATURE,),
    prepare=_prepare,
    way="autoregressive",
)
DRAFTED = Sampler(
    name="drafted",
    title="Drafted and verified (transformers)",
    description="A small model drafts a few tokens, one pass verifies them.",
    library="transformers",
    loop="GenerationMixin",
    noise=None,
    parameters=(DRAFT_TOKENS, TEMPERATURE),
    prepare=partial(_prepare_drafted, _bundled_drafter),
    way="drafted",
    batched=False,
)
"""Drafts are the bundled drafter's, which knows only the bundled model's tasks; see :func:`drafted_by`."""
LOOKED_UP = Sampler(
    name="looked_up",
    title="Looked up and verified (transformers)",
    description="A few tokens are copied from where the last words stood before, one pass verifies them.",
    library="transformers",
    loop="GenerationMixin",
    noise=None,
    parameters=(DRAFT_TOKENS, TEMPERATURE),
    prepare=_prepare_looked_up,
    way="looked up",
    batched=False,
)
