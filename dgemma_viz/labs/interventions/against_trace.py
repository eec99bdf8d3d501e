"""Judge interventions against the recorded run that they are to change, before it runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.cut import place_of
from dgemma_viz.labs.interventions.sampler_of_class import sampler_of
from dgemma_viz.labs.samplers import sampler_named
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.interventions.forced_decisions import ForcedDecision
from dgemma_viz.trace.interventions.run_conditions import ChangeParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dgemma_viz.trace.interventions.intervention import Intervention
    from dgemma_viz.trace.model import Trace


def check_places(trace: Trace, interventions: Sequence[Intervention]) -> None:
    """Raise SettingError if the run has no such step, not for that sample, or one in which nothing can be forced."""
    for one in interventions:
        canvas, step = one.begins
        place = place_of(trace, canvas, step)
        if one.sample is not None and not trace.active[place, one.sample]:
            ran = trace.canvas_run(canvas, one.sample).n_steps
            raise SettingError(
                f"sample {one.sample} had finished canvas {canvas} before step {step}, after {ran} steps: "
                f"{one.describe()}"
            )
        if isinstance(one, ForcedDecision) and one.lasts == 1 and trace.phase[place] != Phase.DENOISE:
            raise SettingError(
                f"step {step} of canvas {canvas} is a corrector sweep, which decides nothing that could be forced: "
                f"{one.describe()}"
            )


def check_parameters(trace: Trace, interventions: Sequence[Intervention]) -> None:
    """Raise SettingError if changed parameters do not go with those that rule the run by then."""
    sampler = sampler_named(sampler_of(trace))
    values = sampler.values() | {name: v for name, v in trace.facts.settings.items() if name in sampler.values()}
    changes = [one for one in interventions if isinstance(one, ChangeParameters)]
    for one in sorted(changes, key=lambda one: one.begins):
        values |= one.values
        if None not in (values.get("t_min", 0), values.get("t_max", 0)):
            sampler.together(values)
