"""diffusers' DiffusionGemmaPipeline around the bundled model, with every scheduler; plain and recorded calls of it."""

import numpy as np
import torch
from diffusers import BlockRefinementScheduler, DiffusionGemmaPipeline, DiscreteDDIMScheduler, EntropyBoundScheduler

from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.samplers.diffusers_schedulers import GivenIds
from dgemma_viz.recorders import record
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import Decision, Phase

CANVAS = 48
PROMPTS = [
    TASKS["story"].example_prompts[1],
    TASKS["sudoku"].example_prompts[0],
    TASKS["addition"].example_prompts[0],
]
SCHEDULERS = {
    "entropy bound": EntropyBoundScheduler,
    "entropy bound, loose": lambda: EntropyBoundScheduler(entropy_bound=3.0, t_max=1.2, t_min=0.9),
    "block refinement": lambda: BlockRefinementScheduler(threshold=0.99),
    "block refinement, editing": lambda: BlockRefinementScheduler(threshold=0.6, editing_threshold=0.4),
    "DDIM": DiscreteDDIMScheduler,
    "DDIM with corrector": lambda: DiscreteDDIMScheduler(corrector_steps=2, corrector_k=5),
    "DDIM, random corrector": lambda: DiscreteDDIMScheduler(corrector_steps=1, corrector_selection="random"),
}


def pipeline_of(tiny, scheduler, batch=1, prompts=PROMPTS):
    """A new pipeline; it reads the first `batch` prompts, whatever it is called with."""
    model, tokenizer = tiny
    pipe = DiffusionGemmaPipeline(
        model=model,
        scheduler=SCHEDULERS[scheduler](),
        processor=GivenIds(tokenizer, encode(tokenizer, prompts[:batch])),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def called(pipe, seed=12, **options):
    """Sequences, random state afterwards, and all that the pipeline returned. `generator` is given by its seed."""
    torch.manual_seed(seed)
    generator = options.pop("generator", None)
    if generator is not None:
        options["generator"] = torch.Generator().manual_seed(generator)
    result = pipe(prompt="", **{"gen_length": CANVAS, "num_inference_steps": 10, "output_type": "seq", **options})
    return (result[0] if isinstance(result, tuple) else result.sequences), torch.get_rng_state(), result


def record_once(tiny, scheduler, batch=1, **options):
    pipe = pipeline_of(tiny, scheduler, batch)
    with record(pipe) as recording:
        called(pipe, **options)
    return recording.trace


def attributes_of(pipe):
    """Everything that a hook could have been left on."""
    parts = (pipe, pipe.scheduler, pipe.model, pipe.model.model.encoder)
    return type(pipe), [sorted(vars(part)) for part in parts]


def assert_follows(trace):
    """What a step left is what the next one of its canvas read, or the output; a finished sample's is its draft."""
    for step in range(trace.n_steps):
        last = step == trace.n_steps - 1 or trace.canvas[step + 1] != trace.canvas[step]
        read = trace.emitted[trace.canvas[step]] if last else trace.noised[step + 1]
        frozen = trace.finished[step]
        sweep_next = not last and trace.phase[step + 1] == Phase.CORRECT
        if not sweep_next:  # before a sweep, the pipeline has not looked at its stop rule
            np.testing.assert_array_equal(read[frozen], trace.draft[step][frozen])
        went_on = ~frozen[:, None] & trace.active[step][:, None]
        decision = trace.decision[step]
        put = np.isin(decision, (Decision.ACCEPTED, Decision.EDITED, Decision.CORRECTED)) & went_on
        kept = (decision == Decision.KEPT) & went_on
        np.testing.assert_array_equal(read[put], trace.candidate[step][put])
        np.testing.assert_array_equal(read[kept], trace.noised[step][kept])
