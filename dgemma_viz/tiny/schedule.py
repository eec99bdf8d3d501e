"""What each step trains on and how fast: plain functions of the step number, so a resumed run follows the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dgemma_viz.tiny.architecture import CANVAS_LENGTH
from dgemma_viz.tiny.batches import Bucket

_SHORT = Bucket(
    ("sudoku", "addition", "sort"), 48, prompt_length=24, answer_length=24, canvas_length=CANVAS_LENGTH // 2
)
_STORY = Bucket(("story",), 24, prompt_length=48, answer_length=48, canvas_length=CANVAS_LENGTH)
_LONG = Bucket(("long",), 8, prompt_length=48, answer_length=144, canvas_length=CANVAS_LENGTH, canvases=3)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run.

    Attributes
    ----------
    steps
        Its length.
    buckets
        What each step trains on.
    skew
        Noise skew, see `batches.noise_levels`.
    """

    steps: int
    buckets: tuple[Bucket, ...]
    skew: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Phases, with a learning rate that warms up, holds, and falls linearly to a twentieth.

    Attributes
    ----------
    phases
        In order.
    decay
        Steps, at the end of the run, over which the learning rate falls.
    peak
        Highest learning rate.
    warmup
        Steps of linear warm-up.
    """

    phases: tuple[Phase, ...]
    decay: int
    peak: float = 2e-3
    warmup: int = 200

    @property
    def steps(self) -> int:
        """Length of the run."""
        return sum(phase.steps for phase in self.phases)

    def phase(self, step: int) -> Phase:
        """Return the phase that a step, counted from 0, belongs to."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        raise IndexError("The step lies behind the end of the schedule.")

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step."""
        falling = (self.steps - step) / max(self.decay, 1)
        return self.peak * min(1.0, (step + 1) / self.warmup, max(0.05, falling))

    def agrees_until(self, other: Schedule, step: int) -> bool:
        """Tell whether both schedules prescribe the same for all steps before `step`."""
        return step <= min(self.steps, other.steps) and all(
            self.learning_rate(i) == other.learning_rate(i)
            and replace(self.phase(i), steps=0) == replace(other.phase(i), steps=0)
            for i in range(step)
        )


def default_schedule(lengths: Sequence[int], decay: int) -> Schedule:
    """Return the schedule of the published weights, its six phases being of these lengths.

    1. Tasks with short answers on half canvases; each bucket has equal weight: the model learns what answers look like.
    2. Weights in proportion to the examples, so that the short tasks count.
    3. Most examples for addition and stories, which are learned late.
    4. Most examples for stories and Sudoku, which are learned last.
    5. Questions with answers of a few words on canvases of 8 as well, where these words are not lost among the fill.
    6. Mostly such questions, to the end the hardest to learn; a little of the rest, on whole canvases, to keep it.
    """
    short = replace(_SHORT, answer_length=20, weight=0.75)
    story = replace(_STORY, examples=12, answer_length=40, weight=0.19)
    long = replace(_LONG, examples=4, answer_length=100, weight=0.06)
    harder = replace(short, tasks=("sudoku", "addition", "addition", "addition", "sort"), examples=40, weight=0.6)
    stories = replace(story, examples=24, weight=0.35)
    hardest = replace(short, tasks=("sudoku", "sudoku", "addition", "sort"), examples=40, weight=0.45)
    most_stories = replace(story, examples=32, weight=0.5)
    question = replace(story, examples=40, answer_length=8, canvas_length=8, longest_text=20, weight=0.35)
    questions = (question, replace(story, examples=16, weight=0.25), replace(long, weight=0.05))
    mostly_questions = (
        replace(hardest, examples=16, canvas_length=CANVAS_LENGTH, weight=0.2),
        replace(question, examples=96, weight=0.65),
        replace(story, examples=8, weight=0.1),
        replace(long, weight=0.05),
    )
    mixes = (
        ((_SHORT, _STORY, _LONG), 2.0),
        ((short, story, long), 2.0),
        ((harder, stories, long), 2.0),
        ((hardest, most_stories, long), 2.0),
        ((replace(hardest, weight=0.35), *questions), 2.0),
        (mostly_questions, 4.0),
    )
    phases = tuple(Phase(length, *mix) for length, mix in zip(lengths, mixes, strict=True))
    return Schedule(phases, decay)
