"""Ways of decoding a DiffusionGemma: each is a library's own loop on the same weights.

A way is made by a function below and given to :func:`dgemma_viz.labs.decoding.race`; the names in :data:`WAYS` stand
for each with its defaults.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.decoding.causal import as_causal
from dgemma_viz.labs.samplers import sampler_named
from dgemma_viz.labs.samplers.sampler import Prepared
from dgemma_viz.upstream.transformers import GENERATION_LOGGER, name_or_path

MOST_DRAFTED = 64


@dataclass(frozen=True)
class Way:
    """One way of decoding.

    Attributes
    ----------
    name
        Short, as in tables and on screen.
    about
        One sentence.
    prepare
        From model, tokenizer, inputs of the loop and the most new tokens to what :func:`dgemma_viz.record` watches, and
        the call.
    batched
        Whether the loop takes several prompts at once.
    endless
        Whether it takes ``eos_token_id=None`` among the inputs, and then writes up to the limit.
    """

    name: str
    about: str
    prepare: Callable[[Any, Any, Mapping[str, Any], int | None], Prepared] = field(repr=False)
    batched: bool = True
    endless: bool = True


def autoregressive(temperature: float | None = None) -> Way:
    """One token a pass, through the causal encoder and its key-value cache; transformers' ``generate()``.

    Parameters
    ----------
    temperature
        Sampled at this temperature; None takes the most probable token.

    Raises
    ------
    SettingError
        The temperature is not above 0.
    """
    return Way("autoregressive", "One token a pass, left to right.", _causal_way(_sampling(temperature)))


def drafted(drafter: Any = None, tokens: int = 4, temperature: float | None = None) -> Way:
    """A small model drafts, one pass of the large one verifies; transformers' assisted generation (arXiv 2211.17192).

    The output is that of autoregressive decoding: token for token where it is greedy, in distribution where sampled.

    Parameters
    ----------
    drafter
        A causal model with the same tokenizer; None is the bundled one, which knows only the bundled model's tasks.
    tokens
        Drafted before each verification.
    temperature
        As for :func:`autoregressive`.

    Raises
    ------
    SettingError
        The temperature is not above 0, or the number of tokens is out of range.
    """
    sampled, count = _sampling(temperature), _draft_length(tokens)

    def prepare(model: Any, _tokenizer: Any, inputs: Mapping[str, Any], limit: int | None) -> Prepared:
        assistant = _bundled_drafter(model) if drafter is None else drafter
        prepared = _causal_way({**sampled, "assistant_model": assistant})(model, None, inputs, limit)

        def run() -> object:
            with _drafts(assistant, count):
                return prepared.run()

        return Prepared(prepared.recordable, run)

    return Way("drafted", f"A small model drafts {count} tokens, one pass verifies them.", prepare, batched=False)


def looked_up(tokens: int = 4, temperature: float | None = None) -> Way:
    """Drafts are copied from where the last words stood before; no second model (transformers' prompt lookup).

    Parameters
    ----------
    tokens, temperature
        As for :func:`drafted`.

    Raises
    ------
    SettingError
        The temperature is not above 0, or the number of tokens is out of range.
    """
    arguments = {**_sampling(temperature), "prompt_lookup_num_tokens": _draft_length(tokens)}
    about = f"{tokens} tokens are copied from the text so far, one pass verifies them."
    return Way("looked up", about, _causal_way(arguments), batched=False)


def diffusion(sampler: str = "entropy_bound", **parameters: Any) -> Way:
    """Canvases, denoised step by step.

    Parameters
    ----------
    sampler, parameters
        As for :func:`~dgemma_viz.labs.samplers.run_sampler`.

    Raises
    ------
    SettingError
        There is no such sampler, or it has no such parameter.
    """
    chosen = sampler_named(sampler)
    given = chosen.checked(parameters)

    def prepare(model: Any, tokenizer: Any, inputs: Mapping[str, Any], limit: int | None) -> Prepared:
        chosen.need_library()
        chosen.need_model(model)
        return chosen.prepare(model, tokenizer, inputs, given, limit)

    about = f"All tokens of a canvas at once, in several steps: {chosen.title}."
    return Way("diffusion", about, prepare, endless=chosen.library == "transformers")


Ways = str | Way | Sequence[str | Way] | Mapping[str, str | Way]

WAYS: dict[str, Callable[[], Way]] = {
    "autoregressive": autoregressive,
    "drafted": drafted,
    "looked up": looked_up,
    "diffusion": diffusion,
}
"""Names that stand for a way with its defaults."""


def ways_of(given: Ways) -> dict[str, Way]:
    """Label to way.

    Raises
    ------
    SettingError
        There is none, a name is not known, or two have one label.
    """
    if isinstance(given, str | Way):
        given = [given]
    pairs = given.items() if isinstance(given, Mapping) else [("", one) for one in given]
    found: dict[str, Way] = {}
    for label, one in pairs:
        way = one
        if isinstance(one, str):
            if one not in WAYS:
                raise SettingError(f"there is no way of decoding '{one}'; choose from {', '.join(map(repr, WAYS))}")
            way = WAYS[one]()
        if not isinstance(way, Way):
            raise SettingError(
                f"{one!r} is not a way of decoding: give a name of {', '.join(map(repr, WAYS))}, or what a function of "
                "dgemma_viz.labs.decoding.ways returns"
            )
        name = label or way.name
        if name in found:
            raise SettingError(f"two ways are called '{name}': give them as a mapping from label to way")
        found[name] = way
    if not found:
        raise SettingError(f"there is no way of decoding to run; choose from {', '.join(map(repr, WAYS))}")
    return found


def _causal_way(arguments: Mapping[str, Any]) -> Callable[[Any, Any, Mapping[str, Any], int | None], Prepared]:
    """The model's causal half, with arguments of ``generate()``."""

    def prepare(model: Any, _tokenizer: Any, inputs: Mapping[str, Any], limit: int | None) -> Prepared:
        causal = as_causal(model)
        limits = {} if limit is None else {"max_new_tokens": limit}
        return Prepared(causal, lambda: causal.generate(**inputs, **arguments, **limits))

    return prepare


def _sampling(temperature: float | None) -> dict[str, Any]:
    if temperature is None:
        return {"do_sample": False}
    if not temperature > 0:
        raise SettingError(f"a temperature of {temperature} is out of range; choose one above 0, or None for greedy")
    return {"do_sample": True, "temperature": float(temperature), "top_k": 0}


def _draft_length(tokens: int) -> int:
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= MOST_DRAFTED:
        raise SettingError(f"{tokens!r} drafted tokens is out of range; choose 1 to {MOST_DRAFTED}")
    return tokens


def _bundled_drafter(model: Any) -> Any:
    from dgemma_viz.tiny.loading import KINDS, load_tiny

    if name_or_path(model.config) != KINDS["diffusion"].name:
        raise SettingError(
            "the bundled drafter knows the bundled model's vocabulary only: give drafted(drafter=...) a causal model "
            "with this model's tokenizer, or use 'looked up', which needs none"
        )
    return load_tiny("drafter")[0].to(model.device)


@contextmanager
def _drafts(drafter: Any, tokens: int) -> Iterator[None]:
    """Let a drafter draft so many tokens every time: by default transformers adapts the number as it goes."""
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
