"""Over many runs: from which layer and step on an answer can be read, and what early and late layers know.

A token counts as read at a depth of a step if the lens' best token there is the one that was emitted in the end. That
is what the head says, not what layers above could make of it: a layer may know more than its lens shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import known_at
from dgemma_viz.analysis.intervals import bootstrap_over_runs, ratio
from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.grid import Progress, run_grid
from dgemma_viz.labs.inside.kept import Kept
from dgemma_viz.labs.inside.recorded_step import insides
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

OF_POSITIONS = ("run", "position", "token", "commit_step", "first_step", "first_depth", "lasting_step", "chance")
OF_DEPTHS = ("run", "step", "depth", "known", "probability", "positions")
OF_HALVES = ("what", "runs", "known", "low", "high")


@dataclass(frozen=True, eq=False)
class Readable:
    """What could be read where.

    Attributes
    ----------
    positions
        One row per run and output position: ``run`` (index of its trace), ``position``, ``token`` (id that was
        emitted), ``commit_step`` (first step from which the draft is that token for good); ``first_step`` and
        ``first_depth``, the first step in which any depth shows it, and the lowest such depth there (-1: none ever
        does); ``lasting_step``, the first step from which some depth shows it in every later step too (-1: none);
        ``chance``, whether it was read, then for a step nowhere, so that the first sight may be luck.
    depths
        One row per run, step and depth: ``known``, the share of the run's output positions that can be read there;
        ``probability``, the mean that the lens gives to the right token (0 where it is not among the best few);
        ``positions``, how many.
    layers
        Depth of the last layer.
    """

    positions: pd.DataFrame
    depths: pd.DataFrame
    layers: int

    def early_against_late(self) -> pd.DataFrame:
        """Whether early layers of late steps know more than late layers of early steps.

        Steps are halved by run, layers by depth (the middle ones, where the number is odd, are left out; so is depth
        0). Runs of one step have no halves.

        Returns
        -------
        pandas.DataFrame
            Three rows, ``what``: ``"early layers, late steps"``, ``"late layers, early steps"``, and the first less
            the second; ``runs``, ``known`` (mean over runs), and its 95 % interval ``low``, ``high`` (runs drawn
            again; NaN for a single run).
        """
        import pandas as pd

        halves = [_halves(of, self.layers) for _, of in self.depths.groupby("run")]
        each = np.array([half for half in halves if half is not None]).reshape(-1, 2)
        rows = []
        for what, values in (
            ("early layers, late steps", each[:, 0]),
            ("late layers, early steps", each[:, 1]),
            ("difference", each[:, 0] - each[:, 1]),
        ):
            sums = np.stack([values, np.ones_like(values)], axis=1)
            low, high = bootstrap_over_runs(sums, lambda total: ratio(total[:, 0], total[:, 1]))
            rows.append((what, len(values), values.mean() if len(values) else np.nan, float(low), float(high)))
        return pd.DataFrame(rows, columns=list(OF_HALVES))


def readable(
    model: Any,
    tokenizer: Any,
    traces: Sequence[Trace],
    *,
    canvas: int = 0,
    sample: int = 0,
    progress: Progress | None = None,
) -> Readable:
    """Look at the lens in every step of some runs; each is repeated once.

    Parameters
    ----------
    model, tokenizer
        Those that were recorded.
    traces
        Of complete runs.
    canvas, sample
        Which of each.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`. After an interrupt, what was finished is given.

    Raises
    ------
    SettingError
        There is no trace, or one whose canvas was not emitted.
    TraceError
        One cannot be repeated, or its repetition is another run.
    """
    if isinstance(traces, Trace) or not traces:
        raise SettingError("traces are a list of recorded runs, even of one")
    runs = [trace.canvas_run(canvas, sample) for trace in traces]
    for number, run in enumerate(runs):
        if run.emitted is None or not run.n_steps:
            raise SettingError(f"run {number} emitted no canvas {canvas}, so there is no answer to read in it")
    import pandas as pd

    of_positions: list[tuple[Any, ...]] = []
    of_depths: list[tuple[Any, ...]] = []
    layers = [0]

    def look(number: int) -> tuple[Array, Array, Array]:
        """Depths, what is known ``(T, D, C)``, and with which probability."""
        places = [(canvas, step) for step in range(runs[number].n_steps)]
        seen = insides(model, tokenizer, traces[number], places, sample=sample, kept=Kept(("lens",)))
        lenses = [one.lens for one in seen if one.lens is not None]
        emitted = np.asarray(runs[number].emitted)
        known, probability = zip(*(known_at(lens, emitted) for lens in lenses), strict=True)
        return lenses[0].depth, np.array(known), np.array(probability)

    def keep(number: int, found: tuple[Array, Array, Array]) -> None:
        run, (depth, known, probability) = runs[number], found
        inside = run.in_output
        layers[0] = int(depth[-1])
        of_positions.extend((number, *row) for row in _positions(run, depth, known, inside))
        shares = np.nan_to_num(probability)[:, :, inside].mean(axis=2)
        for step, at in np.ndindex(*shares.shape):
            values = known[step, at, inside].mean(), shares[step, at], int(inside.sum())
            of_depths.append((number, step, int(depth[at]), *values))

    run_grid(range(len(traces)), look, keep, progress=progress)
    return Readable(
        pd.DataFrame(of_positions, columns=list(OF_POSITIONS)),
        pd.DataFrame(of_depths, columns=list(OF_DEPTHS)),
        layers[0],
    )


def _positions(run: CanvasRun, depth: Array, known: Array, inside: Array) -> list[tuple[Any, ...]]:
    """Rows of :data:`OF_POSITIONS` without the run."""
    seen = known.any(axis=1)  # (T, C)
    first = np.where(seen.any(axis=0), seen.argmax(axis=0), -1)
    lowest = depth[known[first, :, np.arange(known.shape[2])].argmax(axis=1)]
    from_end: Array = np.flip(np.logical_and.accumulate(np.flip(seen, axis=0), axis=0), axis=0)
    lasting = np.where(from_end.any(axis=0), from_end.argmax(axis=0), -1)
    commits, emitted = commit_steps(run), np.asarray(run.emitted)
    columns = (commits, first, np.where(first < 0, -1, lowest), lasting, (first >= 0) & (lasting != first))
    return [
        (int(place), int(emitted[place]), *(column[place].item() for column in columns))
        for place in np.flatnonzero(inside)
    ]


def _halves(of: pd.DataFrame, layers: int) -> tuple[float, float] | None:
    """Known in early layers of late steps, and in late layers of early steps."""
    steps, half = int(of["step"].max()) + 1, layers // 2
    if steps < 2 or not half:  # noqa: PLR2004 - two halves
        return None
    late_step, early_step = of["step"] >= steps - steps // 2, of["step"] < steps // 2
    early_layer, late_layer = of["depth"].between(1, half), of["depth"] > layers - half
    known = of["known"]
    return float(known[late_step & early_layer].mean()), float(known[early_step & late_layer].mean())
