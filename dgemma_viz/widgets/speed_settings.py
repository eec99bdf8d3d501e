"""The speed lab's settings: what may be chosen, and the scenario that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dgemma_viz.costs import (
    CALIBRATED,
    FORMATS,
    HARDWARE,
    RELEASED,
    Acceptance,
    Efficiency,
    Hardware,
    ModelShape,
    Scenario,
)
from dgemma_viz.labs.samplers import Parameter
from dgemma_viz.widgets.settings_form import Group

AFTER_ACCEPTED, OF_ALL = "drafts after accepted ones", "all drafts"
_ACCEPTANCES: Final = {AFTER_ACCEPTED: Acceptance.constant, OF_ALL: Acceptance.average}
_WORK = (
    Parameter("batch", "Users at once", "Each has a prompt and an answer of its own.", 1, "whole", least=1, most=4096),
    Parameter("prompt", "Prompt", "Read once, before anything is written.", 1024, "whole", "tokens", 1, 262_144),
    Parameter("answer", "Answer", "What each user waits for.", 256, "whole", "tokens", 1, 262_144),
)
_WAYS = (
    Parameter(
        "steps",
        "Steps of a canvas",
        "Denoising steps, on average: the released model takes 4 to 9 on easy text, 16 in vLLM's figures, 48 at most.",
        16,
        "whole",
        least=1,
        most=1000,
    ),
    Parameter("drafted", "Drafted tokens", "Guessed by the drafter before each verification.", 4, "whole", "", 1, 64),
    Parameter(
        "acceptance",
        "Accepted",
        "Share of the drafted tokens that is kept. V's figures assume 0.8. A forum post (by gemmaclaw#133) has 0.66 "
        "for code, 0.31 for prose and 0.08 for JSON; tgmerritt.com 0.76 for code and 0.50 for prose on a GB10. Neither "
        "says of what: vLLM prints shares of all.",
        0.8,
        least=0.0,
        most=1.0,
    ),
    Parameter(
        "acceptance_of",
        "Accepted, of",
        "What that share is taken of. Of all drafted tokens: what vLLM prints as average acceptance. Of those whose "
        "predecessors were accepted: the alpha of papers. 0.31 with four drafts is 2.24 tokens a pass in the first "
        "case, 1.45 in the second.",
        AFTER_ACCEPTED,
        "choice",
        choices=(AFTER_ACCEPTED, OF_ALL),
    ),
    Parameter(
        "draft_milliseconds", "Time of a draft", "Of one drafted token; 0 where it is in the overhead.", 0.0, unit="ms"
    ),
)
_TITLES: Final = {"autoregressive": "Autoregressive", "drafting": "Drafting", "diffusion": "Diffusion"}
_DIGITS = 4
_COMPUTE = Parameter(
    "compute",
    "Compute: share of the peak",
    "Assumed for all three ways: no published pair of figures shows it.",
    CALIBRATED["diffusion"].compute,
    least=0.01,
    most=2.0,
)


def groups_for(machines: Mapping[str, Hardware]) -> list[Group]:
    """What is asked for, with these devices to choose from."""
    hardware = Parameter(
        "hardware", "Device", "Peaks as published; the table below has their sources.", "H100 SXM", "choice",
        choices=tuple(machines),
    )  # fmt: skip
    weights = Parameter(
        "weights", "Weights", "The head stays in BF16, as upstream keeps it.", "FP8", "choice", choices=tuple(FORMATS)
    )
    return [
        Group("Machine", (hardware, weights)),
        Group("Work", _WORK, usual={"batch": (1, 128), "prompt": (1, 8192), "answer": (1, 1024)}),
        Group("Ways of decoding", _WAYS, usual={"steps": (1, 48), "draft_milliseconds": (0.0, 5.0)}),
        Group("Efficiency factors: fitted to vLLM's H100 and H200 figures, a guess elsewhere", _factors(), folded=True),
    ]


def scenario_of(values: Mapping[str, Any], machines: Mapping[str, Hardware], shape: ModelShape = RELEASED) -> Scenario:
    """The scenario that checked values stand for.

    Raises
    ------
    SettingError
        The model does not fit into the device's memory.
    """
    efficiencies = {
        way: Efficiency(values[f"{way}_bandwidth"], values["compute"], values[f"{way}_overhead"]) for way in _TITLES
    }
    names = ("batch", "prompt", "answer", "steps", "draft_milliseconds")
    return Scenario(
        shape,
        FORMATS[values["weights"]],
        machines[values["hardware"]],
        efficiencies=efficiencies,
        acceptance=_ACCEPTANCES[values["acceptance_of"]](values["acceptance"], values["drafted"]),
        **{name: values[name] for name in names},
    )


def known_machines() -> dict[str, Hardware]:
    """Devices of the hardware table."""
    return dict(HARDWARE)


def _factors() -> tuple[Parameter, ...]:
    found = []
    for way, title in _TITLES.items():
        fitted = CALIBRATED[way]
        found += [
            Parameter(
                f"{way}_overhead",
                f"{title}: fixed part",
                "Launches, sampling, scheduling: of every pass, whatever it reads. Fitted together with the share of "
                "bandwidth, and as uncertain.",
                _rounded(fitted.overhead),
                unit="ms",
                most=1e4,
            ),
            Parameter(
                f"{way}_bandwidth",
                f"{title}: share of bandwidth",
                "Of the published peak. Two of the fits need 1.06, which no device has: they are no physics.",
                _rounded(fitted.bandwidth),
                least=0.01,
                most=10.0,
            ),
        ]
    return (*found, _COMPUTE)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
