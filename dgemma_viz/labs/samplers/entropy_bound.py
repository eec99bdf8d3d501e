"""transformers' own ``generate()``: the entropy-bound sampler of the released model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.sampler import Prepared, Sampler, Values

MOST_STEPS = 1000

STEPS = Parameter(
    "max_denoising_steps",
    "Steps",
    "Most denoising steps per canvas; the sampler's schedule runs over this number of steps.",
    default=48,
    kind="whole",
    least=1,
    most=MOST_STEPS,
)
BOUND = Parameter(
    "entropy_bound",
    "Entropy bound",
    "Accept the most certain positions until their entropies, less the largest, sum to more than this.",
    default=0.1,
    unit="nats",
    least=1e-9,
    most=1e6,
    log=True,
)
T_MIN = Parameter(
    "t_min", "Final temperature", "What the logits are divided by in the last step.", default=0.4, least=0.0, most=10.0
)
T_MAX = Parameter(
    "t_max", "First temperature", "What the logits are divided by in the first step.", default=0.8, least=0.0, most=10.0
)
STABILITY = Parameter(
    "stability_threshold",
    "Stable steps",
    "A canvas may end early once its draft has not changed for this many steps.",
    default=1,
    kind="whole",
    most=MOST_STEPS,
)
CONFIDENCE = Parameter(
    "confidence_threshold",
    "Confident below",
    "A canvas may end early only while its mean entropy is below this; off: every step runs.",
    default=0.005,
    unit="nats",
    least=1e-9,
    most=100.0,
    log=True,
    optional=True,
)
PARAMETERS = (STEPS, BOUND, T_MIN, T_MAX, STABILITY, CONFIDENCE)
"""Defaults are those of the released model's ``generation_config.json``."""


def rising_temperatures(values: Values) -> None:
    """``DiffusionGemmaGenerationConfig.validate`` wants ``t_max`` above ``t_min``."""
    if values["t_max"] <= values["t_min"]:
        raise SettingError(
            f"{T_MAX.in_messages} of {values['t_max']:g} must be above t_min of {values['t_min']:g}: the temperature "
            "falls from the first to the last step"
        )


def _prepare(
    model: Any, _tokenizer: Any, inputs: Mapping[str, Any], given: Values, max_new_tokens: int | None
) -> Prepared:
    arguments: Values = {name: value for name, value in given.items() if name != "entropy_bound"}
    if given.get("confidence_threshold", ...) is None:
        # Either threshold at None builds no stopping criterion (_prepare_diffusion_stopping_criteria).
        arguments["stability_threshold"] = None
    if "entropy_bound" in given:
        from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig

        arguments["sampler_config"] = EntropyBoundSamplerConfig(entropy_bound=float(given["entropy_bound"]))
    if max_new_tokens is not None:
        arguments["max_new_tokens"] = max_new_tokens
    # Looked up when it runs: recording sets hooks on the model, and a method bound earlier goes past them.
    return Prepared(model, lambda: model.generate(**inputs, **arguments))


ENTROPY_BOUND = Sampler(
    name="entropy_bound",
    title="Entropy bound (transformers)",
    description="generate() itself: accepts the most certain positions within an entropy budget, and chooses anew in "
    "every step, so that an accepted token can be taken back.",
    library="transformers",
    loop="DiffusionGemmaGenerationMixin",
    noise="uniform",
    parameters=PARAMETERS,
    prepare=_prepare,
    validate=rising_temperatures,
    decides="EntropyBoundSampler",
    changeable=("entropy_bound", "t_min", "t_max", "stability_threshold", "confidence_threshold"),
)
