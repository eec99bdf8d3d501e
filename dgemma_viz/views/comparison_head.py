"""The head of a comparison: the first difference, what is not compared, and a table of what changed. Pure HTML text.

Everything that came from the model, the tokenizer or a file is escaped; invisible characters are made visible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape
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
from dgemma_viz.figures.run_pair import A, B, RunStyle
from dgemma_viz.passage import characters_of, whole_words
from dgemma_viz.plain_text import isolated
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.changed_on_purpose import explained, purposes
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
    """Where the runs part: a title, what follows it, and why they do, which is NOT escaped."""
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
    return f", at {escape(isolated(passage))}" if passage else ""


def remarks_of(pair: TracePair) -> list[str]:
    """What was changed on purpose, and what is not compared; NOT escaped."""
    changed = [
        f"Run {name} was changed on purpose: {'; '.join(what)}." for name, what in purposes(pair).items() if what
    ]
    return [*changed, *pair.remarks]


def first_difference_html(pair: TracePair, first: Divergence | None, sample: int) -> str:
    """Where the runs part and why, or that they do not; and what is not compared."""
    title, words, why = told(pair, first, sample)
    same = " dgc-same" if title == _NO_DIFFERENCE else ""
    tag = "" if title == _NOTHING else " <span class='dgx-tag'>derived</span>"
    reason = f"<br>{readable(why)}" if why else ""
    banner = f"<p class='dgc-first{same}' role='note'><b>{title}</b> {words}{tag}{reason}</p>"
    remarks = "".join(f"<li>{readable(remark)}</li>" for remark in remarks_of(pair))
    return f"<div class='dgc'>{banner}{f'<ul>{remarks}</ul>' if remarks else ''}</div>"


def table_html(pair: TracePair, reference: Reference | None, sample: int) -> str:
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
    heads = "".join(f"<th scope='col'>{glyph_html(run)} {run.name}</th>" for run in (A, B))
    head = f"<thead><tr><th scope='col'>≠ differs</th>{heads}<td></td></tr></thead>"
    same = [row for row in facts if not row.changed]
    listed = " · ".join(f"{_name(row)} {_value(row.a)}" for row in same[:_MOST_ROWS])
    folded = f"<details><summary>{len(same)} facts are the same</summary><p>{listed}</p></details>"
    table = f"<table><caption>What changed</caption>{head}<tbody>{''.join(rows)}</tbody></table>"
    return f"<div class='dgc'>{table}{folded}</div>"


def run_heading_html(pair: TracePair, run: RunStyle, sample: int) -> str:
    """Name of a run, and what sets it apart from the other: up to three facts that changed, settings last."""
    rows = changed_facts(*pair.traces, sample)
    settings = {name.replace("_", " ") for trace in pair.traces for name in trace.facts.settings}
    named = sorted((row for row in rows if row.name in _NAMED | settings), key=lambda row: row.name not in _NAMED)
    values = ((_name(row), _inline(row.a if run is A else row.b)) for row in named[:_MOST_NAMED])
    words = " · ".join(f"{name} {value}" for name, value in values)
    if purposes(pair)[run.name]:
        words = " · ".join(filter(None, ["changed on purpose", words]))
    return f"<div class='dgc'><h3>{glyph_html(run)} Run {run.name}<span>{words}</span></h3></div>"


def glyph_html(run: RunStyle) -> str:
    """The run's glyph in its colour."""
    return f"<span class='dgc-{run.name.lower()}' aria-hidden='true'>{run.glyph}</span>"


def _row(row: FactRow, *cells: str) -> str:
    if not row.changed and not cells:
        return _wide(row.name, _value(row.a), row.provenance)
    shown = "".join(f"<td>{cell}</td>" for cell in cells or (_value(row.a), _value(row.b)))
    changed = " class='dgc-changed'" if row.changed else ""
    return f"<tr{changed}><th scope='row'>{_name(row)}</th>{shown}{_tag(row.provenance)}</tr>"


def _wide(name: str, value: str, provenance: str = "derived") -> str:
    return (
        f"<tr><th scope='row'>{readable(name, _LONGEST_NAME)}</th><td colspan='2'>{value}</td>{_tag(provenance)}</tr>"
    )


def _name(row: FactRow) -> str:
    return readable(row.name, _LONGEST_NAME)


def _tag(provenance: str) -> str:
    return f"<td><span class='dgx-tag'>{escape(provenance)}</span></td>"


def _value(value: Any) -> str:
    whole = str(value)
    if isinstance(value, tuple) and value:
        whole = "\n".join(map(str, value))
    return f"<pre tabindex='0'>{readable_block(whole)}</pre>" if len(whole) > _LONG else _inline(value)


def _inline(value: Any) -> str:
    """On one line, cut where it is long."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "unknown"
    if value is None or value in ("", ()):
        return "<i>none</i>"
    return readable("; ".join(map(str, value)) if isinstance(value, tuple) else value, _LONGEST_NAME)


def _output(pair: TracePair, trace: Trace, sample: int) -> str:
    """The output with its differing words marked, cut off where it is very long."""
    if sample >= trace.n_samples:
        return "<i>no such sample</i>"
    ids, length = trace.output_ids(sample), 0
    if not len(ids):
        return "<i>empty</i>" if trace.emitted.size else "<i>nothing was emitted</i>"
    parts: list[tuple[str, bool]] = []
    texts = characters_of(trace.token_texts_of(ids))
    for text, differs in zip(texts, differing_of(pair, trace, sample).tolist(), strict=True):
        parts.append((text, differs))
        length += len(text)
        if length > _LONGEST_OUTPUT:
            parts.append(("…", False))
            break
    return f"<pre tabindex='0'>{''.join(_runs(parts))}</pre>"


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


def _runs(parts: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Neighbours of one kind in one piece, escaped, those that differ marked."""
    for differs, group in groupby(parts, key=lambda part: part[1]):
        text = readable_block("".join(part for part, _ in group))
        yield f"<mark title='differs'>{text}</mark>" if differs else text
