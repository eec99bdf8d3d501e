"""The loops of the guide, with their three lines: each trace is what the model was given and what became of it."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.conformance import check_conformance
from dgemma_viz.trace import Decision

PAGE = (Path(__file__).parent.parent / "docs" / "loops.md").read_text("utf-8")
BLOCKS = re.findall(r"^## (.+?)$|^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SETUP = next(code for heading, code in BLOCKS if code)


def loops():
    """Name and code of each loop, in the order of the page."""
    heading, found = "", {}
    for title, code in BLOCKS:
        if title:
            heading = title
        elif code != SETUP:
            found[heading if heading not in found else f"{heading}, again"] = code
    return found


LOOPS = loops()
GUIDED = "LLaDA, again"


class Unrecorded:
    """In place of a recorder: a loop without the three lines."""

    def __init__(self, *_args, **_facts):
        pass

    def step(self, **_arrays):
        pass

    def emit(self, _tokens):
        pass


@pytest.fixture(scope="module")
def ran():
    """``ran(name)`` -> names of the run, and each pass's input and logits. Loops use what earlier ones define."""
    names = {"dv": dv}
    exec(compile(SETUP, "setup", "exec"), names)  # noqa: S102 - our own page
    passes, found = [], {}

    def log(_module, arguments, output):
        passes.append((arguments[0].clone(), output.logits.clone()))

    names["loop_model"].register_forward_hook(log)
    for name, code in LOOPS.items():
        passes.clear()
        exec(compile(code, name, "exec"), names)  # noqa: S102
        found[name] = (names["recorder"].trace, names["answer"].clone(), list(passes), dict(names))
    return found


@pytest.mark.parametrize("name", LOOPS)
def test_a_trace_is_what_the_passes_read(ran, name):
    trace, answer, passes, _ = ran[name]
    assert trace.facts.status == "complete"
    assert trace.emitted_ids()[slice(*trace.output_span)][: answer.shape[1]].tolist() == answer[0].tolist()
    mask, first = trace.facts.mask_token_id, 0
    for step in range(trace.n_steps):
        length = int(trace.length[step])
        noised, draft = (getattr(trace, array)[step, 0, :length] for array in ("noised", "draft"))
        first = 1 + next(
            index
            for index, read, best in windows(passes, length, mask, first)
            if np.array_equal(read, noised) and (name == GUIDED or np.array_equal(best, draft))
        )
    goes_on = np.append(trace.canvas[1:] == trace.canvas[:-1], False)
    after = np.where(goes_on[:, None], np.roll(trace.noised[:, 0], -1, axis=0), trace.emitted[trace.canvas, 0])
    unmasked = (trace.noised[:, 0] == mask) & (after != mask)
    assert np.array_equal(unmasked, trace.decision[:, 0] == Decision.ACCEPTED)
    assert check_conformance(trace).ok, str(check_conformance(trace))


def windows(passes, length, mask, first):
    """Index of the pass, what it read, and the best token but the mask, of each stretch of the passes from one on."""
    for index in range(first, len(passes)):
        ids, logits = passes[index]
        logits[..., mask] = -torch.inf
        for begin in range(ids.shape[1] - length + 1):
            stretch = slice(begin, begin + length)
            yield index, ids[0, stretch].numpy(), logits[0, stretch].argmax(-1).numpy()


@pytest.mark.parametrize("name", LOOPS)
def test_the_lines_change_nothing(ran, name):
    _, answer, _, names = ran[name]
    without = {**names, "dv": SimpleNamespace(Recorder=Unrecorded)}
    exec(compile(LOOPS[name], name, "exec"), without)  # noqa: S102
    assert torch.equal(without["answer"], answer)


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_has_its_three_lines(name):
    lines = [re.search(r"# (\d)\b", line) for line in LOOPS[name].splitlines()]
    assert {found[1] for found in lines if found} == {"1", "2", "3"}
