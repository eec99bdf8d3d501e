"""The schedulers of diffusers' ``DiffusionGemmaPipeline``, on the same model that transformers' ``generate()`` runs.

The pipeline takes prompts as text only, encodes them itself and cannot pad a batch. With :class:`GivenIds` in the
processor's place it reads the same ids, padded on the left, that ``generate()`` reads. The stop rule's parameters are
local variables of its loop, so they cannot change during a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from dgemma_viz.labs.samplers.entropy_bound import (
    CONFIDENCE,
    MOST_STEPS,
    PARAMETERS,
    STABILITY,
    STEPS,
    rising_temperatures,
)
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.sampler import Prepared, Sampler, Values

TEMPERATURE = Parameter(
    "temperature",
    "Temperature",
    "What the logits are divided by when candidates are drawn; 0 takes the draft.",
    default=0.0,
    most=10.0,
)
THRESHOLD = Parameter(
    "threshold",
    "Threshold",
    "Commit every position whose candidate is more probable than this; above 1, only the quota of the step.",
    default=0.95,
    most=2.0,
)
EDITING = Parameter(
    "editing_threshold",
    "Editing threshold",
    "Replace a committed token when another is more probable than this; off: commits are final.",
    default=None,
    most=1.0,
    optional=True,
)
CORRECTOR_STEPS = Parameter(
    "corrector_steps",
    "Corrector sweeps",
    "Decoder passes after each step that resample the least certain positions; they count as steps.",
    default=0,
    kind="whole",
    most=MOST_STEPS,
)
CORRECTOR_K = Parameter(
    "corrector_k",
    "Positions a sweep",
    "Positions that one corrector sweep resamples.",
    default=1,
    kind="whole",
    least=1,
    most=1e6,
)
CORRECTOR_SELECTION = Parameter(
    "corrector_selection",
    "Chosen by",
    "How a corrector sweep finds the least certain positions.",
    default="lowest_log_margin",
    kind="choice",
    choices=("lowest_log_margin", "lowest_maxprob", "lowest_current_prob", "random"),
)

_OF_THE_CALL = ("temperature", "stability_threshold", "confidence_threshold")
"""Parameters of the pipeline's call; all others but the number of steps belong to the scheduler."""


class GivenIds:
    """Stands for the processor; ``tokenizer`` is the real one, from which the pipeline takes the end-of-sequence id."""

    def __init__(self, tokenizer: Any, inputs: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        self._inputs = dict(inputs)

    def apply_chat_template(self, *_messages: Any, **_options: Any) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask``, whatever the messages say."""
        return dict(self._inputs)

    def batch_decode(self, *sequences: Any, **options: Any) -> Any:
        """The tokenizer's."""
        return self.tokenizer.batch_decode(*sequences, **options)


def _prepare(
    scheduler: str, model: Any, tokenizer: Any, inputs: Mapping[str, Any], given: Values, max_new_tokens: int | None
) -> Prepared:
    from dgemma_viz.upstream import diffusers

    own = {name: value for name, value in given.items() if name not in (*_OF_THE_CALL, STEPS.name)}
    call = {name: given[name] for name in _OF_THE_CALL if name in given}
    pipeline = diffusers.DiffusionGemmaPipeline(
        model=model, scheduler=getattr(diffusers, scheduler)(**own), processor=GivenIds(tokenizer, inputs)
    )
    pipeline.set_progress_bar_config(disable=True)
    length = max_new_tokens or model.generation_config.max_new_tokens or model.config.canvas_length
    steps = given.get(STEPS.name, STEPS.default)
    run = partial(pipeline, prompt="", gen_length=length, num_inference_steps=steps, output_type="seq", **call)
    return Prepared(pipeline, run)


ENTROPY_BOUND_DIFFUSERS = Sampler(
    name="entropy_bound_diffusers",
    title="Entropy bound (diffusers)",
    description="The same rule as transformers' in diffusers' EntropyBoundScheduler.",
    library="diffusers",
    loop="DiffusionGemmaPipeline",
    noise="uniform",
    parameters=PARAMETERS,
    prepare=partial(_prepare, "EntropyBoundScheduler"),
    validate=rising_temperatures,
    decides="EntropyBoundScheduler",
    changeable=("entropy_bound", "t_min", "t_max"),
)
BLOCK_REFINEMENT = Sampler(
    name="block_refinement",
    title="Block refinement (diffusers)",
    description="Commits the most probable positions, at least a fixed share of the canvas in every step. Commits are "
    "sticky: they stay, unless editing is on.",
    library="diffusers",
    loop="DiffusionGemmaPipeline",
    noise="uniform",
    parameters=(STEPS, THRESHOLD, EDITING, TEMPERATURE, STABILITY, CONFIDENCE),
    prepare=partial(_prepare, "BlockRefinementScheduler"),
    decides="BlockRefinementScheduler",
    changeable=("temperature", "threshold", "editing_threshold"),
    sticky=True,
)
DISCRETE_DDIM = Sampler(
    name="discrete_ddim",
    title="Discrete DDIM (diffusers)",
    description="Draws every position from the exact posterior of the noising process (D3PM, arXiv 2107.03006): take "
    "the candidate, stay, or become noise. A corrector (arXiv 2605.22765) may resample the least certain positions.",
    library="diffusers",
    loop="DiffusionGemmaPipeline",
    noise="uniform",
    parameters=(STEPS, TEMPERATURE, CORRECTOR_STEPS, CORRECTOR_K, CORRECTOR_SELECTION, STABILITY, CONFIDENCE),
    prepare=partial(_prepare, "DiscreteDDIMScheduler"),
    decides="DiscreteDDIMScheduler",
    changeable=("temperature", "corrector_k", "corrector_selection"),
)
