"""A picture that stays: what a viewer shows in words and colour, for a notebook that is opened without a kernel.

HTML with styles in its attributes and nothing else, of elements and properties that the sanitizers of notebook viewers
let pass: JupyterLab's, for notebooks that are not trusted, and GitHub's, which takes all styles away, so that what is
marked is an element of its own. Words without a colour behind them take the page's, light or dark. All that came from
the model, the tokenizer or a file is escaped; invisible characters are made visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.diagnosis import Diagnosis
from dgemma_viz.figures.marks import A, B
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.plain_text import CUT, NO_FORMULAS
from dgemma_viz.rules.finding import Severity
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.comparison_head import differing_of, remarks_of, told
from dgemma_viz.views.findings import findings_json
from dgemma_viz.views.run_header import facts_of, names_of, no_output, notices_of, readable, readable_block, status_of
from dgemma_viz.views.still_text import (
    UNSURE,
    Tokens,
    legend,
    output_of,
    paragraph,
    size_of,
    text_box,
    text_html,
    unsure,
)

MOST_BYTES = 100_000
"""A notebook keeps one such picture for each cell that shows a viewer."""
_FOR_FINDINGS, _FOR_HEAD, _AROUND = 30_000, 12_000, 4_000
_LONGEST_TEXT, _LONGEST_PLACE, _LONGEST_NAME = 400, 200, 80
_MARKS = {severity.word: severity.mark for severity in Severity}
FRAME = "border:1px solid #888888;border-radius:6px;padding:6px 12px;font-size:13px;line-height:1.5"


def still_html(what: Trace | TracePair, diagnosis: Diagnosis | None = None, *, sample: int = 0, names: str = "") -> str:
    """Head, output coloured by confidence, and findings; of a pair, the first difference and both outputs.

    Parameters
    ----------
    what
        A trace, or the pair from :func:`dgemma_viz.analysis.comparison.pair_of`.
    diagnosis
        What was found in the trace; None: nothing is said of findings.
    sample
        Which sample of a batch.
    names
        Classes of the element, by which a page can find it.

    Returns
    -------
    str
        At most :data:`MOST_BYTES` in UTF-8; what had to be left out is said.
    """
    parts = _of_pair(what, sample) if isinstance(what, TracePair) else _of_trace(what, diagnosis, sample)
    remark = paragraph(tag("em", "A picture of interactive views: run this cell to step through the run."))
    return str(tag("div", parts, remark, class_=f"{names} {NO_FORMULAS}", style=FRAME))


def _of_trace(trace: Trace, diagnosis: Diagnosis | None, sample: int) -> Iterator[Markup]:
    head = _within(_FOR_HEAD, _head(trace, sample))
    found = _within(_FOR_FINDINGS, _findings(diagnosis))
    output = output_of(trace, sample)
    yield head
    yield _heading("Output", _of_batch(trace, sample))
    shown = output._replace(marked=unsure(output.confidence))
    yield _output(trace, sample, shown, MOST_BYTES - _AROUND - size_of(head) - size_of(found))
    yield legend(trace, f"confidence below {UNSURE}")
    yield found


def _of_pair(pair: TracePair, sample: int) -> Iterator[Markup]:
    title, words, why = told(pair, divergence_of(pair, sample), sample)
    first = paragraph(tag("b", title), " ", words, why and (tag("br"), readable(why, _LONGEST_TEXT)))
    remarks = [paragraph(readable(remark, _LONGEST_TEXT)) for remark in remarks_of(pair)]
    head = _within(_FOR_HEAD, [_title("Two runs compared"), first, *remarks])
    yield head
    room = (MOST_BYTES - _AROUND - size_of(head)) // 2
    for run, trace in zip((A, B), pair.traces, strict=True):
        yield _heading(f"{run.glyph} Run {run.name}", _of_batch(trace, sample))
        if sample >= trace.n_samples:
            yield paragraph(f"It has no sample {sample}.")
            continue
        summary = _within(_FOR_HEAD, _summary(trace, sample))
        yield summary
        shown = output_of(trace, sample)._replace(marked=differing_of(pair, trace, sample))
        yield _output(trace, sample, shown, room - size_of(summary))
    yield legend(pair.a, "a word that differs from the other run's")


def _head(trace: Trace, sample: int) -> Iterator[Markup]:
    yield from _summary(trace, sample)
    for title, words, more in notices_of(trace):
        name, text = tag("b", readable(title, _LONGEST_NAME)), readable(words, _LONGEST_TEXT)
        yield paragraph("⚠ ", name, " ", text, f" {more}")
    if prompt := readable_block(trace.prompt_text(sample), _LONGEST_TEXT):
        yield markup(_heading("Prompt"), text_box(prompt))


def _summary(trace: Trace, sample: int) -> Iterator[Markup]:
    """Model, status, sampler and steps."""
    title, kind, status = (readable(words, _LONGEST_NAME) for words in (*names_of(trace), status_of(trace)))
    yield _title(title, kind, " ", tag("em", status))
    facts = [
        (place > 0 and " · ", readable(name, _LONGEST_NAME), " ", tag("b", readable(value, _LONGEST_NAME)))
        for place, (name, value) in enumerate(facts_of(trace, sample))
    ]
    yield paragraph(facts)


def _title(words: str, *more: object) -> Markup:
    return paragraph(tag("strong", words, style="font-size:16px"), " ", more)


def _heading(words: str, more: str = "") -> Markup:
    return tag("p", tag("b", words), f" {more}", style="margin:8px 0 0")


def _of_batch(trace: Trace, sample: int) -> str:
    return f"sample {sample} of {trace.n_samples}, counted from 0" if trace.n_samples > 1 else ""


def _findings(diagnosis: Diagnosis | None) -> Iterator[Markup]:
    if diagnosis is None:
        return
    found = findings_json(diagnosis)
    yield _heading("Findings", found["summary"])
    for entry in found["entries"]:
        severity = tag("b", f"{_MARKS[entry['severity']]} {entry['severity']}")
        place = f" {entry['rule']} ({_cut(entry['where'], _LONGEST_PLACE)}): "
        words, remedy = (_cut(entry[name], _LONGEST_TEXT) for name in ("what", "remedy"))
        yield paragraph(severity, place, words, tag("br"), f"Try: {remedy}")


def _cut(words: str, most: int) -> str:
    """A text that was made visible already."""
    return words if len(words) <= most else f"{words[: most - 1]}{CUT}"


def _output(trace: Trace, sample: int, output: Tokens, room: int) -> Markup:
    """The output, and the draft of a canvas that was not emitted any more."""
    shown = text_html(trace, output, room) if len(output.ids) else paragraph(tag("i", no_output(trace, sample)))
    if trace.n_canvases == len(trace.emitted):
        return shown
    run = trace.canvas_run(trace.n_canvases - 1, sample)
    if not run.n_steps:
        return shown
    words = paragraph(f"Draft of canvas {run.canvas} at its last step; it was not emitted:")
    confidence = free_values(run, "confidence")[-1]
    draft = Tokens(run.array("draft")[-1], confidence, unsure(confidence))
    return markup(shown, words, text_html(trace, draft, room - size_of(shown) - size_of(words)))


def _within(room: int, parts: Iterable[Markup]) -> Markup:
    """As many of the parts as there is room for, and how many are left out."""
    kept, left_out = list[Markup](), 0
    for part in parts:
        room -= size_of(part)
        if room < 0:
            left_out += 1
        else:
            kept.append(part)
    return markup(kept, paragraph(f"… and {left_out} more, which are left out here.") if left_out else None)
