"""What each step trains on and how fast: plain functions of the step number, so a resumed run follows the same ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dgemma_viz.tiny.batches import Bucket


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run.

    Attributes
    ----------
    steps
        Its length.
    buckets
        What each step trains on.
    """

    steps: int
    buckets: tuple[Bucket, ...]


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
    after
        The schedule that the run follows first. This one then goes on with fresh optimisers: a warm restart
        (Loshchilov and Hutter, 2017).
    averaged
        Whether it goes on from the averaged weights of `after`, or from the weights themselves, with an average that
        begins anew: where the earlier schedule lost what it did not practise, its average would keep the loss alive.
    """

    phases: tuple[Phase, ...]
    decay: int
    peak: float = 2e-3
    warmup: int = 200
    after: Schedule | None = None
    averaged: bool = True

    @property
    def start(self) -> int:
        """Steps of the run before this schedule's own."""
        return 0 if self.after is None else self.after.steps

    @property
    def steps(self) -> int:
        """Length of the run."""
        return self.start + sum(phase.steps for phase in self.phases)

    @property
    def every_phase(self) -> tuple[Phase, ...]:
        """The phases of the whole run, in order."""
        return self.phases if self.after is None else (*self.after.every_phase, *self.phases)

    def phase(self, step: int) -> Phase:
        """Return the phase that a step, counted from 0, belongs to."""
        for phase in self.every_phase:
            if step < phase.steps:
                return phase
            step -= phase.steps
        raise IndexError("The step lies behind the end of the schedule.")

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step."""
        if self.after is not None and step < self.start:
            return self.after.learning_rate(step)
        rising, falling = (step - self.start + 1) / self.warmup, (self.steps - step) / max(self.decay, 1)
        return self.peak * min(1.0, rising, max(0.05, falling))

    def restarts(self, step: int) -> bool:
        """Tell whether a step is the first after a warm restart."""
        return self.after is not None and (step == self.start or self.after.restarts(step))

    def average_began(self, step: int) -> int:
        """The step at which the average that holds at `step` began."""
        if self.after is not None and (self.averaged or step < self.start):
            return self.after.average_began(step)
        return self.start

    def agrees_until(self, other: Schedule, step: int) -> bool:
        """Tell whether both schedules prescribe the same for all steps before `step`."""
        return step <= min(self.steps, other.steps) and all(
            self.learning_rate(i) == other.learning_rate(i)
            and self.restarts(i) == other.restarts(i)
            and self.average_began(i) == other.average_began(i)
            and replace(self.phase(i), steps=0) == replace(other.phase(i), steps=0)
            for i in range(step)
        )
