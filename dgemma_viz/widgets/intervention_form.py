"""Say what to change at the place that a viewer shows: one action, and the few fields that it needs.

The place is not typed: it is the canvas, step, position and sample that the viewer shows, so that a reader scrubs to
the step, clicks the token, and chooses what to do with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.labs.interventions import (
    AddNoise,
    ChangeParameters,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    Intervention,
    Pin,
    Replace,
)
from dgemma_viz.labs.interventions.repeatable import sampler_of
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.widgets.fault_choice import explanation
from dgemma_viz.widgets.panels import close_tree
from dgemma_viz.widgets.parameter_choice import ParameterChoice

ACTIONS: Mapping[str, tuple[str, str]] = {
    "replace": ("Replace the token that the step reads", "The step reads another token here; then the run goes on."),
    "pin": (
        "Pin a token for the rest of the canvas",
        "From this step on, the position reads this token and the model is made certain of it.",
    ),
    "accept": ("Force the sampler to accept", "The step keeps its candidate here, however uncertain it is."),
    "renoise": ("Force the sampler to re-noise", "The step puts noise here, however certain it is."),
    "noise": (
        "Add noise to a part of the canvas",
        "Random tokens at randomly chosen positions, before the step reads.",
    ),
    "forget": (
        "Drop the self-conditioning",
        "From this step on, the model no longer sees what it predicted in the step before.",
    ),
    "change": ("Change a parameter", "From this step on, the sampler runs with another value."),
}
"""Action to its words in the list, and an explanation."""

_AT_A_POSITION = ("replace", "pin", "accept", "renoise")
_WITH_A_TOKEN = ("replace", "pin")


class InterventionForm(ipw.VBox):  # type: ignore[misc]
    """Fields for one intervention.

    Attributes
    ----------
    action
        Dropdown; a key of :data:`ACTIONS`.
    token
        Text field with the alternatives of the position as suggestions.
    share
        Per cent of the canvas that noise is added to.
    change
        Parameter to change, and its value.
    """

    def __init__(self) -> None:
        wide = ipw.Layout(width="min(26rem, calc(100% - 4px))")
        self.action = ipw.Dropdown(
            options=[(words, name) for name, (words, _) in ACTIONS.items()], description="Action", layout=wide
        )
        self.token = ipw.Combobox(description="Token", ensure_option=False, continuous_update=False, layout=wide)
        self.share = ipw.BoundedIntText(value=25, min=1, max=100, description="Per cent", layout=wide)
        self.change = ParameterChoice()
        self.about, self._place = ipw.HTML(), ipw.HTML()
        self._run: CanvasRun | None = None
        self._step, self._position = 0, -1
        self._ids: dict[str, int] = {}
        self.action.observe(lambda _: self._choose(), "value")
        super().__init__()
        self._choose()

    def close(self) -> None:
        """Close every field."""
        close_tree(self, super().close, besides=(self.token, self.share, self.change))

    def look_at(self, run: CanvasRun, step: int, position: int) -> None:
        """Follow what is looked at: its place, and its alternatives as suggestions."""
        self._run, self._step, self._position = run, step, position
        self._ids = {}
        where = f"canvas {run.canvas}, step {self._step}"
        if self._position >= 0 and run.n_steps:
            for token in run.array("top_k_ids")[self._step, self._position].tolist():
                self._ids.setdefault(display_text(run.token_text(token)), token)
            draft = display_text(run.token_text(run.array("draft")[self._step, self._position]))
            where += f", position {self._position} (its draft: {draft})"
        self.token.options = tuple(self._ids)
        self._place.value = explanation(f"At {where}")

    def offer(self, trace: Trace) -> None:
        """Parameters of the sampler that made a trace.

        Raises
        ------
        TraceError
            Its run cannot be repeated.
        """
        self.change.offer(sampler_of(trace), trace.facts.settings)

    def intervention(self) -> Intervention:
        """What the fields say.

        Raises
        ------
        SettingError
            A position or a token is needed and not chosen, or a value is out of range.
        """
        run, action = self._run, self.action.value
        if run is None:
            raise SettingError("there is no step to change")
        if action in _AT_A_POSITION and self._position < 0:
            raise SettingError("click a token first: this action is for one position")
        place: dict[str, Any] = {"canvas": run.canvas, "step": self._step, "sample": run.sample}
        if action == "replace":
            return Replace({self._position: self._token()}, **place)
        if action == "pin":
            return Pin(self._position, self._token(), **place)
        if action in _AT_A_POSITION:
            return (ForceAccept if action == "accept" else ForceRenoise)((self._position,), **place)
        if action == "noise":
            return AddNoise(self.share.value / 100, **place)
        del place["sample"]  # of the whole batch
        if action == "forget":
            return DropSelfConditioning(**place)
        return ChangeParameters(self.change.chosen(), **place)

    def _token(self) -> int | str:
        """The chosen alternative, else what is written: the tokenizer of the lab knows whether it is a token."""
        written: str = self.token.value
        if not written:
            raise SettingError("choose a token, or write one")
        return self._ids.get(written, written)

    def _choose(self) -> None:
        action = self.action.value
        self.about.value = explanation(ACTIONS[action][1])
        fields = {"noise": [self.share], "change": [self.change]}
        fields |= {name: [self.token] for name in _WITH_A_TOKEN}
        self.children = [self._place, self.action, self.about, *fields.get(action, [])]
