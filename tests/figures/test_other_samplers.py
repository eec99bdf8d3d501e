"""What figures say of samplers without an entropy bound, of mask tokens, and of what was not recorded."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz import figures
from dgemma_viz.figures.quantities import QUANTITIES
from dgemma_viz.trace import Decision, Phase
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from tests.figures.drawn_text import message_of, strings_of
from tests.figures.of_a_trace import ALL
from tests.synthetic import synthetic_trace

BASE = synthetic_trace(length=12, steps=6, seed=4)
FLOATS = ("entropy", "confidence", "candidate_probability", "top_k_probabilities", "temperature", "entropy_bound")
SUMS = ("entropy_spent", "mean_entropy")


def with_facts(trace, **facts):
    return replace(trace, facts=replace(trace.facts, **facts))


def sticky():
    """Block refinement: accepted once, kept from then on, one edit; no entropy bound."""
    decision = np.array(BASE.decision)
    for step in range(1, 6):
        held = decision[step - 1] != Decision.NOISE
        decision[step] = np.where(held, Decision.KEPT, decision[step])
    decision[4, 0, int(np.flatnonzero(decision[4, 0] == Decision.KEPT)[0])] = Decision.EDITED
    made = replace(BASE, decision=decision, accepted=decision != 0, entropy_bound=np.full(6, np.nan))
    return with_facts(made, sampler="BlockRefinementScheduler", settings={"threshold": 0.95})


def swept():
    """Discrete DDIM: steps 1 and 3 are corrector sweeps that resample two positions."""
    decision = np.array(BASE.decision)
    decision[1, 0, :2] = decision[3, 0, 3:5] = Decision.CORRECTED
    phase = np.array([Phase.DENOISE, Phase.CORRECT, Phase.DENOISE, Phase.CORRECT, Phase.DENOISE, Phase.DENOISE])
    made = replace(BASE, decision=decision, accepted=decision != 0, phase=phase, entropy_bound=np.full(6, np.nan))
    return with_facts(made, sampler="DiscreteDDIMScheduler", settings={})


def masked():
    return with_facts(sticky(), sampler="BlockRefinementScheduler", mask_token_id=7)


def drafts_only():
    """The least that an own loop can record."""
    absent = ("candidate", "accepted", "top_k_ids", *FLOATS, *SUMS)
    arrays = {name: np.full_like(getattr(BASE, name), np.nan) for name in (*FLOATS, *SUMS)}
    arrays |= {name: np.full_like(getattr(BASE, name), UNKNOWN_TOKEN) for name in ("candidate", "top_k_ids")}
    facts = replace(BASE.facts, sampler="my sampler", settings={}, absent=absent)
    return replace(BASE, **arrays, accepted=np.zeros_like(BASE.accepted), decision=None, facts=facts)


KINDS = {"sticky": sticky(), "swept": swept(), "masked": masked(), "drafts only": drafts_only()}


def words_of(figure):
    return " ".join(strings_of(figure.to_plotly_json()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_drawn(name, kind):
    figure = ALL[name](KINDS[kind])
    assert figure.data or "annotations" in figure.layout
    if kind == "masked":
        assert "re-noised" not in words_of(figure)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["entropy_budget", "accepted_by_bound"])
def test_where_no_bound_decides_there_is_no_budget(name, kind):
    figure = ALL[name](KINDS[kind])
    assert "no entropy bound decides here" in message_of(figure)
    assert not figure.data


def test_curves_without_a_bound_have_no_budget_panel():
    names = [line.name for line in figures.curves(sticky()).data]
    assert not {"spent", "bound"} & set(names)
    assert {"noise ratio", "temperature"} <= set(names)


def test_curves_of_drafts_alone_claim_no_noise():
    names = [line.name for line in figures.curves(drafts_only()).data]
    assert "settled" in names
    assert not {"noise ratio", "accepted", "temperature", "mean entropy"} & set(names)


def test_corrector_sweeps_are_marked_in_the_curves():
    marks = {line.name: line for line in figures.curves(swept()).data}["corrector sweep"]
    assert list(marks.x) == [1, 3]
    assert "corrector sweep" in figures.curves(swept()).layout.title.subtitle.text
    assert "corrector sweep" not in words_of(figures.curves(BASE))


@pytest.mark.parametrize("name", ["heatmap", "token_canvas"])
def test_colour_for_what_was_not_recorded_is_blank_and_says_so(name):
    for quantity in ("confidence", "entropy", "accepted", "candidate_probability", "re_noised_again"):
        figure = ALL[name](drafts_only(), quantity=quantity)
        assert np.isnan(figure.data[0].z.astype(float)).all()
        assert f"{QUANTITIES[quantity].title}" in figure.layout.title.subtitle.text
        assert "not recorded" in figure.layout.title.subtitle.text
        assert "re-noised</b>" not in words_of(figure)


def test_the_colour_bar_of_mask_tokens_has_their_words():
    figure = figures.heatmap(masked(), quantity="accepted")
    assert list(figure.data[0].colorbar.ticktext) == ["masked", "unmasked"]


def test_alternatives_that_were_not_recorded():
    assert "no probabilities" in message_of(figures.alternatives(drafts_only(), position=2))
    known = replace(
        BASE,
        candidate=np.full_like(BASE.candidate, UNKNOWN_TOKEN),
        facts=replace(BASE.facts, absent=("candidate",)),
    )
    assert not any("-1" in text for text in figures.alternatives(known, position=2).layout.yaxis.ticktext)


def test_decisions_of_a_position_have_marks_of_their_own():
    trace = sticky()
    place = int(np.flatnonzero(trace.decision[4, 0] == Decision.EDITED)[0])
    drawn = {line.name: list(line.x) for line in figures.position_history(trace, position=place).data if line.name}
    codes = trace.decision[:, 0, place]
    for code, name in ((Decision.ACCEPTED, "accepted"), (Decision.KEPT, "kept"), (Decision.EDITED, "edited")):
        assert drawn[name] == np.flatnonzero(codes == code).tolist()


def test_commit_order_without_decisions_does_not_say_never_accepted():
    names = [dots.name for dots in figures.commit_order(drafts_only()).data]
    assert names == ["decisions not recorded"]
    assert [dots.name for dots in figures.commit_order(masked()).data] == ["unmasked at some step", "never unmasked"]
