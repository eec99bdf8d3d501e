"""What the inspector says of every position at every step: JavaScript's rows against those that are computed here."""

import base64
import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.acceptance import why
from dgemma_viz.analysis.positions import commit_steps, ever_accepted, flips, re_noised_again
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import UNRECORDED, decision_marks, outcome
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.views.modules import joined_module
from dgemma_viz.views.position_rows import rows_of
from dgemma_viz.views.records import Records
from tests.node import NODE
from tests.restrained import forced, suppressing
from tests.synthetic import NASTY_TEXTS, synthetic_trace, undecided

SCRIPT = """
import { positionRows } from "./position_rows.js";
import { RunStore } from "./run_store.js";
import { readFileSync } from "node:fs";
const { run, data } = JSON.parse(readFileSync(0, "utf8"));
const store = new RunStore(run.packing, [Buffer.from(data, "base64")], run.texts, null, run.words);
const rows = [];
for (let step = 0; step < store.steps; step++) {
  for (let position = 0; position < store.positions; position++) {
    rows.push(positionRows(run, store, step, position).map(({ name, text }) => [name, text]));
  }
}
console.log(JSON.stringify(rows));
"""


def on_the_page(run, folder):
    """Names and texts of all rows, for each step and position in turn."""
    records = Records()
    packed = records.add(run)
    given = {"run": packed, "data": base64.b64encode(records.to_bytes()[slice(*packed["data"])]).decode()}
    module = folder / "rows.mjs"
    (folder / "entry.js").write_text(SCRIPT)
    module.write_text(joined_module("entry.js", folder))
    done = subprocess.run([NODE, module], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_python(run):
    """The same from the arrays of the trace and :mod:`dgemma_viz.analysis`."""
    taken_back, flipped, commit, ever = re_noised_again(run), flips(run).cumsum(axis=0), commit_steps(run), None
    alone = clamped(run)
    if run.emitted is not None and not {"accepted", "candidate"} & set(run.trace.facts.absent):
        ever = ever_accepted(run)

    def token(row, step, position):
        ids = run.emitted if row.array == "emitted" else run.array(row.array)[step]
        if ids[position] == UNKNOWN_TOKEN:
            return decision_marks(run.trace)[NO_DECISION].label  # of a step that made no decision
        mask = ids[position] == run.trace.facts.mask_token_id
        return "mask" if mask else display_text(run.token_text(int(ids[position])))

    def number(row, step, position):
        value, after = float(run.array(row.array)[step, position]) + 0.0, " (clamped)" if alone[step, position] else ""
        return f"{value:.4g}\u00a0{row.unit}".rstrip() + after if np.isfinite(value) else "unknown"

    def left(_, step, position):
        count = run.array("banned")[step, position]
        return "one token (clamped)" if alone[step, position] else f"all tokens but {count}" if count else "all tokens"

    def own_draft(_, step, position):
        token = int(run.array("banned_draft")[step, position])
        return "not banned" if token == UNKNOWN_TOKEN else f"{display_text(run.token_text(token))} (banned)"

    def yes(flag):
        return "yes" if flag else "no"

    texts = {
        "token": token,
        "number": number,
        "left": left,
        "own_draft": own_draft,
        "outcome": lambda _, step, position: outcome(run, step, position).label,
        "phase": lambda _, step, __: PHASES[int(run.trace.phase[run.steps[step]])],
        "why": lambda _, step, position: why(run, step, position),
        "taken_back": lambda _, step, position: yes(taken_back[step, position]),
        "flips": lambda _, step, position: str(int(flipped[step, position])),
        "commit_step": lambda _, __, position: str(int(commit[position])),
        "ever_accepted": lambda _, __, position: yes(ever[position]),
    }
    rows = rows_of(run)
    return [
        [[row.name, texts[row.kind](row, step, position) if row.recorded else UNRECORDED.label] for row in rows]
        for step in range(run.n_steps)
        for position in range(run.canvas_length)
    ]


def odd_numbers():
    """Entropies and probabilities of all sizes, ties, gaps, steps without a bound, decisions against it."""
    trace = synthetic_trace(length=30, steps=[[9]], texts=NASTY_TEXTS)
    rng = np.random.default_rng(0)
    entropy = np.array(trace.entropy)
    entropy[1] = rng.choice(np.float32([0, 1e-7, 3e-5, 0.02, 0.5, 2]), entropy[1].shape)
    entropy[2, 0, 5], entropy[3, 0, 6], entropy[4] = np.nan, np.inf, 0
    bounds = np.array(trace.entropy_bound)
    bounds[[5, 6]] = np.nan, 123456
    accepted = np.array(trace.accepted)
    accepted[7] = ~accepted[7]
    confidence = (10.0 ** rng.uniform(-9, 0, trace.confidence.shape)).astype(np.float32)
    confidence[0, 0, 0] = np.nan
    arrays = {"entropy": entropy, "entropy_bound": bounds, "accepted": accepted, "confidence": confidence}
    return replace(trace, **arrays, decision=None)


def partly_logged():
    trace = synthetic_trace(steps=[[4]])
    gaps = {name: np.full_like(getattr(trace, name), np.nan) for name in ("entropy", "candidate_probability")}
    gaps["candidate"] = np.full_like(trace.candidate, -1)
    facts = replace(trace.facts, absent=("accepted", "candidate", *gaps))
    return replace(trace, **gaps, accepted=np.zeros_like(trace.accepted), decision=None, facts=facts)


def masked():
    settings = {"threshold": 0.9, "max_denoising_steps": 6}
    return run(*dv.load_tiny("masked"), TASKS["sudoku"].example_prompts[1], "llada2", settings)


def uneven():
    """A short canvas whose last step made no decision."""
    return undecided(synthetic_trace(canvases=2, length=(5, 12), steps=[[4], [3]]), 3)


def swept():
    settings = {"corrector_steps": 1, "corrector_k": 6, "max_denoising_steps": 5, "temperature": 0.5}
    return run(*dv.load_tiny(), TASKS["sudoku"].example_prompts[1], "discrete_ddim", settings, seed=2)


@pytest.mark.parametrize(
    "make", [synthetic_trace, odd_numbers, partly_logged, masked, uneven, swept, forced, suppressing]
)
def test_every_row_of_every_position_is_as_computed_here(make, tmp_path):
    run = make().canvas_run()
    there, here = on_the_page(run, tmp_path), in_python(run)
    assert len(there) == len(here) > 0
    for page, computed in zip(there, here, strict=True):
        assert page == computed


def test_the_rows_are_those_that_the_run_can_tell():
    names = {
        make: {row.name for row in rows_of(make().canvas_run())} for make in (synthetic_trace, partly_logged, swept)
    }
    assert {"why", "taken back now", "emitted token ever accepted"} <= names[synthetic_trace]
    assert not {"why", "taken back now", "emitted token ever accepted"} & names[partly_logged]
    assert "kind of step" in names[swept]
    assert "why" not in names[swept]
    last = dict(in_python(uneven().canvas_run())[-1])
    assert last["candidate"] == last["after the step"] == "no decision"
    assert last["taken back now"] == "no"
    sentences = {text for row in in_python(odd_numbers().canvas_run()) for name, text in row if name == "why"}
    for part in ("to spare", "nats over", "the other way", "is not a number", "no entropy bound is known"):
        assert any(part in sentence for sentence in sentences), part
