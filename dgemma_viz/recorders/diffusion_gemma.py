"""Records ``DiffusionGemmaForBlockDiffusion.generate()`` of transformers, as it runs.

What is hooked. For the time of the ``with`` block the model *object* (never its class) gets instance attributes in
front of these methods of ``DiffusionGemmaGenerationMixin``; each calls the original with unchanged arguments and
returns its result unchanged:

=============================  ======================================================================================
``generate``                   a run begins and ends, well or with an exception
``_prepare_generation_config``  the settings asked for
``_prepare_encoder_inputs``    the prompt (first call of a run)
``_prepare_denoiser_inputs``   a new canvas
``_denoising_step``            noised canvas, draft, who had finished before and after
``_finalize_canvas``           emitted tokens
=============================  ======================================================================================

Within a denoising step the sampler object's ``accept_canvas`` is overheard too: there, and only there, the candidate,
the processed logits and the acceptance are all at hand. The logits are reduced at once and not kept.

Why it is neutral. No random number is drawn, no tensor of the model's is written to, ``forward`` is not touched (so
compiled code stays valid), and what is kept are copies. A step counts once it has returned: an interrupt leaves whole
steps only.

What really ran. With a static cache, transformers compiles ``accept_canvas`` as a method bound to the *first* call's
sampler and keeps it on the model (``_compile_functions``, seen in 5.23.0): later calls decide with the first one's
entropy bound, and their own sampler object never gets a mask. The recorder follows the compiled function to the sampler
that it is bound to, records that one's mask and bound, and warns when the bound is not the one asked for.
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
import warnings
from typing import TYPE_CHECKING, Any, Self

import torch
from transformers import TemperatureLogitsWarper
from transformers.models.diffusion_gemma.generation_diffusion_gemma import LinearTemperatureScheduleLogitsProcessor

from dgemma_viz.recorders.recording import Recording, RecordingWarning, StaleSamplerWarning
from dgemma_viz.recorders.reduce import reduce_logits
from dgemma_viz.recorders.run import RunBuffer, park
from dgemma_viz.recorders.run_facts import eos_ids_of, facts_before_a_run, settings_of
from dgemma_viz.recorders.token_texts import check_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_ABSENT = object()


class DiffusionGemmaRecording(Recording):
    """The recording of one model; see :func:`dgemma_viz.recorders.record`."""

    def _open(self) -> None:
        if self._tokenizer is not None:
            eos = eos_ids_of(self._model.generation_config)
            check_tokenizer(self._tokenizer, int(self._model.config.get_text_config().vocab_size), eos)
        self._running: dict[int, RunBuffer] = {}
        self._displaced: list[tuple[str, Any]] = []
        for name in (
            "generate",
            "_prepare_generation_config",
            "_prepare_encoder_inputs",
            "_prepare_denoiser_inputs",
            "_denoising_step",
            "_finalize_canvas",
        ):
            self._put_in_front(name, getattr(self, f"_around_{name.lstrip('_')}"))

    def _close(self) -> None:
        while self._displaced:
            name, before = self._displaced.pop()
            if before is _ABSENT:
                self._model.__dict__.pop(name, None)
            else:
                self._model.__dict__[name] = before

    def _put_in_front(self, name: str, around: Callable[..., Any]) -> None:
        original = getattr(self._model, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def hooked(*args: Any, **kwargs: Any) -> Any:
            if name == "generate":
                return around(original, args, kwargs)
            run = self._running.get(threading.get_ident())
            if run is None:
                return original(*args, **kwargs)
            return around(run, lambda: original(*args, **kwargs), signature.bind(*args, **kwargs).arguments)

        self._displaced.append((name, self._model.__dict__.get(name, _ABSENT)))
        self._model.__dict__[name] = hooked

    # -- the hooks, in the order in which generate() meets them ------------------------------------------------------

    def _around_generate(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        thread = threading.get_ident()
        canvas_length = int(self._model.config.canvas_length)
        top_k = min(self._top_k, int(self._model.config.get_text_config().vocab_size))
        run = RunBuffer(self._tokenizer, top_k, facts_before_a_run(self._model, self._task), canvas_length)
        device = self._model.device
        state = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
        run.generator_state = state.numpy().copy()
        self._running[thread] = run
        self._runs.append(run)
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            kind = "failed" if isinstance(error, Exception) else "interrupted"
            self._finish(run, kind, f"{type(error).__name__}: {error}".rstrip(": "))
            raise
        else:
            self._finish(run)
            return result
        finally:
            del self._running[thread]

    def _around_prepare_generation_config(
        self, run: RunBuffer, proceed: Callable[[], Any], _arguments: dict[str, Any]
    ) -> Any:
        result = proceed()
        config = result[0]
        run.set_facts(
            settings=settings_of(config, run.canvas_length),
            eos_token_ids=eos_ids_of(config),
            pad_token_id=config.pad_token_id,
        )
        return result

    def _around_prepare_encoder_inputs(self, run: RunBuffer, proceed: Callable[[], Any], given: dict[str, Any]) -> Any:
        if run.prompt is None:
            ids = given["input_ids"]
            run.prompt = park(ids)
            run.prompt_mask = park(given["attention_mask"][:, -ids.shape[1] :].bool())
            run.n_samples = int(ids.shape[0])
        return proceed()

    def _around_prepare_denoiser_inputs(self, run: RunBuffer, proceed: Callable[[], Any], _: dict[str, Any]) -> Any:
        result = proceed()
        run.next_canvas()
        run.canvas_length = int(result[0].shape[-1])
        return result

    def _around_denoising_step(self, run: RunBuffer, proceed: Callable[[], Any], given: dict[str, Any]) -> Any:
        # generate() updates this mask in place: copy it before the step.
        step = {"noised": park(given["current_canvas"]), "active": park(~given["finished_denoising"])}
        sampler = given["sampler"]
        with _Overheard(sampler, run.top_k) as overheard:
            result = proceed()
        if overheard.tensors is None:
            return result
        step |= overheard.tensors
        step |= {"draft": park(result[1]), "finished": park(result[3])}
        self._judge(run, sampler, overheard)
        temperature = _temperature(given["logits_processor"], int(given["cur_step"]))
        run.add_step(step, temperature=temperature, entropy_bound=overheard.entropy_bound)
        run.set_facts(sampler=type(overheard.decider).__name__)
        self._tell(run)
        return result

    def _around_finalize_canvas(self, run: RunBuffer, proceed: Callable[[], Any], given: dict[str, Any]) -> Any:
        past_end = park(given["finished_sequences"])
        result = proceed()
        run.add_emitted(park(result[0][:, -run.canvas_length :]), past_end)
        return result

    def _judge(self, run: RunBuffer, sampler: Any, overheard: _Overheard) -> None:
        asked = getattr(sampler, "entropy_bound", math.nan)
        if overheard.decider is not sampler and overheard.entropy_bound != asked:
            message = (
                f"the entropy bound that ran is {overheard.entropy_bound:g}, not the {asked:g} asked for: transformers "
                "keeps the sampler of the first compiled generate() on the model. Remedy: before the call, 'del "
                "model._compiled_accept_canvas, model._compiled_renoise_canvas', or pass disable_compile=True"
            )
            if run.warn_once(message):
                warnings.warn(message, StaleSamplerWarning, stacklevel=2)
        if not overheard.measured_mask:
            message = "the sampler showed no acceptance mask: accepted positions are those that kept their candidate"
            if run.warn_once(message):
                warnings.warn(message, RecordingWarning, stacklevel=2)


class _Overheard:
    """While open, listens to one call of a sampler's ``accept_canvas`` and keeps copies of the small results."""

    def __init__(self, sampler: Any, top_k: int) -> None:
        self._sampler, self._top_k = sampler, top_k
        self._before = sampler.__dict__.get("accept_canvas", _ABSENT)
        self._accept = sampler.accept_canvas
        self._signature = inspect.signature(type(sampler).accept_canvas)
        self.decider = _decider(self._accept, sampler)
        self.entropy_bound = float(getattr(self.decider, "entropy_bound", math.nan))
        self.tensors: dict[str, Tensor] | None = None
        self.measured_mask = True

    def __enter__(self) -> Self:
        self._sampler.accept_canvas = self._listen
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is _ABSENT:
            del self._sampler.accept_canvas
        else:
            self._sampler.accept_canvas = self._before

    def _listen(self, *args: Any, **kwargs: Any) -> Tensor:
        accepted_canvas: Tensor = self._accept(*args, **kwargs)
        given = self._signature.bind(self._sampler, *args, **kwargs).arguments
        candidate, logits = given["denoiser_canvas"], given["logits"]
        mask = getattr(self.decider, "accepted_token_mask", None)
        if mask is None or mask.shape != candidate.shape:
            self.measured_mask = False
            mask = accepted_canvas == candidate
        reduced = reduce_logits(logits, candidate, self._top_k)
        self.tensors = {name: park(tensor) for name, tensor in reduced.items()}
        self.tensors |= {"candidate": park(candidate), "accepted": park(mask)}
        return accepted_canvas


def _decider(accept: Any, sampler: Any) -> Any:
    """The sampler whose acceptance runs: the one that a compiled method is bound to, which may not be ``sampler``."""
    original = getattr(accept, "_torchdynamo_orig_callable", accept)
    return getattr(original, "__self__", sampler)


def _temperature(logits_processor: Any, steps_remaining: int) -> float:
    """What the processors divided the logits by; NaN if none of them is a temperature.

    Upstream's schedule: ``t_min + (t_max - t_min) * n / N`` with ``n`` steps remaining of ``N``.
    """
    temperature = math.nan
    for processor in logits_processor:
        if isinstance(processor, LinearTemperatureScheduleLogitsProcessor):
            share = steps_remaining / processor.max_denoising_steps
            factor = processor.t_min + (processor.t_max - processor.t_min) * share
        elif isinstance(processor, TemperatureLogitsWarper):
            factor = float(processor.temperature)
        else:
            continue
        temperature = factor if math.isnan(temperature) else temperature * factor
    return temperature
