"""Rows of a batch have nothing to do with each other: each begins apart, and gets what it would get alone.

Where a row begins. Noise is drawn for each canvas of each row, and masks hold nothing. So a canvas that begins with
what another row, an earlier canvas or an earlier request held is one that was never set up: a row of the batch used
again, or one draw dealt out to all. Two random canvases of ``n`` tokens out of ``V`` agree in ``m`` places with a
probability of at most ``binom(n, m) V^-m``; canvases too short for that to be next to impossible are not judged.

What a row is given. A forward pass is a function of what it reads. Two rows with the same prompt, whose canvases have
been the same up to a step, get the same probabilities in it, whether alone, in a batch, or behind padding, and whatever
is drawn from them afterwards. Comparing ends where the canvases part. A row that sees its padding, that counts
positions from it, or reads another row's cache gets others at once; kernels that sum in another order for another size
of batch change them a little (``Tolerances.batch``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance.evidence import Array, Evidence, in_canvas
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.rule import Across, Checked, Rule
from dgemma_viz.trace.model import CanvasRun

_NEVER = -math.log(1e12)
"""Logarithm of a probability that is none: a million comparisons a check leave one false alarm in a million checks."""
_LARGEST_SHARE = 2
"""At least one half of a canvas must be that of another: a row holds less by chance, or by its prompt."""
_FEWEST_GIVEN = 8
"""Unmasked tokens at the beginning of a masked canvas, from which on they tell, unless they are all of it: fewer may be
a common word."""
_OF_THE_CALL = {"inputs", "batch_size"}
"""Settings that say how a row was handed over, not what is made of it."""


@dataclass(frozen=True)
class _Held:
    """What a row held: its name in a sentence, the tokens, and where they were not given to it."""

    name: str
    ids: Array
    own: Array


class _BeginApart(Across[Evidence]):
    """Each row's first canvas against the others', and each canvas against what was there before."""

    def judge(self, cases: Sequence[tuple[int, Evidence]]) -> Iterator[tuple[int, Checked]]:
        earlier: list[_Held] = []
        for index, evidence in cases:
            before = earlier if evidence.kind is not SamplerKind.MASKED else []  # infilling may give what a run found
            last: list[_Held] = []
            for canvas in range(evidence.trace.n_canvases):
                last, held, begun = [], [*before, *last], list[_Held]()
                for sample in range(evidence.trace.n_samples):
                    run = evidence.trace.canvas_run(canvas, sample)
                    if not run.n_steps:
                        continue
                    if _is_drawn(evidence, run):
                        checked = _begins(evidence, run, [*held, *begun])
                        yield index, Checked(checked.judged, checked.finding and in_canvas(checked.finding, run))
                        if evidence.kind is not SamplerKind.MASKED and not evidence.settings.get("seed_per_row"):
                            begun.append(_Held(f"sample {sample} begins with, too", *_first(evidence, run)))
                    last += _left(evidence, run, f"sample {sample} held at the end of canvas {canvas}")
                before = []
            name = f" of trace {index}"
            earlier = [_Held(f"{one.name}{name}", one.ids, one.own) for one in last]


def _is_drawn(evidence: Evidence, run: CanvasRun) -> bool:
    """Whether the canvas's own beginning is recorded, and was not handed over by the caller."""
    given = evidence.settings.get("inputs")
    handed_over = run.canvas == 0 and isinstance(given, list | tuple) and "decoder_input_ids" in given
    return int(run.array("step_in_canvas")[0]) == 0 and not run.past_end and not handed_over


def _first(evidence: Evidence, run: CanvasRun) -> tuple[Array, Array]:
    """What the first step read, and where that was drawn or masked."""
    ids = run.array("noised")[0]
    mask = evidence.trace.facts.mask_token_id
    drawn = ids == mask if evidence.kind is SamplerKind.MASKED else np.ones(ids.shape, dtype=bool)
    return ids, drawn


def _left(evidence: Evidence, run: CanvasRun, name: str) -> list[_Held]:
    """What a row held last: the canvas, the draft, and what was emitted of them."""
    _, own = _first(evidence, run)
    ids = [run.array("noised")[-1], run.array("draft")[-1], *([] if run.emitted is None else [run.emitted])]
    return [_Held(name, one, own) for one in ids]


def _begins(evidence: Evidence, run: CanvasRun, others: Sequence[_Held]) -> Checked:
    ids, drawn = _first(evidence, run)
    masked = evidence.kind is SamplerKind.MASKED
    others = [one for one in others if len(one.ids) == len(ids)]
    if not others or (not masked and len(ids) * math.log(evidence.trace.facts.vocab_size) < -_NEVER):
        return Checked(0)
    filled = ~drawn if masked else drawn
    best, equal = others[0], np.zeros(ids.shape, dtype=bool)
    for one in others:
        same = filled & one.own & (ids == one.ids)
        if same.sum() > equal.sum():
            best, equal = one, same
    number, of = int(equal.sum()), int(filled.sum())
    if masked and 0 < of < min(_FEWEST_GIVEN, len(ids)):
        return Checked(0)
    if number * _LARGEST_SHARE < of or not number:
        return Checked(len(ids))
    if (
        number < min(_FEWEST_GIVEN, len(ids))
        if masked
        else _chance(number, of, evidence.trace.facts.vocab_size) > _NEVER
    ):
        return Checked(len(ids))
    what = (
        f"{number} of the {of} tokens that the canvas begins with are those that {best.name}: "
        + ("it was not masked anew." if masked else "no noise of its own was drawn.")
        + (
            ""
            if masked or "begins" not in best.name
            else " (Rows that are given one seed say so: 'seed_per_row' true.)"
        )
    )
    expected = "masks" if masked else "random tokens of its own"
    finding = Finding(
        Severity.ERROR,
        what,
        step=0,
        positions=tuple(np.flatnonzero(equal).tolist()),
        found=f"what {best.name}",
        expected=expected,
        places=number,
    )
    return Checked(len(ids), finding)


def _chance(equal: int, of: int, vocabulary: int) -> float:
    """Logarithm of a bound on the probability that random canvases agree in that many places."""
    ways = math.lgamma(of + 1) - math.lgamma(equal + 1) - math.lgamma(of - equal + 1)
    return ways - equal * math.log(vocabulary)


# -- the same input ----------------------------------------------------------------------------------------------------


class _Agree(Across[Evidence]):
    """Each row against the first one with its prompt and settings, as long as both read the same."""

    def judge(self, cases: Sequence[tuple[int, Evidence]]) -> Iterator[tuple[int, Checked]]:
        first: list[tuple[int, Evidence, int]] = []
        for index, evidence in cases:
            for sample in range(evidence.trace.n_samples):
                alike = next((one for one in first if _same_request(*one[1:], evidence, sample)), None)
                if alike is None:
                    first.append((index, evidence, sample))
                else:
                    yield index, _compared(alike, (index, evidence, sample))


def _same_request(first: Evidence, one: int, second: Evidence, other: int) -> bool:
    """Whether two rows were asked the same of the same model."""
    prompts = [case.trace.prompt[row][case.trace.prompt_mask[row]] for case, row in ((first, one), (second, other))]
    if not prompts[0].size or not np.array_equal(*prompts):
        return False
    if first.trace is second.trace:
        return True
    facts, others = first.trace.facts, second.trace.facts
    same = ("model_id", "model_class", "sampler", "vocab_size", "mask_token_id")
    asked = [
        {name: value for name, value in case.settings.items() if name not in _OF_THE_CALL} for case in (first, second)
    ]
    return all(getattr(facts, name) == getattr(others, name) for name in same) and asked[0] == asked[1]


def _compared(first: tuple[int, Evidence, int], second: tuple[int, Evidence, int]) -> Checked:
    judged, slack = 0, second[1].tolerances.batch
    for canvas in range(min(first[1].trace.n_canvases, second[1].trace.n_canvases)):
        one, other = (case.trace.canvas_run(canvas, sample) for _, case, sample in (first, second))
        steps = _alike(one, other)
        for t in range(steps):
            apart = _apart(first[1], one, second[1], other, t)
            judged += int(np.isfinite(apart).sum())
            worst = int(np.nanargmax(apart)) if np.isfinite(apart).any() else None
            if worst is None or not apart[worst] > slack:
                continue
            ids, p = ([run.array(name)[t, worst] for run in (one, other)] for name in ("draft", "confidence"))
            whose = f"sample {first[2]}" + (f" of trace {first[0]}" if first[0] != second[0] else "")
            what = (
                f"It read the same canvas behind the same prompt as {whose}, but drafts token {ids[1]} with a "
                f"confidence of {p[1]:.4g} where that one drafts token {ids[0]} with {p[0]:.4g}: what stands around it "
                "in its batch (padding, positions, another row's cache) changed its probabilities."
            )
            places = int((apart > slack).sum())
            found, expected = (f"token {id_}, {sure:.4g}" for id_, sure in zip(ids[::-1], p[::-1], strict=True))
            step = int(other.array("step_in_canvas")[t])
            finding = Finding(
                Severity.ERROR, what, step=step, positions=(worst,), found=found, expected=expected, places=places
            )
            return Checked(judged, in_canvas(finding, other))
        ends = [run.emitted for run in (one, other)]
        if ends[0] is None or ends[1] is None or not np.array_equal(ends[0], ends[1]):
            break
    return Checked(judged)


def _alike(one: CanvasRun, other: CanvasRun) -> int:
    """Steps from the first on that read the same canvas, at the same temperature."""
    steps = min(one.n_steps, other.n_steps)
    if one.canvas_length != other.canvas_length or not steps:
        return 0
    same = (one.array("noised")[:steps] == other.array("noised")[:steps]).all(axis=1)
    warm = [run.array("temperature")[:steps] for run in (one, other)]
    same &= np.isclose(warm[0], warm[1], rtol=1e-5, equal_nan=True)
    return int(np.cumprod(same).sum())


def _apart(first: Evidence, one: CanvasRun, second: Evidence, other: CanvasRun, t: int) -> Array:
    """How far the probability of either draft is from what the other row gives it, at least; NaN where not known."""
    there, back = (_gap(*pair, t) for pair in ((one, second, other), (other, first, one)))
    apart = np.fmax(there, back)
    if second.kind is SamplerKind.MASKED:
        mask = second.trace.facts.mask_token_id
        apart = np.where(
            other.array("noised")[t] == mask, apart, np.nan
        )  # of fixed positions, loops compute what they like
    return apart


def _gap(one: CanvasRun, second: Evidence, other: CanvasRun, t: int) -> Array:
    """How much more probable a row's draft is than the other row may have it."""
    draft, sure, theirs = one.array("draft")[t], one.array("confidence")[t].astype(float), other.array("draft")[t]
    their_sure = other.array("confidence")[t].astype(float)
    most = np.minimum(their_sure, 1 - their_sure)
    if second.has("top_k_probabilities"):
        p = other.array("top_k_probabilities")[t].astype(float)
        listed = other.array("top_k_ids")[t] == draft[:, None]
        rest = np.minimum(p.min(axis=-1), np.clip(1 - p.sum(axis=-1), 0, 1))
        most = np.where(listed.any(axis=-1), np.where(listed, p, 0).sum(axis=-1), rest)
    gap: Array = sure - np.where(draft == theirs, their_sure, most)
    return gap


RULES = (
    Rule(
        "rows-begin-apart",
        "A canvas begins with noise or masks of its own, not with what another row, canvas or request held.",
        "tenstorrent/vllm#459 (stale block state in a reused row); EntropyBoundSampler.initialize_canvas",
        (
            need.sampler(*(kind for kind in SamplerKind if kind.of_the_pipeline), SamplerKind.MASKED),
            need.INPUT_LEFT_ALONE,
            need.arrays("noised"),
            need.VOCABULARY,
        ),
        _BeginApart(),
        "one row and one canvas, with none before or beside it, or too short to tell",
    ),
    Rule(
        "rows-agree",
        "The same prompt and canvas get the same probabilities, alone, in a batch, and in each row of it.",
        "Fast-dLLM#39 (scores that change with the size of the batch), ZHZisZZ/dllm#15 (attention masks of LLaDA)",
        (need.REDRAFTS, need.INPUT_LEFT_ALONE, need.arrays("noised", "draft", "confidence")),
        _Agree(),
        "no two rows had one prompt, the same settings and the same canvas: give the run alone and that in a batch",
    ),
)
