"""The speed lab's answers as HTML: the three ways side by side, where they cross, and how far to trust it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from dgemma_viz.costs import validation
from dgemma_viz.costs.scenario import WAY_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dgemma_viz.costs import Hardware, Scenario

WAY_TITLES = {"autoregressive": "autoregressive", "drafting": "drafting (MTP)", "diffusion": "diffusion"}
_KINDS = {
    "held out": "Published, and used in no fit (✗: off by more than a quarter)",
    "calibration": "Published, and fitted: agrees by construction",
}
_GOOD = 0.25
"""A held-out error up to here counts as a rough agreement."""


def speed_table(scenario: Scenario) -> str:
    """Speeds of the three ways, modelled."""
    rows = []
    for way in WAY_NAMES:
        speed = scenario.speed(way)
        rows.append(
            (
                WAY_TITLES[way],
                _number(speed.tokens_per_second),
                _number(speed.tokens_per_second / scenario.batch),
                _number(scenario.first_token_milliseconds(way)),
                _number(scenario.answer_milliseconds(way)),
                _number(speed.step.total),
                _number(speed.tokens_per_unit / speed.batch / speed.passes_per_unit),
                speed.step.limit,
            )
        )
    head = (
        "way",
        "tokens/s, all users",
        "tokens/s, each",
        "first token, ms",
        "whole answer, ms",
        "one pass, ms",
        "tokens a pass",
        "limit",
    )
    return _table("Three ways of decoding · modelled", head, rows, kind=" dgv-speed-ways")


def crossings(scenario: Scenario) -> str:
    """Break-even length and batch crossover, in sentences."""
    said = []
    for way in ("autoregressive", "drafting"):
        length, users = scenario.faster_from(way), scenario.crossover(way)
        title = WAY_TITLES[way]
        if length is None:
            said.append(f"Against {title}, no answer that fits into one canvas is faster by diffusion.")
        elif length == 1:
            said.append(f"Against {title}, diffusion is faster at any length.")
        else:
            said.append(
                f"Against {title}, diffusion is faster from <b>{length} tokens</b> on: a shorter answer wastes "
                "most of its canvas."
            )
        if users is None:
            said.append("It serves more tokens a second with as many users as fit.")
        elif users == 1:
            said.append("For answers of this length it serves fewer tokens a second even with a single user.")
        else:
            said.append(f"From <b>{users} users</b> at once on, {title} serves more tokens a second.")
    return f"<p style='margin:0;line-height:1.5'>{' '.join(said)} · modelled</p>"


def validation_table() -> str:
    """Predictions beside published measurements; fitted points apart from those that were held out."""
    points = validation().to_dict("records")
    parts = []
    for kind, title in _KINDS.items():
        rows = [
            (
                point["what"],
                point["hardware"],
                _number(point["published"]),
                _number(point["predicted"]),
                point["unit"],
                f"{point['error']:+.0%}{'' if abs(point['error']) <= _GOOD else ' ✗'}",
                point["source"],
                point["remark"],
            )
            for point in points
            if point["kind"] == kind
        ]
        head = ("what", "device", "published", "modelled", "unit", "error", "source", "why")
        parts.append(_table(title, head, rows))
    return "".join(parts)


def hardware_table(machines: Mapping[str, Hardware]) -> str:
    """The devices with their sources."""
    rows = [
        (
            name,
            _number(one.bf16),
            "–" if one.fp8 is None else _number(one.fp8),
            _number(one.bandwidth),
            _number(one.memory),
            one.source,
        )
        for name, one in machines.items()
    ]
    head = ("device", "BF16, TFLOP/s", "FP8, TFLOP/s", "bandwidth, GB/s", "memory, GB", "source")
    return _table("Devices", head, rows)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    cells = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return (
        f"<div class='dgv-speed{kind}' tabindex='0' role='region' aria-label='{escape(title)}'><table>"
        f"<caption><span>{escape(title)}</span></caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _number(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits are enough
