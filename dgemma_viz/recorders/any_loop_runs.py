"""Which passes belong to one run: a loop is never seen, only what its passes read, one after the other.

A run is a sequence of places, and what was last read at each. A pass continues the run whose tokens it contradicts
least: masks that became tokens are what a run is made of; tokens that were masked again, or became others, may happen
in the answer, and never in the prompt. So two loops that take turns are two runs. A run begins anew where all that
had been decided is masked again, or where nearly all of it is other tokens: another text behind the same prompt, which
is scored, perhaps.

Guidance without a classifier is told by what it reads: the same canvas twice, once with a prompt that is all masks (a
doubled batch, or a pass of its own). The pass with the prompt counts; the mixture that the loop makes of both is not
seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.recorders.any_loop_pass import Pass, Reading
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.moved_tokens import moved

Array = npt.NDArray[Any]


_FEWEST = 3
"""Changes before a token is taken for the mask, or a text for another."""
_NEARLY = 0.9
"""Share of them that counts as nearly all."""


class Guidance(Enum):
    """How a loop asked for what the model says without the prompt."""

    NONE = ""
    DOUBLED = "a doubled batch"
    APART = "a pass of its own"


@dataclass
class WatchedRun(Run):
    """A run that is put together from passes; everything but the passes follows from them."""

    mask: int | None = None
    """Id of the mask token; None where noise is not a token, or nobody says which it is."""
    finds_mask: bool = False
    """Whether nobody says which it is, so that the passes may tell."""
    mask_found: str = ""
    """What they told of it, in words."""
    passes: list[Pass] = field(default_factory=list)
    state: Array = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    """What was last read at each place, ``(B, W)``; :data:`UNKNOWN_TOKEN` where nothing was."""
    masked_first: Array = field(default_factory=lambda: np.zeros((0, 0), bool))
    """Places that held the mask when they were first read, ``(B, W)``."""
    answer: int | None = None
    """First place that ever held the mask."""
    guidance: Guidance = Guidance.NONE
    result: Any = None
    """What the loop returned, if that is known: ids, or something that holds them."""
    returned: bool = False
    """Whether the result was seen as it was returned; otherwise it was handed over."""
    announced: int = 0
    """Steps that ``on_step`` was told."""
    moved: str = ""
    """What shows that positions do not keep their meaning."""
    second_half: bool | None = None
    """Which half of a doubled batch counts."""
    tensor: Any = None
    """What the last pass read from."""
    left: Array | None = None
    """What was found in it later, ``(B, L)``."""

    @property
    def decided(self) -> bool:
        """Whether any mask became a token."""
        return bool((self.masked_first & (self.state != self.mask)).any())

    def lacks_logits(self, one: Pass) -> bool:
        """Whether a pass read masks, and nothing that it returned are logits of them."""
        return not one.numbers and self.mask is not None and bool((one.reading.ids == self.mask).any())

    def place(self, reading: Reading) -> Reading:
        """The reading, with its place put right where a cache that grows in every pass has moved it."""
        last = self.passes[-1].reading if self.passes else None
        if last is None or not reading.cached or self.mask is None or reading.ids.shape != last.ids.shape:
            return reading
        stays, open_before = last.ids != self.mask, last.ids == self.mask
        goes_on = open_before.any() and stays.any() and (reading.ids[stays] == last.ids[stays]).all()
        if reading.begin == last.end and goes_on:
            return replace(reading, begin=last.begin)
        return reading

    def find_mask(self) -> None:
        """Take for the mask token what nearly all changes replaced and hardly any brought."""
        gone, come = self._changes()
        if len(gone) < _FEWEST:
            return
        ids, counts = np.unique(gone, return_counts=True)
        token, count = int(ids[counts.argmax()]), int(counts.max())
        if count < _NEARLY * len(gone) or (come == token).sum() > (1 - _NEARLY) * len(come):
            return
        self.finds_mask, self.mask, passes = False, token, self.passes
        self.mask_found = (
            f"Nobody named the mask token; {token} is taken for it, since {count} of {len(gone)} changes replaced it"
        )
        self.passes, self.state, self.masked_first = [], np.zeros((0, 0), np.int32), np.zeros((0, 0), bool)
        for one in passes:
            self.take(one)

    def _changes(self) -> tuple[Array, Array]:
        """Tokens that were replaced from one reading to the next of the same places, and those in their place."""
        pairs = [
            (before.reading.ids, after.reading.ids)
            for before, after in pairwise(self.passes)
            if before.reading.span() == after.reading.span()
        ]
        if self.left is not None:
            pairs.append((self.passes[-1].reading.ids, self.left))
        nothing = np.zeros(0, np.int32)
        gone = [before[before != after] for before, after in pairs]
        come = [after[before != after] for before, after in pairs]
        return np.concatenate([nothing, *gone]), np.concatenate([nothing, *come])

    def take(self, one: Pass) -> None:
        """Append a pass."""
        ids, reading = one.reading.ids, one.reading
        self._reach(len(ids), reading.end)
        new = self.state[:, reading.span()] == UNKNOWN_TOKEN
        if self.mask is not None:
            is_mask = ids == self.mask
            self.masked_first[:, reading.span()] |= new & is_mask
            if is_mask.any():
                first = reading.begin + int(is_mask.any(axis=0).argmax())
                self.answer = first if self.answer is None else min(first, self.answer)
        self.state[:, reading.span()] = ids
        self.passes.append(one)
        self.left, self.trace = None, None

    def look(self) -> None:
        """Look at what the last pass read from: a loop that goes on writing into it leaves there what it decided."""
        if self.tensor is None or not self.passes:
            return
        now, reading = self.tensor.detach().cpu().numpy().astype(np.int32), self.passes[-1].reading
        self.tensor = self.tensor if not self.ended else None
        changed = now != reading.ids
        gone = changed & (now == (self.mask if self.mask is not None else UNKNOWN_TOKEN))
        if changed.any() and not gone.any() and now.min() >= 0:
            self.left, self.trace = now, None

    def follow(self, reading: Reading, how: str) -> None:
        """Go on reading after positions have moved, so that the loop's later passes are no new runs."""
        self.moved, self.tensor = self.moved or how, None
        self.state, self.masked_first = reading.ids.copy(), np.zeros(reading.ids.shape, bool)

    def _reach(self, samples: int, end: int) -> None:
        more = end - self.state.shape[1]
        if not self.state.size:
            self.state = np.full((samples, end), UNKNOWN_TOKEN, np.int32)
            self.masked_first = np.zeros((samples, end), bool)
        elif more > 0:
            self.state = np.pad(self.state, ((0, 0), (0, more)), constant_values=UNKNOWN_TOKEN)
            self.masked_first = np.pad(self.masked_first, ((0, 0), (0, more)))

    def compare(self, reading: Reading) -> tuple[str, int]:
        """How a reading goes with what was read before.

        Returns
        -------
        tuple
            ``"fits"``, ``"unconditional"``, why tokens moved, or nothing; and contradictions.
        """
        if not self.passes or len(reading.ids) != len(self.state):
            return "" if self.passes else "fits", 0
        end = min(reading.end, self.state.shape[1])
        known = self.state[:, reading.begin : end]
        now = reading.ids[:, : known.shape[1]]
        seen = known != UNKNOWN_TOKEN
        changed = seen & (known != now)
        if self.mask is None:
            return self._compare_noise(reading, changed)
        edited = changed & (now != self.mask) & (known != self.mask)
        masked = changed & (now == self.mask)
        in_prompt = np.arange(reading.begin, end) < (end if self.answer is None else self.answer)
        if self.answer is not None and masked[:, in_prompt].any():
            whole = (now == self.mask)[:, in_prompt & seen.any(axis=0)].all()
            same = not (edited.any() or masked[:, ~in_prompt].any())
            return ("unconditional" if whole and same else ""), 0
        if (edited | masked)[:, in_prompt].any() or self._again(reading, now) or self._is_another(reading, known, now):
            return "", 0
        if why := self._moved(reading, known, now, edited | masked):
            return why, int(edited.sum() + masked.sum())
        return "fits", int(edited.sum() + masked.sum())

    def goes_on(self, reading: Reading) -> bool:
        """Whether a reading is of the places that were read last, and contradicts nothing in them."""
        same = bool(self.passes) and self.passes[-1].reading.ids.shape == reading.ids.shape
        return same and self.compare(self.place(reading)) == ("fits", 0)

    def _again(self, reading: Reading, now: Array) -> bool:
        """Whether all that had been decided where the reading looks is masked again, or the prompt is read anew."""
        if self.answer is None:
            return False
        begun = self.masked_first[:, reading.begin : reading.begin + now.shape[1]]
        before = self.state[:, reading.begin : reading.begin + now.shape[1]]
        was_decided = begun & (before != self.mask)
        if was_decided.any() and (now[begun] == self.mask).all():
            return True
        return not reading.cached and reading.end <= self.answer and self.passes[-1].reading.end > self.answer

    def _is_another(self, reading: Reading, known: Array, now: Array) -> bool:
        """Whether another text is read, of which hardly a token is that which was decided there, nor one that moved."""
        span = slice(reading.begin, reading.begin + now.shape[1])
        decided = self.masked_first[:, span] & (known != UNKNOWN_TOKEN) & (known != self.mask) & (now != self.mask)
        edited = decided & (known != now)
        if edited.sum() <= _FEWEST or edited.sum() < _NEARLY * decided.sum():
            return False
        rows = [(old[where].tolist(), new.tolist()) for old, new, where in zip(known, now, decided, strict=True)]
        kept = sum(
            block.size for old, new in rows for block in SequenceMatcher(None, old, new, False).get_matching_blocks()
        )
        return bool(kept < (1 - _NEARLY / 2) * decided.sum())

    def _moved(self, reading: Reading, before: Array, now: Array, odd: Array) -> str:
        """Why positions cannot have kept their meaning; empty if they may have."""
        last = self.passes[-1].reading
        if not reading.cached and not last.cached and reading.ids.shape != last.ids.shape and odd.any():
            return (
                f"the sequence went from {counted(last.ids.shape[1], 'position')} to {reading.ids.shape[1]}, "
                "and tokens moved"
            )
        if odd.sum() > 1 and before.size and not reading.cached:
            first = self.answer or 0
            rows = zip(before[:, first:], now[:, first:], strict=True)
            seen = (moved(old, old, new, self.mask or 0, self.facts.pad_token_id) for old, new in rows)
            return next((why for why in seen if why), "")
        return ""

    def _compare_noise(self, reading: Reading, changed: Array) -> tuple[str, int]:
        last = self.passes[-1].reading
        grows = not changed.any() and reading.end > last.end
        fits = (reading.begin, reading.ids.shape) == (last.begin, last.ids.shape) or grows
        return ("fits" if fits else ""), 0


def continued(runs: Iterable[WatchedRun], reading: Reading) -> tuple[WatchedRun | None, str]:
    """The run that a reading contradicts least, and how it goes with that; None if it continues none.

    Of equals, the latest of which an answer was seen: a prompt that is read again may be that of an earlier run.
    """
    best: tuple[tuple[int, bool], WatchedRun, str] | None = None
    for run in reversed(list(runs)):
        how, odd = run.compare(run.place(reading))
        key = odd, run.answer is None
        if how and (best is None or key < best[0]):
            best = key, run, how
    return (best[1], best[2]) if best else (None, "")


def doubled(reading: Reading, mask: int) -> bool | None:
    """Whether a reading is one canvas twice, with and without its prompt: which half has the prompt.

    Returns
    -------
    bool or None
        True if it is the second; None if the reading is no doubled batch.
    """
    if len(reading.ids) % 2:
        return None
    first, second = reading.ids[: len(reading.ids) // 2], reading.ids[len(reading.ids) // 2 :]
    for one, other, answer in ((first, second, False), (second, first, True)):
        hidden = (one != mask) & (other == mask)
        if hidden.any(axis=1).all() and ((one == other) | hidden).all() and _in_front(one, hidden, mask):
            return answer
    return None


def _in_front(shown: Array, hidden: Array, mask: int) -> bool:
    """Whether in every row something is hidden before the first mask."""
    masks = shown == mask
    return bool((~masks.any(axis=1) | (hidden.argmax(axis=1) < masks.argmax(axis=1))).all())
