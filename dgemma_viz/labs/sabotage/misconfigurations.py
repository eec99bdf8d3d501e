"""Settings far off, and a model that misbehaves: faults that make the unmodified ``generate()`` go wrong for real.

Each is planted on one live model object and taken back at the end of its block, whatever happens. How is written in
:mod:`~dgemma_viz.labs.sabotage.changed_settings`, :mod:`~dgemma_viz.labs.sabotage.edited_logits` and
:mod:`~dgemma_viz.labs.sabotage.broken_wiring`; this file is the catalogue. Published bugs of samplers (wrong rules
rather than wrong settings) are in :mod:`dgemma_viz.labs.sabotage.published_bugs`.
"""

from __future__ import annotations

from dgemma_viz.labs.sabotage import broken_wiring as wiring
from dgemma_viz.labs.sabotage import edited_logits as logits
from dgemma_viz.labs.sabotage.changed_settings import changed_settings
from dgemma_viz.labs.sabotage.fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "loose-bound",
        "Entropy bound of 50 nats",
        "Five hundred times the released bound, at temperatures from 2 to 1.5: unsure candidates are accepted "
        "together.",
        "",
        changed_settings(entropy_bound=50.0, t_min=1.5, t_max=2.0),
    ),
    Fault(
        "tight-bound",
        "Entropy bound of 0.000001 nats",
        "Tokens that are practically certain are re-noised again and again.",
        "",
        changed_settings(entropy_bound=1e-6),
    ),
    Fault(
        "hot-temperatures",
        "Temperatures from 6 to 5",
        "The distributions are so flat that no position is ever sure.",
        "",
        changed_settings(t_min=5.0, t_max=6.0),
    ),
    Fault(
        "two-steps",
        "A limit of 2 denoising steps",
        "The temperature schedule runs over 2 steps in place of 48: the second step is colder than it should be.",
        "Jmeg8r/diffusiongemma-benchmark: accuracy by number of steps",
        changed_settings(max_denoising_steps=2),
    ),
    Fault(
        "stops-at-once",
        "Stop rule that is always met",
        "Stability over 0 steps and a confidence threshold of 10 nats: the first draft is emitted as it is.",
        "",
        changed_settings(stability_threshold=0, confidence_threshold=10.0),
    ),
    Fault(
        "never-stops",
        "Stop rule that is never met",
        "A confidence threshold of 1e-12 nats: each canvas uses up its limit of steps.",
        "mlx-vlm#1347 (adaptive stopping never converged)",
        changed_settings(confidence_threshold=1e-12),
    ),
    Fault(
        "ends-at-once",
        "End token preferred everywhere",
        "The answer is empty.",
        "Deveraux-Parker/diffusiongemma-fieldguide: empty answers to 'reply with ONLY the number'",
        logits.edited_logits(logits.end_at_once),
    ),
    Fault(
        "ends-early",
        "End token preferred after a few tokens",
        "From the second step on, drafted text gives way to the end token.",
        "arXiv 2605.28181 (overconfidence in the end token)",
        logits.edited_logits(logits.end_early),
    ),
    Fault(
        "stray-end",
        "End token in the middle of the text",
        "One early position is the end token while the text goes on behind it.",
        "arXiv 2605.28181 (overconfidence in the end token)",
        logits.edited_logits(logits.stray_end),
    ),
    Fault(
        "no-end",
        "End token forbidden",
        "The answer never ends: text fills all canvases.",
        "a tail that never settles without end tokens in training (peers' issue trackers)",
        logits.edited_logits(logits.no_end),
    ),
    Fault(
        "padding",
        "Padding preferred everywhere",
        "The canvas fills with padding, as if its logits were broken.",
        "vllm#47424",
        logits.edited_logits(logits.padding),
    ),
    Fault(
        "loop",
        "The same three tokens over and over",
        "A preference for three tokens in turn, at every position.",
        "LLaDA#59 (repetition)",
        logits.edited_logits(logits.loop),
    ),
    Fault(
        "nan-logits",
        "NaN logits at one position of the second step",
        "transformers fails in torch.multinomial; other runtimes go on with a broken canvas.",
        "vllm#47424",
        logits.edited_logits(logits.nan_once),
    ),
    Fault(
        "noisy-logits",
        "Noise on the logits",
        "Fresh noise at each step: drafts go back and forth.",
        "arXiv 2508.09138 (temporal oscillation)",
        logits.noisy_logits,
    ),
    Fault(
        "scrambled-self-conditioning",
        "Self-conditioning of other tokens",
        "Each step is told that the last one predicted other tokens than it did.",
        "arXiv 2606.20560 (self-conditioning ablation)",
        wiring.scrambled_self_conditioning,
    ),
    Fault(
        "hidden-canvas",
        "Earlier canvases hidden from the decoder",
        "From the second canvas on, the decoder does not know what has been written.",
        "",
        wiring.hidden_canvas(restart=False),
    ),
    Fault(
        "restarted-canvas",
        "Each canvas begins anew",
        "Earlier canvases are hidden and positions start again: the first canvas is written once more.",
        "",
        wiring.hidden_canvas(restart=True),
    ),
    Fault(
        "doubled-schedule",
        "Temperature schedule applied twice",
        "One LogitsProcessorList passed to several calls: generate() appends its schedule to it each time.",
        "transformers 5.23 _prepare_logits_processor",
        wiring.doubled_schedule,
    ),
)
