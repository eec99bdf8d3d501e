"""A step's numbers: finite, at the temperature of the schedule, and of one distribution.

Bounds on the entropy. Let ``p_1 .. p_K`` be known probabilities out of ``V`` and ``r`` what remains. Given those, the
entropy is largest when the rest is spread evenly, ``-sum p_i log p_i - r log r + r log(V - K)``, and smallest when the
rest is as concentrated as ``q <= p_K`` allows: each part adds at least ``-q log p_K``, so ``-sum p_i log p_i - r log
min(p_K, r)``. For ``K = 1`` the upper end is Fano's inequality (Cover and Thomas, Elements of Information Theory,
theorem 2.10.1). An entropy of raw logits beside probabilities after temperature leaves this band, since dividing by
``T < 1`` sharpens. Rounded probabilities widen the band: both ends are taken over what the true ones may have been.

The temperature schedule is linear in the number of steps that REMAIN, the present one included.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.sampler_kind import predicted
from dgemma_viz.conformance.evidence import Array, Evidence, each, first_wrong, steps_of
from dgemma_viz.rules import need
from dgemma_viz.rules.need import Case
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import OF_A_DECISION

_NUMBERS = ("entropy", "confidence", "candidate_probability", "top_k_probabilities")
_FEWEST_POSITIONS = 4
"""A canvas shorter than this may be padding by chance."""
_TINY = 1e-300
_OTHERS = "they belong to different distributions, such as those before and after temperature."


def _finite(evidence: Evidence, run: CanvasRun) -> Checked:
    bad = np.zeros((run.n_steps, run.canvas_length), dtype=bool)
    predicted_here = predicted(evidence.trace)[run.steps, run.sample, : run.canvas_length]
    broken: list[str] = []
    for name in filter(evidence.has, _NUMBERS):
        judged = predicted_here & run.decided[:, None] if name in OF_A_DECISION else predicted_here
        finite = np.isfinite(run.array(name))
        here = judged & ~(finite.all(axis=-1) if finite.ndim > bad.ndim else finite)
        bad |= here
        if here.any():
            broken.append(name)

    def tell(t: int, _position: int) -> tuple[str, str, str]:
        where = f"{int(bad[t].sum())} of {run.canvas_length} positions of step {steps_of(run)[t]}"
        return "NaN or infinite", "finite numbers", f"{', '.join(broken)} not finite at {where}."

    return first_wrong(bad.size, bad, steps_of(run), tell)


def _not_all_padding(evidence: Evidence, run: CanvasRun) -> Checked:
    if run.canvas_length < _FEWEST_POSITIONS or run.past_end or evidence.ended_before(run):
        return Checked(0)
    padded = (run.array("draft") == evidence.trace.facts.pad_token_id).all(axis=1)

    def tell(t: int) -> tuple[str, str, str]:
        what = f"The draft of step {steps_of(run)[t]} is padding from end to end: often the argmax of NaN logits."
        return "padding at every position", "a draft with text", what

    return first_wrong(run.n_steps, padded, steps_of(run), tell)


def _schedule(evidence: Evidence, run: CanvasRun) -> Checked:
    steps, found = steps_of(run), run.array("temperature").astype(float)
    t_min, t_max = evidence.number("t_min"), evidence.number("t_max")
    limit = evidence.number("max_denoising_steps")
    if t_min is None or t_max is None or not limit:
        expected = np.ones(len(steps))  # no schedule was asked for
    else:
        expected = t_min + (t_max - t_min) * (limit - steps) / limit
    known = np.isfinite(found)
    wrong = known & ~(np.abs(found - expected) <= evidence.tolerances.relative * np.abs(expected))

    def tell(t: int) -> tuple[str, str, str]:
        stands, should = f"{found[t]:.6g}", f"{expected[t]:.6g}"
        what = f"Step {steps[t]} divided its logits by {stands}, but the schedule gives {should}."
        return stands, should, what

    return first_wrong(known, wrong, steps, tell)


def _draft_is_top(evidence: Evidence, run: CanvasRun) -> Checked:
    draft, ids = run.array("draft"), run.array("top_k_ids")
    p = run.array("top_k_probabilities").astype(float)
    known = np.isfinite(p).all(axis=-1) & _one_distribution(run)
    p = np.where(known[..., None], p, 0)
    best = p.max(axis=-1)
    own = np.where(ids == draft[..., None], p, -np.inf).max(axis=-1)
    wrong = known & ~(best - own <= 2 * evidence.tolerances.probability)

    def tell(t: int, position: int) -> tuple[str, str, str]:
        top = int(ids[t, position, int(np.argmax(p[t, position]))])
        listed = own[t, position] >= 0
        where = f"has probability {own[t, position]:.4g}" if listed else "is not among the alternatives"
        what = f"The draft {where}, but token {top} has {best[t, position]:.4g}."
        return f"token {draft[t, position]}", f"token {top}", what

    return first_wrong(known, wrong, steps_of(run), tell)


def _confidence_is_top(evidence: Evidence, run: CanvasRun) -> Checked:
    confidence = run.array("confidence").astype(float)
    p = run.array("top_k_probabilities").astype(float)
    known = np.isfinite(confidence) & np.isfinite(p).all(axis=-1) & _one_distribution(run)
    confidence, best = np.where(known, confidence, 0), np.where(known, p.max(axis=-1), 0)
    wrong = known & ~(np.abs(confidence - best) <= 2 * evidence.tolerances.probability)

    def tell(t: int, position: int) -> tuple[str, str, str]:
        found, expected = f"{confidence[t, position]:.4g}", f"{best[t, position]:.4g}"
        return found, expected, f"Confidence is {found}, but the most probable token has {expected}: {_OTHERS}"

    return first_wrong(known, wrong, steps_of(run), tell)


def _one_distribution(run: CanvasRun) -> Array:
    """Steps whose alternatives are of the draft's distribution, bool ``(T, 1)``: a sweep draws from another."""
    plain: Array = run.trace.phase[run.steps] != Phase.CORRECT
    return plain[:, None]


def entropy_band(p: Array, vocabulary: int, rounding: float = 0.0) -> tuple[Array, Array]:
    """Smallest and largest entropy that some probabilities allow.

    Parameters
    ----------
    p
        The most probable tokens' probabilities, best first, float64 ``(..., K)``.
    vocabulary
        Size ``V``.
    rounding
        How far each probability may be from the true one, relative to it.

    Returns
    -------
    tuple
        Nats, ``(...)`` each.
    """
    top_k = p.shape[-1]
    low, high = np.clip(p * (1 - rounding), 0, 1), np.clip(p * (1 + rounding), 0, 1)
    rest_least, rest_most = np.clip(1 - high.sum(-1), 0, 1), np.clip(1 - low.sum(-1), 0, 1)
    terms_low, terms_high = np.minimum(_term(low), _term(high)), np.maximum(_term(low), _term(high))
    peak = 1 / np.e
    terms_high = np.where((low < peak) & (high > peak), peak, terms_high)
    largest_of_rest = np.clip(np.minimum(high[..., -1], rest_most), _TINY, 1)
    smallest = terms_low.sum(-1) - rest_least * np.log(largest_of_rest)
    if vocabulary <= top_k:
        return smallest, terms_high.sum(-1)
    # The bound on the rest rises with it only up to (V - K) / e, which is above 1 but for vocabularies of a few tokens.
    rest = np.minimum(rest_most, (vocabulary - top_k) / np.e)
    return smallest, terms_high.sum(-1) + _term(rest) + rest * np.log(vocabulary - top_k)


def _term(p: Array) -> Array:
    term: Array = -p * np.log(np.maximum(p, _TINY))
    return term


def _entropy_fits(evidence: Evidence, run: CanvasRun) -> Checked:
    entropy = run.array("entropy").astype(float)
    if evidence.has("top_k_probabilities"):
        p = np.sort(run.array("top_k_probabilities").astype(float), axis=-1)[..., ::-1]
    else:
        p = run.array("confidence").astype(float)[..., None]
    known = np.isfinite(entropy) & np.isfinite(p).all(axis=-1)
    rounding = evidence.tolerances.probability
    low, high = entropy_band(np.where(known[..., None], p, 0), evidence.trace.facts.vocab_size, rounding)
    slack = evidence.tolerances.entropy + evidence.tolerances.relative * np.abs(entropy)
    wrong = known & ~((low - slack <= entropy) & (entropy <= high + slack))

    def tell(t: int, position: int) -> tuple[str, str, str]:
        found = f"{entropy[t, position]:.4g} nats"
        band = f"{low[t, position]:.4g} to {high[t, position]:.4g}"
        side = "above" if entropy[t, position] > high[t, position] else "below"
        what = f"Entropy is {found}, {side} what the recorded probabilities allow ({band}): {_OTHERS}"
        return found, f"{band} nats", what

    return first_wrong(known, wrong, steps_of(run), tell)


def _candidate_fits(evidence: Evidence, run: CanvasRun) -> Checked:
    candidate, found = run.array("candidate"), run.array("candidate_probability").astype(float)
    of = "alternatives give" if _has_alternatives(evidence) else "confidence gives"
    if _has_alternatives(evidence):
        p, ids = run.array("top_k_probabilities").astype(float), run.array("top_k_ids")
    else:  # the draft is the one alternative that is known
        p, ids = run.array("confidence").astype(float)[..., None], run.array("draft")[..., None]
    listed = ids == candidate[..., None]
    known = np.isfinite(found) & np.isfinite(p).all(axis=-1)
    found, p = np.where(known, found, 0), np.where(known[..., None], p, 0)
    slack = 2 * evidence.tolerances.probability
    own = np.where(listed, p, 0).sum(axis=-1)
    most = np.minimum(p.min(axis=-1), np.clip(1 - p.sum(axis=-1), 0, 1) + slack * p.shape[-1])
    fits = np.where(listed.any(axis=-1), np.abs(found - own) <= slack, found <= most + slack)

    def tell(t: int, position: int) -> tuple[str, str, str]:
        stands = f"{found[t, position]:.4g}"
        should = f"{own[t, position]:.4g}" if listed[t, position].any() else f"at most {most[t, position]:.4g}"
        return stands, should, f"The candidate's probability is {stands}; the {of} {should}: {_OTHERS}"

    return first_wrong(known, known & ~fits, steps_of(run), tell)


def _has_alternatives(case: Case) -> bool:
    return case.has("top_k_ids") and case.has("top_k_probabilities")


def _other_temperature(case: Case) -> str:
    names = case.settings.get("logits_processors")
    other = isinstance(names, list | tuple) and "TemperatureLogitsWarper" in names
    return "a TemperatureLogitsWarper of the caller's own divides the logits, too" if other else ""


RULES = (
    Rule(
        "numbers-finite",
        "Entropies and probabilities are finite numbers.",
        "vllm#47424 (NaN hidden state); torch.multinomial refuses NaN, other runtimes go on",
        (need.any_array(*_NUMBERS),),
        each(_finite),
    ),
    Rule(
        "canvas-not-padding",
        "Before the end of the sequence, no draft is padding from end to end.",
        "vllm#47424 (NaN hidden state, canvas of <pad>)",
        (need.PADDING,),
        each(_not_all_padding),
    ),
    Rule(
        "temperature-schedule",
        "Temperature is t_min + (t_max - t_min) * n / N with n of N steps remaining, n = N in the first step.",
        "LinearTemperatureScheduleLogitsProcessor.__call__",
        (
            need.ENTROPY_BOUND,
            need.left_alone("ChangeParameters"),
            need.values("temperature"),
            need.settings("t_min", "t_max", "max_denoising_steps"),
            need.Need(_other_temperature),
        ),
        each(_schedule),
    ),
    Rule(
        "draft-is-top-1",
        "The draft is the argmax of the processed logits; of equally probable tokens, any.",
        "DiffusionGemmaGenerationMixin._denoising_step (new_argmax_canvas); vllm#45689 (another request's numbers)",
        (need.arrays("top_k_ids", "top_k_probabilities"),),
        each(_draft_is_top),
    ),
    Rule(
        "confidence-is-top-1",
        "Confidence is the probability of the most probable token, under the distribution that was sampled from.",
        "diffusers#14386 (confidence from raw logits)",
        (need.arrays("confidence", "top_k_probabilities"),),
        each(_confidence_is_top),
    ),
    Rule(
        "entropy-fits-probabilities",
        "Entropy lies in the band that the alternatives' probabilities (or the confidence alone) leave open.",
        "EntropyBoundSampler.accept_canvas takes it of the processed logits; diffusers#14386 (raw logits)",
        (need.arrays("entropy"), need.any_array("top_k_probabilities", "confidence"), need.VOCABULARY),
        each(_entropy_fits),
    ),
    Rule(
        "candidate-probability",
        "The candidate's probability is the one among the alternatives, or below all of them.",
        "DiffusionGemmaGenerationMixin._denoising_step (torch.multinomial); LLaDA generate.py (candidates of noisy "
        "logits, probabilities of raw ones)",
        (
            need.arrays("candidate", "candidate_probability"),
            need.when(
                lambda case: _has_alternatives(case) or case.has("confidence"),
                "needs 'confidence', or 'top_k_ids' and 'top_k_probabilities', of which the trace holds neither",
            ),
        ),
        each(_candidate_fits),
    ),
)
