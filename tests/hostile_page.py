"""A page of hostile text: the cells that show it, and what must not have come of it."""

import pytest

from tests.hostile_text import MARK

UNSEEN = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2060-\u2067]/g"
"""Not zero-width spaces, with which Plotly fills empty lines."""
HARM = f"""() => ({{
  ran: window.{MARK} ?? null,
  elements: [...document.querySelectorAll(
    "[{MARK}], [onerror], [onload], [onmouseover], img[src=x], iframe, object, embed, " +
    "a[href*='{MARK}.example'], a[href^='javascript:'], svg a, svg script, svg b, mjx-container, [style*='url(//']"
  )].map((found) => found.outerHTML.slice(0, 300)),
  unseen: (document.body.innerText.match({UNSEEN}) ?? []).length,
  tooWide: document.documentElement.scrollWidth - innerWidth > 0,
}})"""
HARMLESS = {"ran": None, "elements": [], "unseen": 0, "tooWide": False}

CELLS = (
    """
import dgemma_viz as dv
from tests.hostile_text import EVERYTHING, HOSTILE, hostile_trace, through_a_file
a, b = through_a_file(hostile_trace()), through_a_file(hostile_trace(1, steps=5, status="complete"))
dv.explore(a)
""",
    "dv.compare(a, b)",
    """
from dgemma_viz.labs.decoding.race import Race, Raced
from dgemma_viz.widgets.race_view import RaceView
ways = {EVERYTHING: a, "other": b}
RaceView(Race(tuple(Raced(way, EVERYTHING, trace, 0.5, None) for way, trace in ways.items())))
""",
    """
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.widgets.run_set_explorer import RunSetExplorer
RunSetExplorer(RunSet.of([a, b]))
""",
    """
from dataclasses import replace
from dgemma_viz.widgets.sampler_lab import SamplerLab
lab = SamplerLab(autorun=False)
for trace in (a, b):
    given = {"sampler": "entropy_bound", "parameters": {"entropy_bound": EVERYTHING}}
    lab.history.add(replace(trace, facts=replace(trace.facts, task={**trace.facts.task.to_json(), **given})))
lab
""",
    "from dgemma_viz.widgets.trace_file_panel import TraceFilePanel\nTraceFilePanel()",
    "dv.diagnose(a)",
    "from dgemma_viz.conformance import check_conformance\ncheck_conformance(a)",
    """
import pandas as pd
from dgemma_viz.widgets.reading_table import reading_table
reading_table(pd.DataFrame({EVERYTHING: [EVERYTHING, *HOSTILE]}))
""",
    "raise dv.errors.TraceError(EVERYTHING.replace('https:', ''))",
)
"""All widgets and tables of a notebook, and an error."""


def assert_harmless(visit, dialogs=()):
    assert visit.page.evaluate(HARM) == HARMLESS
    assert not dialogs
    assert visit.console_errors == []
    assert visit.other_hosts == set()


def point_at(page, token):
    """Until its tooltip is there: while a page is still laid out, it scrolls by itself, and that hides a tooltip."""
    for _ in range(100):
        token.hover()
        page.wait_for_timeout(100)
        if page.locator(".dgv-tip.dgv-shown").count():
            return
        page.mouse.move(0, 0)
    pytest.fail("no tooltip")
