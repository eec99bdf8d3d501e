"""What an error injection found, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from dgemma_viz.analysis.intervals import wilson

if TYPE_CHECKING:
    import pandas as pd


CELL = ("sampler", "seed", "step", "errors")
MEASURED = ("prompt", "healed", "steps_to_heal", "right", "spread", "steps_before", "steps_after")
WHY = ("why", "prompts")


@dataclass(frozen=True, eq=False)
class InjectionResult:
    """What came of injected errors.

    Attributes
    ----------
    table
        One row per sampler, seed, step, number of errors and prompt: ``sampler``, ``seed``, ``step``, ``errors``,
        ``prompt``, ``healed`` (replaced tokens that came right), ``steps_to_heal`` (mean over those), ``right`` (the
        whole answer), ``spread`` (answer tokens elsewhere that changed), ``steps_before``, ``steps_after`` (denoising
        steps of the canvas without and with errors).
    skipped
        Prompts that do not count: ``sampler``, ``seed``, ``step``, ``errors``, ``why``, ``prompts``.
    complete
        False after an interrupt.
    """

    table: pd.DataFrame
    skipped: pd.DataFrame
    complete: bool

    @classmethod
    def of(cls, rows: list[dict[str, Any]], skipped: list[dict[str, Any]], *, complete: bool) -> Self:
        """From the rows of both tables, which may be empty."""
        import pandas as pd

        return cls(
            pd.DataFrame(rows, columns=[*CELL, *MEASURED]), pd.DataFrame(skipped, columns=[*CELL, *WHY]), complete
        )

    def summary(self) -> pd.DataFrame:
        """One row per sampler, step and number of errors.

        Columns: ``runs``, ``tokens`` (replaced), ``healed`` (fraction of them) with ``healed_low`` and ``healed_high``
        (Wilson's interval at 95 %, which treats tokens of one canvas as independent and is so too narrow for several
        errors), ``right`` (fraction of answers) with its interval, ``spread`` and ``steps_to_heal`` (means).
        """
        import pandas as pd

        rows = []
        for (sampler, step, errors), cell in self.table.groupby(["sampler", "step", "errors"], sort=False):
            tokens, healed, right = (int(cell[name].sum()) for name in ("errors", "healed", "right"))
            healed_ends, right_ends = wilson([healed], [tokens]), wilson([right], [len(cell)])
            rows.append(
                {
                    "sampler": sampler,
                    "step": step,
                    "errors": errors,
                    "runs": len(cell),
                    "tokens": tokens,
                    "healed": healed / tokens,
                    "healed_low": float(healed_ends[0][0]),
                    "healed_high": float(healed_ends[1][0]),
                    "right": right / len(cell),
                    "right_low": float(right_ends[0][0]),
                    "right_high": float(right_ends[1][0]),
                    "spread": float(cell["spread"].mean()),
                    "steps_to_heal": float(cell["steps_to_heal"].mean()),
                }
            )
        return pd.DataFrame(rows)
