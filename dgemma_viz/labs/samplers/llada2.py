"""diffusers' ``LLaDA2Pipeline``: a mask-token model, unmasked block by block (LLaDA 2.0, arXiv 2512.15745)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dgemma_viz.labs.samplers.diffusers_schedulers import EDITING, TEMPERATURE, THRESHOLD
from dgemma_viz.labs.samplers.entropy_bound import MOST_STEPS, STEPS
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.sampler import Prepared, Sampler, Values

BLOCK = Parameter(
    "block_length",
    "Block length",
    "Positions that are unmasked together; the output is a row of such blocks.",
    default=32,
    unit="tokens",
    kind="whole",
    least=1,
    most=4096,
)
POST_STEPS = Parameter(
    "max_post_steps",
    "Editing passes",
    "Most passes after the last mask of a block is gone, while there is something to edit.",
    default=16,
    kind="whole",
    most=MOST_STEPS,
)


def _prepare(
    model: Any, tokenizer: Any, inputs: Mapping[str, Any], given: Values, max_new_tokens: int | None
) -> Prepared:
    from dgemma_viz.upstream import diffusers

    pipeline = diffusers.LLaDA2Pipeline(
        model=model, scheduler=diffusers.BlockRefinementScheduler(), tokenizer=tokenizer
    )
    pipeline.set_progress_bar_config(disable=True)
    call = {name: value for name, value in given.items() if name != "max_denoising_steps"}
    if "max_denoising_steps" in given:
        call["num_inference_steps"] = given["max_denoising_steps"]
    # The pipeline's own default, 2048, is what the released models fill; a run that says nothing fills a block or more.
    length = max_new_tokens or max(32, given.get(BLOCK.name, 32))
    return Prepared(pipeline, lambda: pipeline(**inputs, gen_length=length, output_type="seq", **call))


LLADA2 = Sampler(
    name="llada2",
    title="LLaDA2, mask tokens (diffusers)",
    description="Undecided positions hold a mask token. Each pass unmasks those that are probable enough, and at "
    "least a fixed share of the block; what is unmasked stays, unless editing replaces it. Needs a mask-token model.",
    library="diffusers",
    loop="LLaDA2Pipeline",
    noise="mask",
    parameters=(
        replace(STEPS, meaning="Most passes per block before its masks are gone.", default=32),
        replace(THRESHOLD, meaning="Unmask every position whose candidate is more probable than this.", default=0.7),
        replace(EDITING, default=0.5),
        TEMPERATURE,
        BLOCK,
        POST_STEPS,
    ),
    prepare=_prepare,
    decides="BlockRefinementScheduler",
    sticky=True,
)
