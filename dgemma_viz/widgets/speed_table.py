"""The speed lab's answers as HTML: the three ways side by side, where they cross, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dgemma_viz.costs import Hardware, Scenario, validation
from dgemma_viz.costs.calibration import COMPUTE_RANGE
from dgemma_viz.costs.memory import canvas_buffers
from dgemma_viz.costs.scenario import WAY_NAMES, WayName
from dgemma_viz.markup import Markup, markup, tag

WAY_TITLES = {"autoregressive": "autoregressive", "drafting": "drafting (MTP)", "diffusion": "diffusion"}
_KINDS = {
    "held out": "Published, and used in no fit (✗: off by more than a quarter)",
    "calibration": "Published, and fitted: agrees by construction",
}
_GOOD = 0.25
"""A held-out error up to here counts as a rough agreement."""


def speed_table(scenario: Scenario) -> Markup:
    """Speeds of the three ways, modelled; of a way whose users do not fit, how many would."""
    rows = [
        _speed_row(scenario, way)
        if scenario.fits(way)
        else (WAY_TITLES[way], *"–––––", f"memory: {scenario.most_users(way)} users at most")
        for way in WAY_NAMES
    ]
    head = (
        "way",
        "tokens/s, all users",
        "tokens/s, each",
        "first token, ms",
        "whole answer, ms",
        "one pass, ms",
        "limit",
    )
    return _table("Three ways of decoding · modelled", head, rows, kind=" dgv-speed-ways")


def _speed_row(scenario: Scenario, way: WayName) -> tuple[str, ...]:
    speed = scenario.speed(way)
    return (
        WAY_TITLES[way],
        _number(speed.tokens_per_second),
        _number(speed.tokens_per_second / scenario.batch),
        _number(scenario.first_token_milliseconds(way)),
        _number(scenario.answer_milliseconds(way)),
        _number(speed.step.total),
        speed.step.limit,
    )


def crossings(scenario: Scenario) -> Markup:
    """Break-even length, tokens of a verified draft and batch crossover, in sentences."""
    most = scenario.most_users("diffusion")
    if not scenario.fits("diffusion"):
        said = [_does_not_fit(scenario)]
    else:
        said = [_break_even(scenario, way) for way in ("autoregressive", "drafting")]
    tokens = tag("b", f"{scenario.acceptance.tokens_a_pass:.2f} tokens")
    said.append(markup("A verified draft brings ", tokens, " on average."))
    said += [crossover_sentence(scenario, way) for way in ("autoregressive", "drafting") if most]
    return tag("p", ((one, " ") for one in said), "· modelled", style="margin:0;line-height:1.5")


def _does_not_fit(scenario: Scenario) -> Markup:
    each, device = canvas_buffers(scenario.shape) / 1e9, scenario.hardware.name
    users = tag("b", f"{scenario.most_users('diffusion')} users")
    taken = f"Diffusion does not fit: each user's canvas takes {each:.1f} GB of buffers"
    return markup(f"{taken}, so {device} holds ", users, " at most.")


def _break_even(scenario: Scenario, way: WayName) -> Markup:
    title, length = WAY_TITLES[way], scenario.faster_from(way)
    if length is None:
        return markup(f"Against {title}, no answer that fits into one canvas is faster by diffusion.")
    if length == 1:
        return markup(f"Against {title}, diffusion is faster at any length.")
    tokens = tag("b", f"{length} tokens")
    wasted = "a shorter answer wastes most of its canvas."
    return markup(f"Against {title}, diffusion is faster from ", tokens, f" on: {wasted}")


def crossover_sentence(scenario: Scenario, way: WayName) -> Markup:
    """From how many users on another way serves more, as a range over the share of compute that is assumed."""
    title, most = WAY_TITLES[way], scenario.most_users("diffusion")
    at_start = title[0].upper() + title[1:]
    (low, high), (least, greatest) = scenario.crossover_range(way), COMPUTE_RANGE
    assumed = f"the share of compute that is assumed, {least:g} to {greatest:g}"
    limit = f"the {most} users whose canvases fit into memory at most"
    if low is None and high is None:
        return markup(f"With up to {limit}, {title} does not serve more tokens a second.")
    if low == high == 1:
        return markup(f"For answers of this length {title} serves more tokens a second even with a single user.")
    if low is None or high is None:
        users, rest = f"{low or high}", f", or not up to {limit}: it depends on {assumed}."
    else:
        users = f"{low}" if low == high else f"{min(low, high)} to {max(low, high)}"
        rest = f", by {assumed}; diffusion's memory ends at {most}."
    return markup(f"{at_start} serves more tokens a second from ", tag("b", f"{users} users"), f" at once on{rest}")


def validation_table() -> Markup:
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
    return markup(parts)


def hardware_table(machines: Mapping[str, Hardware]) -> Markup:
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


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> Markup:
    names = tag("tr", (tag("th", name, scope="col") for name in head))
    body = (tag("tr", tag("th", first, scope="row"), (tag("td", cell) for cell in rest)) for first, *rest in rows)
    caption = tag("caption", tag("span", title))
    table = tag("table", caption, tag("thead", names), tag("tbody", body))
    return tag("div", table, class_=f"dgv-speed{kind}", tabindex=0, role="region", aria_label=title)


def _number(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits are enough
