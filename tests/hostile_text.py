"""Texts made to do harm wherever they are shown, and traces that hold one in every place that takes a text.

All markup names :data:`MARK`, as an attribute, an address or words in it, so that a test can ask a page for what became
an element.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dgemma_viz.trace import load_trace
from dgemma_viz.trace.notice import Notice
from tests.synthetic import synthetic_trace

if TYPE_CHECKING:
    from dgemma_viz.trace import Trace

MARK = "pwned"
RUN = f"window.{MARK}=1"
LONG = 100_000

MARKUP = (
    f"<script {MARK}>{RUN}</script>",
    f"</script></pre></style><script {MARK}>{RUN}</script>",
    f"<img {MARK} src=x onerror={RUN}>",
    f'"><svg {MARK} onload={RUN}>',
    f"' onmouseover='{RUN}' {MARK}='",
    f"<iframe {MARK} srcdoc='<script>parent.{MARK}=1</script>'></iframe>",
    f"<style {MARK}>*{{display:none}}</style>",
    f"<b {MARK} style='position:fixed;inset:0;background:red'>{MARK}</b><br>",
    f"<a {MARK} href='javascript:{RUN}'>{MARK}</a>",
    f"&lt;img {MARK} src=x onerror={RUN}&gt;",
    f"&#60;a {MARK} href=//{MARK}.example&#62;{MARK}&#60;/a&#62;",
    f"<!--<script {MARK}>",
    f"]]>{{{{{MARK}}}}}{{% {MARK} %}}",
)
"""Of HTML, Plotly's subset of it, and templates."""

TYPESET = (
    f"$\\href{{javascript:{RUN}}}{{{MARK}}}$",
    "$$x^2$$",
    f"\\(\\href{{https://{MARK}.example}}{{x}}\\)",
    "\\begin{align}x\\end{align}",
    "%{meta[0]} %{y:.2f}<extra></extra>",
    f"[{MARK}](javascript:{RUN}) ![{MARK}](https://{MARK}.example/x.png) **{MARK}**",
    f"@import url(//{MARK}.example/x.css);background:url(//{MARK}.example/x.png)",
)
"""Of formulas, Plotly's templates, Markdown and CSS."""

UNSEEN = (
    "\x1b[31mred\x1b[2J",
    "\x1b]8;;https://pwned.example\x07link\x1b]8;;\x07",
    "\x1b]0;title\x07\x9b5n",
    "nul\x00bell\x07back\x08\x7f",
    "two\r\nlines\x85\u2028\u2029",
    "\u202egnp.exe\u202c",
    "\u2067\u2066open isolates",
    "z\u200bero\u2060\ufeffwidth",
    "tag\U000e0041\U000e007f",
    "half \ud83d pair",
)
"""With characters that steer a terminal or the order of text, or are not seen."""

SHAPES = (
    "שלום עולם",
    "مرحبا 12",
    "Z" + "\u0301\u0323\u0334" * 40 + "algo",
    "\u0301\u0301",
    "﷽" * 30,
    "W" * LONG,
)
"""That fill more room, or run the other way."""

HOSTILE = MARKUP + TYPESET + UNSEEN + SHAPES
WORST = f"\u202e\x1b[31m שלום <img {MARK} src=x onerror={RUN}> $x^2$ %{{y}}"
"""For names, which are cut where they are long."""
EVERYTHING = " ".join([WORST, *(text for text in HOSTILE if len(text) < LONG)])
"""Where there is one place for a text."""


def hostile_trace(seed: int = 0, *, steps: int = 4, status: str = "failed") -> Trace:
    """A trace that is hostile wherever a file may be."""
    texts = ("<pad>", "<eos>", *HOSTILE)
    trace = synthetic_trace(texts=texts, length=48, steps=steps, seed=seed)
    facts = replace(
        trace.facts,
        model_id=f"{seed} {EVERYTHING}",
        model_class=f"class {EVERYTHING}",
        sampler=f"sampler {seed} {EVERYTHING}",
        settings={
            **trace.facts.settings,
            **{text[:200]: f"{seed} {text}" for text in HOSTILE},
            "cache_implementation": EVERYTHING,
            "threshold": EVERYTHING,
            "corrector_selection": EVERYTHING,
        },
        versions={EVERYTHING: f"{seed} {EVERYTHING}"},
        device=f"device {seed} {EVERYTHING}",
        dtype=EVERYTHING,
        started=EVERYTHING,
        status=status,
        error=f"error {EVERYTHING}",
        notices=tuple(Notice(text, text) for text in (*HOSTILE, EVERYTHING)),
        task={
            "name": f"task {EVERYTHING}",
            "prompt": f"prompt {seed} {EVERYTHING}",
            "reference": f"reference {EVERYTHING}",
            "sampler": EVERYTHING,
            "parameters": {EVERYTHING: EVERYTHING},
            "interventions": [EVERYTHING, {EVERYTHING: EVERYTHING}],
        },
    )
    return replace(trace, facts=facts)


def through_a_file(trace: Trace) -> Trace:
    """As a reader of its file gets it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        trace.save(path)
        return load_trace(path)
