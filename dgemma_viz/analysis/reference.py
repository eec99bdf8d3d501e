"""The output against a right answer: what each position should have held, and where it does not.

Design. A reference is text, because a trace keeps token texts and no tokenizer. To judge single tokens, the reference
is cut into the trace's own tokens (longest match first; characters where no token fits), and emitted tokens are aligned
with it: position by position if both have as many tokens, else by longest common runs (``difflib``, after Ratcliff and
Obershelp). Stretches that differ only in how they are cut into tokens, or in white space around, count as right.

Limits. An answer that is right in other words is wrong against a string: give a checker for that. A checker that says
only *wrong* gives no right answer, so no single position is judged. The text that a position should hold is that of the
emitted answer's alignment; a draft that holds the right token one position further is not right *here*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import SettingError
from dgemma_viz.passage import decoded
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]

Answer = str | Callable[[str, str], bool | str]
"""The right answer, or ``f(prompt, completion)`` that returns whether it is right, or the right answer itself."""

Reference = Answer | Mapping[str, Answer]
"""The right answer to every prompt, or a mapping from prompt to right answer, in which prompts may be missing."""

Expected = tuple[str, bool]
"""Text that a position should hold, and whether the answer ends there (an end-of-sequence token is right)."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """One sample's output against a reference; made by :func:`judge`.

    Attributes
    ----------
    sample
        Sample of the batch.
    output
        Emitted text up to the first end-of-sequence token.
    reference
        Right answer, or None where a checker only said *wrong*.
    answer_right
        Whether the output is the right answer, white space around it aside; None where the run was cut off before its
        answer ended.
    expected
        Text that each position should hold, object ``(N, C)`` over the emitted canvases; None where not judged.
    judged
        Bool ``(N, C)``: part of the answer, its end-of-sequence token included, and the reference is known.
    wrong
        Bool ``(N, C)``: judged, and the emitted text differs.
    ends
        Bool ``(N, C)``: judged, and the answer should end here.
    missing
        Stretches of the reference that no emitted token stands for: canvas, position before which, text.
    """

    sample: int
    output: str
    reference: str | None
    answer_right: bool | None
    expected: Array
    judged: Array
    wrong: Array
    ends: Array
    missing: tuple[tuple[int, int, str], ...] = ()

    def right_drafts(self, run: CanvasRun) -> Array:
        """Whether each step's draft is what the position should hold: bool ``(T, C)``, false where not judged."""
        return self.holds(run, run.array("draft"))

    def right_alternatives(self, run: CanvasRun) -> Array:
        """Which of the recorded alternatives are the right token: bool ``(T, C, K)``, false where not judged."""
        ids = run.array("top_k_ids")
        right = np.zeros(ids.shape, dtype=bool)
        for k in range(ids.shape[-1]):
            right[..., k] = self.holds(run, ids[..., k])
        return right

    def holds(self, run: CanvasRun, ids: Array) -> Array:
        """Whether token ids ``(T, C)`` are what each position should hold."""
        right = np.zeros(ids.shape, dtype=bool)
        if run.canvas >= len(self.judged):
            return right
        ends = set(run.trace.facts.eos_token_ids)
        for position in np.flatnonzero(self.judged[run.canvas]):
            wanted = (self.expected[run.canvas, position], bool(self.ends[run.canvas, position]))
            here = np.unique(ids[:, position])
            good = [token for token in here if _fits(run.token_text(token), int(token) in ends, wanted)]
            if run.emitted is not None and not self.wrong[run.canvas, position]:
                good.append(run.emitted[position])  # a part of a character, which fits with the others
            right[:, position] = np.isin(ids[:, position], good)
        return right


def judge(trace: Trace, reference: Reference | None = None, sample: int = 0) -> Judgement | None:
    """Judge one sample's output; None where neither ``reference`` nor the trace's own task facts hold a reference.

    Parameters
    ----------
    trace
        Recorded run.
    reference
        The right answer, a function ``f(prompt, completion)``, or a mapping from prompt to either; see
        :data:`Reference`. None, and a mapping without this prompt, take ``trace.facts.task.reference``. The prompt is
        that of ``trace.facts.task`` where the caller of the recorder gave one, else the decoded prompt, special tokens
        included.
    sample
        Sample of the batch.

    Raises
    ------
    SettingError
        The reference is no :data:`Reference`, or its function failed or returned something else.
    TraceError
        No such sample.
    """
    if trace.n_canvases:
        trace.canvas_run(0, sample)  # checks the sample
    output, ids = trace.output_text(sample), trace.emitted_ids(sample)
    begin, room = trace.output_span[0], len(ids[slice(*trace.output_span)])
    answer_length = len(trace.output_ids(sample))
    verdict = _verdict(trace, reference, sample, output)
    if verdict is None:
        return None
    right = output if verdict is True else verdict if isinstance(verdict, str) else None
    ended = answer_length < room or trace.facts.status == "complete"
    answer_right = None if not ended else right is not None and output.strip() == right.strip()
    flat = {
        "expected": np.full(len(ids), None, dtype=object),
        "judged": np.zeros(len(ids), dtype=bool),
        "wrong": np.zeros(len(ids), dtype=bool),
        "ends": np.zeros(len(ids), dtype=bool),
    }
    missing: list[tuple[int, int, str]] = []
    if right is not None:
        texts = decoded(trace.token_texts_of(trace.output_ids(sample)))
        wanted, gaps = align(texts, cut(right, set(trace.token_texts.values())))
        if answer_length < room:
            texts.append("")  # the end token says nothing; whatever is still missing should stand in its place
            rest = "".join(text for place, text in gaps if place == answer_length)
            wanted.append((rest, not rest.strip()))
        for place, (text, expected) in enumerate(zip(texts, wanted, strict=True)):
            at = begin + place
            flat["expected"][at], flat["ends"][at] = expected
            flat["judged"][at] = True
            flat["wrong"][at] = not _fits(text, place == answer_length, expected)
        missing = [(*trace.place(begin + place), text) for place, text in gaps if text.strip()]
    arrays = {}
    for name, values in flat.items():
        arrays[name] = np.full(trace.in_emitted.shape, None if values.dtype == object else False, dtype=values.dtype)
        arrays[name][trace.in_emitted] = values
        arrays[name].flags.writeable = False
    return Judgement(sample, output, right, answer_right, **arrays, missing=tuple(missing))


def cut(text: str, tokens: set[str]) -> list[str]:
    """Text cut into known tokens, longest first, and into single characters where none fits."""
    longest = max((len(token) for token in tokens), default=1)
    pieces, start = [], 0
    while start < len(text):
        lengths = range(min(longest, len(text) - start), 1, -1)
        length = next((n for n in lengths if text[start : start + n] in tokens), 1)
        pieces.append(text[start : start + length])
        start += length
    return pieces


def align(texts: Sequence[str], reference: Sequence[str]) -> tuple[list[Expected], list[tuple[int, str]]]:
    """What each emitted token should have been, and what is missing before which token.

    Parameters
    ----------
    texts
        Emitted token texts.
    reference
        Tokens of the right answer.

    Returns
    -------
    tuple
        For each emitted token its expected text and whether the answer ends there; ``(index, text)`` of each stretch of
        the reference that no token stands for.
    """
    expected: list[Expected] = []
    missing: list[tuple[int, str]] = []
    for kind, a, a_end, b, b_end in _stretches(texts, reference):
        here, there = list(texts[a:a_end]), list(reference[b:b_end])
        if kind == "insert":
            missing.append((a, "".join(there)))
        elif kind == "equal" or "".join(here).strip() == "".join(there).strip():
            expected += [(text, False) for text in here]
        else:
            surplus = len(here) - len(there)
            wanted = there if surplus >= 0 else [*there[: len(here) - 1], "".join(there[len(here) - 1 :])]
            expected += [(text, False) for text in wanted]
            expected += [("", b_end == len(reference))] * surplus
    return expected, missing


def _stretches(texts: Sequence[str], reference: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(texts) == len(reference):
        return [
            ("equal" if text == wanted else "replace", i, i + 1, i, i + 1)
            for i, (text, wanted) in enumerate(zip(texts, reference, strict=True))
        ]
    return SequenceMatcher(None, texts, reference, autojunk=False).get_opcodes()


def _fits(text: str, is_end: bool, expected: Expected) -> bool:
    wanted, ends = expected
    if is_end or ends:
        return is_end and ends
    return text.strip() == wanted.strip()


def answer_for(prompt: str, reference: Reference | None) -> Answer | None:
    """What a reference says of one prompt."""
    return reference.get(prompt) if isinstance(reference, Mapping) else reference


def check_reference(reference: Any) -> None:
    """Raise SettingError unless it is None or a :data:`Reference`."""
    for one in reference.values() if isinstance(reference, Mapping) else [reference]:
        if one is not None and not isinstance(one, str) and not callable(one):
            raise SettingError(
                "a reference is the right answer as text, a function of prompt and completion, or a mapping from "
                f"prompt to one of these, not a {type(one).__name__}"
            )


def verdict_of(reference: Answer, prompt: str, completion: str) -> bool | str:
    """The right answer, or whether the completion is right, as far as the reference tells.

    Raises
    ------
    SettingError
        As :func:`judge`.
    """
    if isinstance(reference, str):
        return reference
    check_reference(reference)
    try:
        verdict = reference(prompt, completion)
    except Exception as error:
        raise SettingError(
            f"the reference function failed on {completion[:80]!r} with {type(error).__name__}: {error}. It is called "
            "with two texts, prompt and completion, and returns True or False, or the right answer; it is also asked "
            "about drafts, so it must return False for a text that it cannot read"
        ) from error
    if isinstance(verdict, np.bool_):
        return bool(verdict)
    if not isinstance(verdict, bool | str):
        raise SettingError(
            f"the reference function returned a {type(verdict).__name__}; it must return True or False, or the right "
            "answer as text"
        )
    return verdict


def _verdict(trace: Trace, reference: Reference | None, sample: int, output: str) -> bool | str | None:
    task = trace.facts.task
    prompt = dict(enumerate(task.prompts)).get(sample, task.prompt)
    prompt = trace.prompt_text(sample) if prompt is None else prompt
    answer = answer_for(prompt, reference)
    return task.reference if answer is None else verdict_of(answer, prompt, output)
