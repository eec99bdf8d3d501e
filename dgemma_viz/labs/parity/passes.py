"""Recorded canvases through a model, teacher-forced: each step reads what was recorded, whatever was decided before.

The passes are the model's own (its encoder over the prompt and the canvases that were emitted, its ``forward`` over
each noised canvas), prepared by the library's own methods as ``generate()`` prepares them; the loop around them is
ours, because no library offers one that reads a canvas from elsewhere. Nothing is drawn, so it runs on any device. With
the weights, versions and device of the recorded call the logits are those of the call to the last bit, in eager mode; a
static cache or compiled code sums in another order.

A causal model reads prompt and output in one pass. The recorded call read them token by token, and matrices of another
height are multiplied in another order: its logits come back up to rounding, and not always to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import DynamicCache

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.hooks import model_of
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import Trace
from dgemma_viz.upstream.transformers import CACHE, PREPARE_ENCODER, LinearTemperatureScheduleLogitsProcessor

_SAME_TEMPERATURE = 1e-5
"""Relative: recorded temperatures are held in 32 bits."""


@dataclass(frozen=True)
class Output:
    """What a pass gave.

    Attributes
    ----------
    logits
        Before temperature, float32 ``(B, C, V)``, on the model's device.
    hidden
        Hidden states ``(B, C, H)`` behind the embeddings and behind each layer; empty unless asked for.
    """

    logits: torch.Tensor
    hidden: tuple[torch.Tensor, ...] = ()


def heated(trace: Trace, step: int, logits: torch.Tensor) -> torch.Tensor:
    """Logits as the sampler used them, divided by the step's temperature: ``(B, C, V)``.

    Where the recorded temperature is that of the recorded schedule, upstream's own processor divides, to the last bit.
    """
    settings, recorded = trace.facts.settings, float(trace.temperature[step])
    t_min, t_max, limit = (settings.get(name) for name in ("t_min", "t_max", "max_denoising_steps"))
    if t_min is not None and t_max is not None and limit is not None:
        remaining = int(limit) - int(trace.step_in_canvas[step])
        planned = t_min + (t_max - t_min) * remaining / limit
        if np.isnan(recorded) or np.isclose(planned, recorded, rtol=_SAME_TEMPERATURE):
            processor = LinearTemperatureScheduleLogitsProcessor(t_min=t_min, t_max=t_max, max_denoising_steps=limit)
            left = torch.tensor(remaining, device=logits.device, dtype=torch.int32)
            divided: torch.Tensor = processor(None, logits, cur_step=left)
            return divided
    return logits if np.isnan(recorded) else logits / recorded


class DiffusionPasses:
    """Decoder passes of one DiffusionGemma over the canvases of a trace, in the order in which they were recorded.

    Parameters
    ----------
    model
        A DiffusionGemma, compiled or not.
    trace
        Of a run of transformers' loop, or of another runtime's port of it.
    hidden
        Whether to keep the hidden states of each pass.
    """

    def __init__(self, model: Any, trace: Trace, *, hidden: bool = False) -> None:
        self._model, self._trace, self._hidden = model_of(model), trace, hidden
        self._call = self._model if hasattr(model, "scheduler") else model  # a compiled model is called as it was given
        self._prefix: Any = None
        self._canvas = -1
        self._own: torch.Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self._model.device
        return device

    def run(self, step: int, conditioning: torch.Tensor | None) -> Output:
        """The pass of a step, given what :meth:`conditioning` of this or another model gave."""
        canvas = int(self._trace.canvas[step])
        with torch.no_grad():
            if canvas != self._canvas:
                self._encode(canvas)
            noised = self._ids(self._trace.noised[step])
            dtype = self._model.model.decoder.embed_tokens.weight.dtype
            given = None if conditioning is None else conditioning.to(self.device).to(dtype)
            more = {"output_hidden_states": True} if self._hidden else {}
            output = self._call(
                decoder_input_ids=noised,
                self_conditioning_logits=given,
                decoder_attention_mask=self._mask_over(noised),
                decoder_position_ids=self._positions,
                **{CACHE: self._prefix},
                **more,
            )
        return Output(output.logits.float(), tuple(output.hidden_states or ()) if self._hidden else ())

    def conditioning(self, step: int) -> torch.Tensor | None:
        """What this model's step before leaves for a step: ``(B, C, V)``, or None in the first of a canvas."""
        return self._own if self._trace.step_in_canvas[step] else None

    def keep(self, step: int, processed: torch.Tensor) -> None:
        """Take logits ``(B, C, V)`` for the next self-conditioning; samples that had finished keep their last."""
        kept = processed.to(self._model.model.decoder.embed_tokens.weight.dtype)
        if self._own is not None and self._trace.step_in_canvas[step]:
            active = torch.tensor(self._trace.active[step], device=kept.device)
            kept = torch.where(active[:, None, None], kept, self._own)
        self._own = kept

    def _encode(self, canvas: int) -> None:
        """Read the prompt, or the canvas that was emitted last, into the cache; canvases come one after the other."""
        trace = self._trace
        length, begin = trace.canvas_length, trace.prompt.shape[1]
        if canvas == 0:
            self._prefix = DynamicCache(config=self._model.config.get_text_config(decoder=True))
            before, ids = 0, self._ids(trace.prompt)
        else:
            before = begin + (canvas - 1) * length
            ids = self._ids(trace.emitted[canvas - 1])
        end = begin + canvas * length
        real = torch.tensor(trace.prompt_mask, dtype=torch.bool, device=self.device)
        mask = torch.nn.functional.pad(real, (0, canvas * length), value=True)
        positions = torch.arange(before, end, dtype=torch.int32, device=self.device)[None]
        ids, masks = getattr(self._model, PREPARE_ENCODER)(
            input_ids=ids,
            attention_mask=mask,
            encoder_position_ids=positions,
            is_prefill=canvas == 0,
            canvas_length=length,
            batch_size=len(ids),
            **{CACHE: self._prefix},
        )
        output = self._model.model.encoder(
            input_ids=ids, attention_mask=masks, position_ids=positions, **{CACHE: self._prefix}
        )
        self._prefix, self._canvas = getattr(output, CACHE), canvas
        self._mask = torch.nn.functional.pad(mask, (0, length), value=True)
        self._positions = torch.arange(end, end + length, dtype=torch.int32, device=self.device)[None]

    def _mask_over(self, noised: torch.Tensor) -> Any:
        return self._model.model.decoder.create_diffusion_decoder_attention_mask(
            config=self._model.config,
            inputs_embeds=noised[..., None],
            decoder_attention_mask=self._mask,
            **{CACHE: self._prefix},
        )

    def _ids(self, ids: npt.NDArray[Any]) -> torch.Tensor:
        return torch.tensor(ids, dtype=torch.long, device=self.device)


def causal_outputs(model: Any, trace: Trace, *, hidden: bool = False) -> Iterator[Output]:
    """Next-token logits at the positions of each canvas of a causal run, from one pass over prompt and output.

    Parameters
    ----------
    model
        A causal model; of a DiffusionGemma see :func:`dgemma_viz.labs.decoding.as_causal`.
    trace
        Of transformers' ``generate()`` of a causal model.
    hidden
        As for :class:`DiffusionPasses`.

    Raises
    ------
    SettingError
        Hidden states are wanted, and the model does not hand them out.
    """
    device = model.device
    prompt, length = trace.prompt.shape[1], trace.canvas_length
    ids = np.concatenate([trace.prompt, *trace.emitted], axis=1)
    real = np.concatenate([trace.prompt_mask, np.ones((trace.n_samples, ids.shape[1] - prompt), dtype=bool)], axis=1)
    mask = torch.tensor(real, dtype=torch.long, device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    more = {"output_hidden_states": True} if hidden else {}
    with torch.no_grad():
        output = model(
            input_ids=torch.tensor(ids, dtype=torch.long, device=device),
            attention_mask=mask,
            position_ids=positions,
            **more,
        )
    states = tuple(getattr(output, "hidden_states", None) or ()) if hidden else ()
    if hidden and not states:
        raise SettingError(f"a {type(model).__name__} hands out no hidden states: leave out layers=True")
    for canvas in range(len(trace.emitted)):
        span = slice(prompt - 1 + canvas * length, prompt - 1 + (canvas + 1) * length)
        yield Output(output.logits[:, span].float(), tuple(state[:, span] for state in states))


def written_in(trace: Trace, canvas: int) -> npt.NDArray[np.int64]:
    """Step in which a causal run wrote each position of a canvas: int ``(B, C)``; -1 where none did."""
    steps = np.flatnonzero(trace.canvas <= canvas)
    wrote = (trace.decision == Decision.ACCEPTED) & trace.active[:, :, None] & (trace.canvas == canvas)[:, None, None]
    first = wrote[steps].argmax(axis=0)
    return np.where(wrote[steps].any(axis=0), first, -1)
