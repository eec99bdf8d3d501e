"""One run of mlx-vlm's DiffusionGemma: the functions that its loop is to call, and what they saw.

The loop's functions, as :mod:`dgemma_viz.upstream.mlx_vlm` names them, are called in this order: decoder pass,
schedule, then sample, entropy or probability, acceptance, and the stop rule. A step is handed over when the stop rule
has answered, or, where it is not asked, when something follows: the next pass, or a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from dgemma_viz.recorders.host_arrays import host_array
from dgemma_viz.recorders.mlx_step import MlxStep
from dgemma_viz.recorders.own_loop import Recorder
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.upstream import mlx_vlm

Function = Callable[..., Any]


@dataclass
class MlxRun(Run):
    """Grows while the loop runs; its steps are those of the recorder."""

    recorder: Recorder = field(default_factory=Recorder)
    top_k: int = 8
    announce: Callable[[MlxRun], None] = lambda _run: None
    canvases: int = 0
    step: MlxStep | None = None
    """The one that is going on."""
    in_canvas: int = 0
    """Steps of the canvas so far."""
    tokens: list[int] = field(default_factory=list)
    """Of the canvas, as far as the loop gave them out."""
    count: int = 0
    """Tokens that the loop has counted."""
    draft: Any = None
    """The last one, ``(B, C)``."""

    @property
    def has_steps(self) -> bool:
        """Whether a step was handed over."""
        return self.draft is not None

    @property
    def next_place(self) -> tuple[int, int]:
        """Canvas and step in canvas of the step that comes next."""
        return self.canvases, self.in_canvas

    def functions(self, theirs: Mapping[str, Any]) -> dict[str, Function]:
        """Functions for the loop, around those that it calls."""
        around: dict[str, Function] = {
            mlx_vlm.DECODERS: self._decoders,
            mlx_vlm.SCHEDULE: self._schedule,
            mlx_vlm.SAMPLE: self._sample,
            mlx_vlm.ENTROPY: self._entropy,
            mlx_vlm.ACCEPT_BY_ENTROPY: self._accept_by_entropy,
            mlx_vlm.PROBABILITY: self._probability,
            mlx_vlm.ACCEPT_BY_CONFIDENCE: self._accept_by_confidence,
            mlx_vlm.STOP: self._stop,
        }
        return {name: partial(function, theirs[name]) for name, function in around.items()}

    # -- in the order of a step ----------------------------------------------------------------------------------

    def _decoders(self, original: Function, *args: Any, **kwargs: Any) -> tuple[Function, ...]:
        return tuple(partial(self._decode, decode) for decode in original(*args, **kwargs))

    def _decode(self, original: Function, canvas: Any, *args: Any) -> Any:
        self.attempt(self.finish_step)
        self.step = None
        logits = original(canvas, *args)
        self.attempt(partial(self._begin, canvas, logits))
        return logits

    def _schedule(self, original: Function, remaining: int, steps: int, config: Any) -> Any:
        temperature = original(remaining, steps, config)
        self.attempt(partial(self._take_schedule, temperature, steps, config))
        return temperature

    def _sample(self, original: Function, logits: Any, dtype: Any, temperature: float) -> Any:
        candidate = original(logits, dtype, temperature)
        self._note(candidate=candidate)
        return candidate

    def _entropy(self, original: Function, logits: Any) -> Any:
        entropy = original(logits)
        self._note(entropy=entropy)
        return entropy

    def _accept_by_entropy(self, original: Function, entropy: Any, bound: float) -> Any:
        mask = original(entropy, bound)
        self._know(entropy_bound=bound)
        if step := self.step:
            self.attempt(lambda: step.accepted_by_entropy(mask, bound, self.top_k))
        return mask

    def _probability(self, original: Function, logits: Any, candidate: Any) -> Any:
        self._note(candidate=candidate)
        return original(logits, candidate)

    def _accept_by_confidence(
        self, original: Function, confidence: Any, unrevealed: Any, threshold: float, *, force_all: bool = False
    ) -> Any:
        mask = original(confidence, unrevealed, threshold, force_all=force_all)
        self._know(threshold=threshold)
        if step := self.step:
            self.attempt(lambda: step.accepted_by_confidence(mask, unrevealed, self.top_k))
        return mask

    def _stop(self, original: Function, draft: Any, logits: Any, earlier: Any, config: Any) -> Any:
        done = original(draft, logits, earlier, config)
        self._know(**mlx_vlm.stop_rule_of(config))
        self._note(finished=bool(done))
        self.attempt(self.finish_step)
        return done

    # -- what follows from them ----------------------------------------------------------------------------------

    def _begin(self, canvas: Any, logits: Any) -> None:
        self.step = MlxStep(host_array(canvas), logits)

    def _take_schedule(self, temperature: float | None, steps: int, config: Any) -> None:
        if self.step is not None:
            self.step.temperature = temperature
        self._know(max_denoising_steps=steps, **mlx_vlm.schedule_of(config or {}))

    def _note(self, **seen: Any) -> None:
        if self.step is not None:
            for name, value in seen.items():
                setattr(self.step, name, value)

    def _know(self, **settings: Any) -> None:
        self.facts = replace(self.facts, settings={**self.facts.settings, **settings})

    def finish_step(self) -> None:
        """Hand the step over that is going on, if there is one."""
        step, self.step = self.step, None
        if step is None:
            return
        step.reduce(self.top_k)
        self.draft = step.reduced["draft"]
        self.recorder.step(**step.handed_over())
        self.in_canvas += 1
        self.announce(self)

    def see(self, result: Any) -> None:
        """Take what the loop gives out."""
        if not result.is_draft:
            self.attempt(self.finish_step)
            self.attempt(partial(self._take_token, result))

    def _take_token(self, result: Any) -> None:
        if not result.diffusion_block_complete:
            if result.finish_reason is None:
                self.tokens.append(int(result.token))
            return
        if result.generation_tokens > self.count + len(self.tokens):  # it ends the sequence, and is not given out
            self.tokens.append(int(result.token))
        self.count, tokens = self.count + len(self.tokens), self.tokens
        self.canvases, self.in_canvas, self.tokens = self.canvases + 1, 0, []
        self._emit(tokens)

    def _emit(self, tokens: list[int]) -> None:
        """What was given out of the canvas; where that is less than all, and no end token says so, the span says it."""
        length = self.draft.shape[1]
        if len(tokens) == length or tokens[-1] in self.facts.eos_token_ids:
            self.recorder.emit([tokens])
        else:
            self.recorder.emit(np.concatenate([[tokens], self.draft[:, len(tokens) :]], axis=1))
            self.facts = replace(self.facts, output_span=(0, self.count))

    def break_off(self) -> None:
        """Keep the step that the loop had decided, if it ended there."""
        if self.step is not None and self.step.decided:
            self.attempt(self.finish_step)
