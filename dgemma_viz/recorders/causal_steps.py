"""From the passes of a causal ``generate()`` call to steps of canvases, as every view knows them.

The output is cut into canvases of at most 256 tokens; a shorter one is a single canvas. A pass is a step of the canvas
in which it wrote its last token. A position is, after a step,

- *accepted* if the step wrote it (be it a drafted token that it agreed with, or its own),
- *kept* if an earlier one had,
- noise if nothing is written there yet. The padding token stands there, or the drafted token that was read and dropped.

A pass says nothing of positions that it does not predict: their entropies and probabilities are NaN until they are
written. A written position keeps the numbers with which it was written: the cache is not computed again.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from dgemma_viz.recorders.causal_pass import CausalRun, Pass
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.trace.decision import Decision

_LONGEST = 256
"""The released model's canvas: a step holds one canvas, so long outputs stay linear in their length."""


def with_steps(run: CausalRun) -> Run:
    """The run with the steps and canvases that its passes make; there must be one pass."""
    run.copies.wait()
    assert run.prompt is not None  # noqa: S101 - taken with the first prediction
    assert run.output is not None  # noqa: S101 - taken with the first pass
    begin = run.prompt[0].shape[1]
    written = run.output[:, begin:]
    samples, length = written.shape
    size = min(length, _LONGEST)
    canvases = -(-length // size)
    empty = run.facts.mask_token_id or 0
    ends = _ends(written, run.facts.eos_token_ids)
    page = _blank(samples, canvases * size, run.passes[0], empty)
    steps: list[Step] = []
    for one in run.passes:
        first = one.begin - begin
        canvas, after = (first + one.used - 1) // size, first + one.used
        span = slice(canvas * size, (canvas + 1) * size)
        shown = _with_pass(page, one, first, predicted=len(one.values["draft"][0]))
        tensors = {name: tensor[:, span].clone() for name, tensor in shown.items()}
        active = ends >= first
        tensors["active"], tensors["finished"] = active, ~(ends >= after) | torch.tensor(after >= length)
        place = sum(step.canvas == canvas for step in steps)
        steps.append(Step(canvas, place, tensors, _temperature(run), float("nan"), one.wall_time))
        _write(page, one, first)
    emitted = torch.full((samples, canvases * size), run.facts.pad_token_id or 0, dtype=torch.int32)
    emitted[:, :length] = written
    parts = [(ids.contiguous(), ends < canvas * size) for canvas, ids in enumerate(emitted.split(size, dim=1))]
    facts = replace(
        run.facts,
        output_span=(0, length) if canvases * size > length else None,
        settings={**run.facts.settings, "canvas_length": size}
        | ({"drafter_forwards": run.drafter_forwards} if run.drafter_forwards else {}),
    )
    return Run(facts, run.generator_state, run.start_time, run.copies, run.prompt, steps, parts, ended=True)


def _temperature(run: CausalRun) -> float:
    """What the logits were divided by; greedy decoding divides by nothing."""
    settings = run.facts.settings
    return float(settings.get("temperature") or 1.0) if settings.get("do_sample") else 1.0


def _ends(written: torch.Tensor, eos: tuple[int, ...]) -> torch.Tensor:
    """Place of each row's first end-of-sequence token; the length where there is none. ``(B,)``."""
    is_end = torch.isin(written, torch.tensor(eos, dtype=written.dtype))
    places = torch.where(is_end, torch.arange(written.shape[1]), written.shape[1])
    return places.amin(dim=1)


def _blank(samples: int, length: int, first: Pass, empty: int) -> dict[str, torch.Tensor]:
    """A page on which nothing is written."""
    page = {name: torch.full((samples, length), empty, dtype=torch.int32) for name in ("noised", "candidate", "draft")}
    page["decision"] = torch.full((samples, length), int(Decision.NOISE), dtype=torch.uint8)
    for name, values in first.values.items():
        if name not in page:
            nothing = empty if name == "top_k_ids" else float("nan")
            page[name] = torch.full((samples, length, *values.shape[2:]), nothing, dtype=values.dtype)
    return page


def _with_pass(page: dict[str, torch.Tensor], one: Pass, first: int, predicted: int) -> dict[str, torch.Tensor]:
    """The page as a pass saw it: with the tokens it read, its predictions, and what it wrote."""
    shown = {name: tensor.clone() for name, tensor in page.items()}
    last = shown["noised"].shape[1]
    drafted = min(one.read.shape[1], last - first)
    shown["noised"][:, first : first + drafted] = one.read[:, :drafted]
    seen = min(predicted, last - first)
    for name, values in one.values.items():
        shown[name][:, first : first + seen] = values[:, :seen]
    shown["decision"][:, first : first + one.used] = int(Decision.ACCEPTED)
    return shown


def _write(page: dict[str, torch.Tensor], one: Pass, first: int) -> None:
    """Put what a pass wrote on the page."""
    span = slice(first, first + one.used)
    for name, values in one.values.items():
        page[name][:, span] = values[:, : one.used]
    page["noised"][:, span] = one.values["candidate"][:, : one.used]
    page["decision"][:, span] = int(Decision.KEPT)
