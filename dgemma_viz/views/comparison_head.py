"""The head of a comparison: the first difference, what is not compared, and a table of what changed. Pure HTML text.

Everything that came from the model, the tokenizer or a file is escaped; invisible characters are made visible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.changed_facts import FactRow, changed_facts, facts_of_both
from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.divergence import Divergence
from dgemma_viz.analysis.outcomes import differing_tokens, outcomes
from dgemma_viz.analysis.passages import drafted
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import TraceError
from dgemma_viz.figures.marks import A, B, RunStyle
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.passage import characters_of, whole_words
from dgemma_viz.plain_text import isolated
from dgemma_viz.trace.interventions import Intervention, recorded_interventions
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.run_header import readable, readable_block

_LONGEST_OUTPUT = 6000
_LONG = 60
"""Characters from which a text gets a box of its own, which scrolls."""
_LONGEST_NAME = 80
_MOST_ROWS = 60
"""Changed facts that are listed: a file may hold any number of settings."""
_MOST_NAMED = 3
_NO_DIFFERENCE, _NOTHING = "No difference", "Nothing to compare"
_NAMED = {"seed", "model", "sampler"}


def told(pair: TracePair, first: Divergence | None, sample: int) -> tuple[str, str, str]:
    """Where the runs part: a title, what follows it, and why they do; NOT escaped."""
    if first is not None:
        place = f"canvas {first.canvas}, step {first.step}: {first.cause.value}{_text_of(pair, first)}"
        return "First difference", place, explained(pair, first) or first.what
    if any(pair.differences(canvas, sample).common for canvas in range(pair.canvases)):
        compared = "in all that was compared: what was read, distributions, candidates, decisions and outputs."
        return _NO_DIFFERENCE, compared, ""
    return _NOTHING, "There is no step that both runs have.", ""


def _text_of(pair: TracePair, first: Divergence) -> str:
    """The text of the first run in which a difference is, if it is in one."""
    run = pair.runs(first.canvas, first.sample)[0]
    if run is None or not first.positions or first.step >= run.n_steps:
        return ""
    passage = drafted(run, first.step).at(first.positions[:1])
    return f", at {isolated(passage)}" if passage else ""


def remarks_of(pair: TracePair) -> list[str]:
    """What was changed on purpose, and what is not compared; NOT escaped."""
    changed = [
        f"Run {name} was changed on purpose: {'; '.join(what)}." for name, what in purposes(pair).items() if what
    ]
    return [*changed, *pair.remarks]


def first_difference_html(pair: TracePair, first: Divergence | None, sample: int) -> Markup:
    """Where the runs part and why, or that they do not; and what is not compared."""
    title, words, why = told(pair, first, sample)
    same = " dgc-same" if title == _NO_DIFFERENCE else ""
    derived = title != _NOTHING and (" ", tag("span", "derived", class_="dgx-tag"))
    reason = why and (tag("br"), readable(why))
    banner = tag("p", tag("b", title), " ", words, derived, reason, class_=f"dgc-first{same}", role="note")
    remarks = [tag("li", readable(remark)) for remark in remarks_of(pair)]
    return tag("div", banner, tag("ul", remarks) if remarks else None, class_="dgc")


def table_html(pair: TracePair, reference: Reference | None, sample: int) -> Markup:
    """What came of both runs, differing words of the output marked, and which facts changed; the others folded away.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    results = outcomes(pair, reference, sample)
    differing, compared = differing_tokens(pair, sample)
    prompt, *facts = facts_of_both(*pair.traces, sample)
    changed = [row for row in facts if row.changed]
    output = [_output(pair, trace, sample) for trace in pair.traces]
    rows = [
        _row(prompt),
        _row(results[0], *output) if output[0] != output[1] else _wide("output", output[0], "measured"),
        _wide("output tokens that differ", f"{differing} of {compared}" if compared else "nothing to compare"),
        *map(_row, results[1:]),
        *map(_row, changed[:_MOST_ROWS]),
    ]
    if (more := len(changed) - _MOST_ROWS) > 0:
        rows.append(_wide("and more", f"{more} other facts changed"))
    heads = [tag("th", glyph_html(run), f" {run.name}", scope="col") for run in (A, B)]
    head = tag("tr", tag("th", "≠ differs", scope="col"), heads, tag("td"))
    same = [row for row in facts if not row.changed]
    listed = _dotted(markup(_name(row), " ", _value(row.a)) for row in same[:_MOST_ROWS])
    folded = tag("details", tag("summary", f"{len(same)} facts are the same"), tag("p", listed))
    table = tag("table", tag("caption", "What changed"), tag("thead", head), tag("tbody", rows))
    return tag("div", table, folded, class_="dgc")


def run_heading_html(pair: TracePair, run: RunStyle, sample: int) -> Markup:
    """Name of a run, and what sets it apart from the other: up to three facts that changed, settings last."""
    rows = changed_facts(*pair.traces, sample)
    settings = {name.replace("_", " ") for trace in pair.traces for name in trace.facts.settings}
    named = sorted((row for row in rows if row.name in _NAMED | settings), key=lambda row: row.name not in _NAMED)
    words = [markup(_name(row), " ", _inline(row.a if run is A else row.b)) for row in named[:_MOST_NAMED]]
    if purposes(pair)[run.name]:
        words.insert(0, markup("changed on purpose"))
    heading = tag("h3", glyph_html(run), f" Run {run.name}", tag("span", _dotted(words)))
    return tag("div", heading, class_="dgc")


def glyph_html(run: RunStyle) -> Markup:
    """The run's glyph in its colour."""
    return tag("span", run.glyph, class_=f"dgc-{run.name.lower()}", aria_hidden="true")


def _dotted(parts: Iterable[Markup]) -> Markup:
    return Markup(" · ".join(parts))


def _row(row: FactRow, *cells: Markup) -> Markup:
    if not row.changed and not cells:
        return _wide(row.name, _value(row.a), row.provenance)
    shown = [tag("td", cell) for cell in cells or (_value(row.a), _value(row.b))]
    changed = "dgc-changed" if row.changed else None
    return tag("tr", tag("th", _name(row), scope="row"), shown, _tag(row.provenance), class_=changed)


def _wide(name: str, value: str, provenance: str = "derived") -> Markup:
    heading = tag("th", readable(name, _LONGEST_NAME), scope="row")
    return tag("tr", heading, tag("td", value, colspan=2), _tag(provenance))


def _name(row: FactRow) -> Markup:
    return readable(row.name, _LONGEST_NAME)


def _tag(provenance: str) -> Markup:
    return tag("td", tag("span", provenance, class_="dgx-tag"))


def _value(value: Any) -> Markup:
    whole = str(value)
    if isinstance(value, tuple) and value:
        whole = "\n".join(map(str, value))
    return tag("pre", readable_block(whole), tabindex=0) if len(whole) > _LONG else _inline(value)


def _inline(value: Any) -> Markup:
    """On one line, cut where it is long."""
    if isinstance(value, float):
        return markup(f"{value:.6g}" if math.isfinite(value) else "unknown")
    if value is None or value in ("", ()):
        return tag("i", "none")
    return readable("; ".join(map(str, value)) if isinstance(value, tuple) else value, _LONGEST_NAME)


def _output(pair: TracePair, trace: Trace, sample: int) -> Markup:
    """The output with its differing words marked, cut off where it is very long."""
    if sample >= trace.n_samples:
        return tag("i", "no such sample")
    ids, length = trace.output_ids(sample), 0
    if not len(ids):
        return tag("i", "empty" if trace.emitted.size else "nothing was emitted")
    parts: list[tuple[str, bool]] = []
    texts = characters_of(trace.token_texts_of(ids))
    for text, differs in zip(texts, differing_of(pair, trace, sample).tolist(), strict=True):
        parts.append((text, differs))
        length += len(text)
        if length > _LONGEST_OUTPUT:
            parts.append(("…", False))
            break
    return tag("pre", _runs(parts), tabindex=0)


def differing_of(pair: TracePair, trace: Trace, sample: int) -> npt.NDArray[np.bool_]:
    """Whether each output token of one of the two traces is in a word that differs: bool, as long as its output."""
    differing = pair.differing_output(sample)
    emitted = np.zeros(trace.emitted.shape[::2], dtype=bool)
    canvases, positions = np.minimum(differing.shape, emitted.shape)
    emitted[:canvases, :positions] = differing[:canvases, :positions]
    begin = trace.output_span[0]
    ids = trace.output_ids(sample)
    marked = emitted[trace.in_emitted][begin : begin + len(ids)].tolist()
    return np.array(whole_words(trace.token_texts_of(ids), marked), dtype=bool)


def _runs(parts: Iterable[tuple[str, bool]]) -> Iterator[Markup]:
    """Neighbours of one kind in one piece, those that differ marked."""
    for differs, group in groupby(parts, key=lambda part: part[1]):
        text = readable_block("".join(part for part, _ in group))
        yield tag("mark", text, title="differs") if differs else text


def purposes(pair: TracePair) -> dict[str, list[str]]:
    """Name of a run to the interventions that the other run did not have. Token text is NOT escaped."""
    found = _of_one(pair)
    return {
        run.name: [one.describe(trace.token_texts) for one in found[run.name]]
        for run, trace in zip((A, B), pair.traces, strict=True)
    }


def explained(pair: TracePair, first: Divergence) -> str:
    """Why the runs part, where an intervention did it; empty where none did."""
    changed = [name for name, all_ in _of_one(pair).items() if any(one.holds(first.canvas, first.step) for one in all_)]
    return f"Run {' and run '.join(changed)} was changed here on purpose." if changed else ""


def _of_one(pair: TracePair) -> dict[str, list[Intervention]]:
    a, b = (_recorded(trace) for trace in pair.traces)
    return {A.name: [one for one in a if one not in b], B.name: [one for one in b if one not in a]}


def _recorded(trace: Trace) -> tuple[Intervention, ...]:
    try:
        return recorded_interventions(trace)
    except TraceError:  # a damaged file; the comparison is of use all the same
        return ()
