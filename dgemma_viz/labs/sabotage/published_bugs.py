"""Bugs that were published in runtimes of DiffusionGemma, planted one at a time into the unmodified ``generate()``.

Each breaks one rule that :func:`dgemma_viz.check_conformance` replays, on one live model object, and is taken back at
the end of its block. How is written in :mod:`~dgemma_viz.labs.sabotage.stopping_bugs`,
:mod:`~dgemma_viz.labs.sabotage.canvas_bugs`, :mod:`~dgemma_viz.labs.sabotage.nan_hidden_state` and
:mod:`~dgemma_viz.labs.sabotage.broken_wiring`; this file is the catalogue.
"""

from __future__ import annotations

from dgemma_viz.labs.sabotage.broken_wiring import stale_sampler
from dgemma_viz.labs.sabotage.canvas_bugs import argmax_canvas, thawed_rows
from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.labs.sabotage.nan_hidden_state import nan_hidden_state
from dgemma_viz.labs.sabotage.stopping_bugs import forgetful_criterion, raw_confidence, short_window

FAULTS: tuple[Fault, ...] = (
    Fault(
        "stability-off-by-one",
        "Stability window one step short",
        "A canvas stops after as many equal drafts as the threshold says, in place of as many unchanged steps: with "
        "the released threshold of 1, at the first confident draft.",
        "vllm#45965",
        short_window,
    ),
    Fault(
        "argmax-in-canvas",
        "Argmax written into the canvas",
        "The next step reads the whole draft, unsure positions included, where random tokens should be.",
        "Rapid-MLX#555",
        argmax_canvas,
    ),
    Fault(
        "finished-rows-change",
        "Finished samples keep changing",
        "Samples of a batch that have finished are denoised on while the others need more steps.",
        "diffusers#14386",
        thawed_rows,
    ),
    Fault(
        "raw-confidence",
        "Confidence from raw logits",
        "The stop rule takes its entropy from the logits before temperature, which are less sure.",
        "diffusers#14386",
        raw_confidence,
    ),
    Fault(
        "never-stable",
        "Adaptive stopping never converges",
        "The stop rule forgets the last draft, so that none is ever unchanged and every canvas takes all its steps. "
        "(In mlx-vlm the cause was the model, whose router read normalised states; the sampler kept its rules.)",
        "mlx-vlm#1347",
        forgetful_criterion,
    ),
    Fault(
        "stale-sampler",
        "Compiled sampler of an earlier call",
        "With a static cache, the sampler compiled by the first call runs in all later ones, with its bound of 5 nats.",
        "transformers 5.23 _compile_functions",
        stale_sampler,
    ),
    Fault(
        "nan-hidden-state",
        "NaN hidden states, a canvas of padding",
        "From the second step on all logits are NaN; the argmax of NaN is padding.",
        "vllm#47424",
        nan_hidden_state,
    ),
)
