"""The passes of one causal ``generate()`` call, and the steps of canvases that they become.

A pass ends without telling what it led to. The next one does: its context holds the tokens that were kept. So the
scores of one pass, ``(B, m, V)``, are held until then, and reduced with the tokens that were really taken.

The output is cut into canvases of at most 256 tokens; a shorter one is a single canvas. A pass is a step of the canvas
in which it wrote its last token. A position is, after a step,

- *accepted* if the step wrote it (be it a drafted token that it agreed with, or its own),
- *kept* if an earlier one had,
- noise if nothing is written there yet. The padding token stands there, or the drafted token that was read and dropped.

A pass says nothing of positions that it does not predict: their entropies and probabilities are NaN until they are
written. A written position keeps the numbers with which it was written: the cache is not computed again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import torch

from dgemma_viz.recorders.host_arrays import HostCopies
from dgemma_viz.recorders.reduce import DTYPES, first_best, reduce_logits
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.trace.decision import Decision

_LONGEST = 256
"""The released model's canvas: a step holds one canvas, so long outputs stay linear in their length."""


@dataclass(frozen=True)
class Pass:
    """One decoder pass; ``m`` positions were predicted, and the first ``used`` of the predictions were taken.

    Attributes
    ----------
    begin
        Tokens, prompt included, before the first predicted position.
    used
        Tokens that the pass added to the output.
    read
        Drafted tokens that it read at the predicted positions but the last, ``(B, m - 1)``.
    values
        Arrays of the schema, ``(B, m)``: candidate, draft, entropy, confidence, candidate_probability, ``(B, m, K)``:
        top_k_ids and top_k_probabilities. The candidate of a prediction that was not taken is its draft.
    wall_time
        Seconds from the start of the run.
    """

    begin: int
    used: int
    read: torch.Tensor
    values: dict[str, torch.Tensor]
    wall_time: float


@dataclass
class _Open:
    """A pass that still predicts, or of which it is not known yet what was used."""

    rows: int
    """Positions that it may predict."""
    begin: int = 0
    context: torch.Tensor | None = None
    """Tokens before the last prediction, drafted ones included, ``(B, n)``."""
    scores: list[torch.Tensor] = field(default_factory=list)
    """Processed logits ``(B, V)``."""
    wall_time: float = 0.0

    def close(self, tokens: torch.Tensor, top_k: int, copies: HostCopies) -> Pass:
        """The pass, now that the tokens up to the next one, ``(B, n)``, are known."""
        assert self.context is not None  # noqa: S101 - it has predicted
        scores = torch.stack(self.scores, dim=1).float()
        draft = first_best(scores)
        used = min(int(tokens.shape[1]) - self.begin, len(self.scores))
        candidate = draft.clone()
        candidate[:, :used] = tokens[:, self.begin : self.begin + used].to(draft.device)
        reduced = reduce_logits(scores, candidate, top_k)
        values = {name: copies.take(reduced[name], dtype) for name, dtype in DTYPES.items()}
        values |= {"candidate": copies.take(candidate, torch.int32), "draft": copies.take(draft, torch.int32)}
        read = copies.take(self.context[:, self.begin :], torch.int32)
        return Pass(self.begin, used, read, values, self.wall_time)


@dataclass
class CausalRun(Run):
    """One call. Its steps are made when it has ended, since only then the length of its output is known."""

    top_k: int = 8
    passes: list[Pass] = field(default_factory=list)
    output: torch.Tensor | None = None
    """Prompt and new tokens as far as they are known, on the host, ``(B, P + L)``."""
    drafter_forwards: int = 0
    _current: _Open | None = None
    _before: _Open | None = None

    @property
    def predicting(self) -> bool:
        """Whether transformers' loop has asked for a prediction."""
        return self.prompt is not None

    def begin_pass(self, rows: int) -> None:
        """A pass ran, which may predict at ``rows`` positions."""
        if self._current is not None and self._current.scores:
            self._before = self._current
        self._current = _Open(rows)

    def predicts(self, context: torch.Tensor, scores: torch.Tensor) -> None:
        """A prediction after ``context``, ``(B, n)``, or a question of a candidate generator, which is none."""
        now, length = self._current, int(context.shape[1])
        if now is None or len(now.scores) == now.rows or (now.scores and length != now.begin + len(now.scores)):
            return
        if not now.scores:
            now.begin = length
            self._close(context)
            if self.prompt is None:
                real = torch.ones_like(context, dtype=torch.bool)
                self.prompt = (self.copies.take(context, torch.int32), self.copies.take(real, torch.bool))
        now.context = context
        now.scores.append(scores.detach())
        now.wall_time = time.perf_counter() - self.start_time

    def ends_with(self, sequences: torch.Tensor) -> None:
        """Prompt and output as the call returned them, ``(B, P + L)``."""
        self._before, self._current = self._current, None
        self._close(sequences)

    def _close(self, tokens: torch.Tensor) -> None:
        """The pass before led to these tokens."""
        if self._before is not None and self._before.scores:
            self.passes.append(self._before.close(tokens, self.top_k, self.copies))
            self.output = self.copies.take(tokens, torch.int32)
        self._before = None


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
