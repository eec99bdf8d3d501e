"""Both models over the canvases of a trace, side by side: what they say of each position, for the analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dgemma_viz.analysis.parity import Parity
from dgemma_viz.analysis.parity_conclusion import conclude
from dgemma_viz.analysis.parity_tables import Decisions, Drift, flips_of, last_steps, stops, table_of
from dgemma_viz.analysis.parity_verdict import Evidence, first_difference
from dgemma_viz.labs.parity.calibration import NoiseScale
from dgemma_viz.labs.parity.given import GivenLogits, check_finite
from dgemma_viz.labs.parity.layers import LayerDrift
from dgemma_viz.labs.parity.noise import RecordedNoise
from dgemma_viz.labs.parity.passes import DiffusionPasses, Output, causal_outputs, heated, written_in
from dgemma_viz.labs.parity.readings import differences, differences_from_record, read
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]
Heat = Callable[[torch.Tensor], torch.Tensor]

_DRIFT = tuple(field.name for field in fields(Drift))


class _Walk:
    """What both kinds of runs have in common: arrays of the trace's axes, filled look by look.

    Parameters
    ----------
    trace
        Whose canvases are read.
    model_a
        The recorded model, or None.
    b
        The second model, or its logits.
    levels, seed
        Of the noise that gives the scale.
    layers
        Whether to compare hidden states.
    """

    def __init__(self, trace: Trace, model_a: Any, b: Any, levels: Sequence[float], seed: int, *, layers: bool) -> None:
        self.trace, self.model_a, self.b = trace, model_a, b
        self.noise, self.scale, self.layers = RecordedNoise(trace), NoiseScale(levels, seed), LayerDrift(trace)
        self.with_layers, self.recorded_conditioning = layers, False
        shape = trace.noised.shape
        self.compared = np.zeros(shape, dtype=bool)
        self.drift = {name: np.full(shape, np.nan, dtype=np.float32) for name in _DRIFT}
        self.decided = {who: self._as_recorded() for who in "ab"}

    def _as_recorded(self) -> dict[str, Array]:
        names = ("draft", "entropy", "accepted", "candidate")
        return {name: getattr(self.trace, name).copy() for name in names}

    def take(self, steps: Array, here: Array, raw: Mapping[str, torch.Tensor], heat: Heat, bound: float) -> None:
        """Compare one look.

        Parameters
        ----------
        steps
            Step of each position, ``(B, C)``.
        here
            Which of them count, ``(B, C)``.
        raw
            Logits before temperature ``(B, C, V)``: ``b``, and ``a`` if the recorded model is at hand.
        heat
            Divides them by the temperature.
        bound
            Entropy bound, nats; NaN for none.
        """
        hot = {who: heat(logits) for who, logits in raw.items()}
        at = (steps[here], *np.nonzero(here))
        self.compared[at] = True
        found = self._differences(steps, raw, hot)
        for name in _DRIFT:
            self.drift[name][at] = getattr(found, name)[here]
        for who, logits in hot.items():
            reading = read(logits, bound)
            for name in ("draft", "entropy", "accepted"):
                self.decided[who][name][at] = getattr(reading, name).cpu().numpy()[here]
        draft, accepted = (self.decided["a"][name][at] != self.decided["b"][name][at] for name in ("draft", "accepted"))
        self.scale.add(raw.get("a", raw["b"]), heat, bound, here, (found.rms[here], draft, accepted, found.kl[here]))

    def _differences(self, steps: Array, raw: Mapping[str, torch.Tensor], hot: Mapping[str, torch.Tensor]) -> Drift:
        if "a" in raw:
            return differences((raw["a"], raw["b"]), (hot["a"], hot["b"]))
        return differences_from_record(self.trace, np.maximum(steps, 0), raw["b"], hot["b"])

    def draw(self, at: tuple[Any, ...], hot: Mapping[str, torch.Tensor]) -> None:
        """Candidates of both from the recorded noise."""
        for who, candidate in zip(hot, self.noise.candidates(list(hot.values())), strict=False):
            self.decided[who]["candidate"][at] = candidate.cpu().numpy()

    def result(self, other: Trace | None) -> Parity:
        """Tables and verdict; ``other`` is B's own run, or None."""
        trace, known = self.trace, self.noise.known
        drift = Drift(**self.drift)
        a, b = (self._decisions(self.decided[who], known=known) for who in "ab")
        recorded = self._decisions(self._as_recorded(), known=known)
        evidence = Evidence(
            trace=trace,
            a=a,
            b=b,
            compared=self.compared,
            last=last_steps(trace),
            own=not self.recorded_conditioning,
            noise=self.noise.why,
            unfaithful=self._unfaithful(a, recorded),
        )
        return Parity(
            table=table_of(trace, drift, a, b, self.compared),
            flips=flips_of(trace, drift, a, b, self.compared),
            calibration=self.scale.table(),
            layers=self.layers.table(),
            conclusion=conclude(evidence, other),
            drift=drift,
            a=a,
            b=b,
            compared=self.compared,
            notes=tuple(self._notes(a)),
            trace=trace,
        )

    def _decisions(self, values: Mapping[str, Array], *, known: bool) -> Decisions:
        draft, entropy = values["draft"], values["entropy"]
        candidate = values["candidate"] if known else None
        return Decisions(draft, entropy, values["accepted"], candidate, stops(self.trace, draft, entropy))

    def _unfaithful(self, a: Decisions, recorded: Decisions) -> str:
        if self.model_a is None:
            return ""
        found = first_difference(self.trace, a, recorded, self.compared, last_steps(self.trace))
        if found is None:
            return ""
        return (
            f"model_a's own passes do not decide as was recorded, first in {found[1]}: {found[2]}. It is not the model "
            "that was recorded, or ran otherwise then (compiled, another machine, another version)."
        )

    def _notes(self, a: Decisions) -> list[str]:
        notes = []
        if self.model_a is None:
            notes.append(
                "Only B was at hand: A's decisions are the recorded ones, the divergence is a lower bound from the "
                "recorded alternatives, and the drift of the logits is not known."
            )
        else:
            apart = np.abs(a.entropy - self.trace.entropy)[self.compared]
            gap = float(np.nanmax(apart, initial=0.0))
            notes.append(
                "A's passes repeat the recorded entropies to the last bit."
                if gap == 0
                else f"A's passes repeat the recorded entropies to within {gap:.2g} nats."
            )
        if isinstance(self.b, GivenLogits):
            notes.append(
                "B's logits were handed over: that they are of the recorded canvases, and self-conditioned by B's own "
                "step before, is taken on trust."
            )
        if not self.noise.known:
            notes.append(f"Candidates were not compared: {self.noise.why}.")
        return notes


class DenoisingWalk(_Walk):
    """Step by step over the canvases of a DiffusionGemma."""

    def run(self) -> None:
        """Read every step; the verdict needs them all."""
        trace = self.trace
        a = None if self.model_a is None else DiffusionPasses(self.model_a, trace, hidden=self.with_layers)
        b = None if isinstance(self.b, GivenLogits) else DiffusionPasses(self.b, trace, hidden=self.with_layers)
        for step in range(trace.n_steps):
            if not trace.step_in_canvas[step]:
                self.noise.begin_canvas(step)
            outputs = self._outputs(step, a, b)
            raw = {who: output.logits for who, output in outputs.items()}
            hot = {who: heated(trace, step, logits) for who, logits in raw.items()}
            for who, passes in (("a", a), ("b", b)):
                if passes is not None:
                    passes.keep(step, hot[who])
            raw = _on_one_device(raw)
            self.draw((step,), hot)
            self.noise.renoise(step)
            here = np.broadcast_to(trace.active[step][:, None], trace.noised.shape[1:])
            self.take(np.full(here.shape, step), here, raw, _heat(trace, step), float(trace.entropy_bound[step]))
            if self.with_layers:
                self.layers.add(step, here, outputs["a"].hidden, outputs["b"].hidden)

    def _outputs(self, step: int, a: DiffusionPasses | None, b: DiffusionPasses | None) -> dict[str, Output]:
        from_a = None if a is None else a.conditioning(step)
        outputs = {} if a is None else {"a": a.run(step, from_a)}
        if b is None:
            outputs["b"] = Output(self.b.logits(step))
        else:
            outputs["b"] = b.run(step, from_a if self.recorded_conditioning else b.conditioning(step))
        for who, output in outputs.items():
            check_finite(output.logits, self.trace, step, f"the logits of model_{who}")
        return outputs


def _heat(trace: Trace, step: int) -> Heat:
    return lambda logits: heated(trace, step, logits)


def _on_one_device(raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    device = next(iter(raw.values())).device
    return {who: logits.to(device) for who, logits in raw.items()}


class CausalWalk(_Walk):
    """Canvas by canvas over the output of a causal model: each position belongs to the step that wrote it."""

    def run(self) -> None:
        """Read prompt and output in one pass, and compare at each position that was written."""
        trace = self.trace
        runs: dict[str, Any] = {}
        if self.model_a is not None:
            runs["a"] = causal_outputs(self.model_a, trace, hidden=self.with_layers)
        given = isinstance(self.b, GivenLogits)
        runs["b"] = self.b.outputs() if given else causal_outputs(self.b, trace, hidden=self.with_layers)
        sampled = self._drawn_by_noise()
        for canvas, outputs in enumerate(zip(*runs.values(), strict=True)):
            named = dict(zip(runs, outputs, strict=True))
            steps = written_in(trace, canvas)
            here = steps >= 0
            step = int(steps.max())
            for who, output in named.items():
                check_finite(output.logits, trace, step, f"the logits of model_{who}")
            raw = _on_one_device({who: output.logits for who, output in named.items()})
            self.take(steps, here, raw, _heat(trace, step), float("nan"))
            hot = {who: heated(trace, step, logits) for who, logits in raw.items()}
            self._candidates(steps, here, hot, sampled=sampled)
            if self.with_layers:
                self.layers.add(step, here, named["a"].hidden, named["b"].hidden)

    def _drawn_by_noise(self) -> bool:
        """Whether tokens were drawn; where that was done in a way that cannot be repeated, the noise is not known."""
        settings, facts = self.trace.facts.settings, self.trace.facts
        if not settings.get("do_sample"):
            self.noise.why = ""  # nothing is drawn: the candidate is the draft
            return False
        plain = set(settings.get("logits_processors", [])) <= {"TemperatureLogitsWarper"}
        if facts.sampler != "autoregressive" or not plain or self.model_a is None:
            self.noise.contradicted("tokens were drawn in a way that is not repeated here, or model_a is missing")
        return True

    def _candidates(self, steps: Array, here: Array, hot: Mapping[str, torch.Tensor], *, sampled: bool) -> None:
        if not sampled:
            at = (steps[here], *np.nonzero(here))
            for who in hot:
                self.decided[who]["candidate"][at] = self.decided[who]["draft"][at]
            return
        samples = np.arange(here.shape[0])
        for position in range(here.shape[1]):
            if not here[:, position].any():
                continue
            wrote = here[:, position]
            where: tuple[Any, ...] = (steps[:, position][wrote], samples[wrote], position)
            drawn = self.noise.candidates([logits[:, position] for logits in hot.values()])
            for who, candidate in zip(hot, drawn, strict=False):
                self.decided[who]["candidate"][where] = candidate.cpu().numpy()[wrote]
