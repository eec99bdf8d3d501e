"""The recorder of ``generate()`` and ``stream_generate()`` of a DiffusionGemma in mlx-vlm 0.7.10. Needs no torch.

The loop is a function of a module, and decides by functions of the same module. For the time of the block, calls of it
for the one model run its own code, byte for byte, with those functions wrapped
(:func:`dgemma_viz.upstream.mlx_vlm.with_functions`); every other call, and every other use of the functions, stays as
it was. What each gives is listed in :mod:`dgemma_viz.recorders.mlx_run`.

Why it is neutral. Each wrapper calls the original with its own arguments and returns its result untouched; MLX's arrays
do not change, and nothing is drawn from its generator. Its key is read when the run begins, which also is its seed:
``mx.random.seed(trace.facts.seed)`` begins there again. What recording does change is *when* MLX computes: it is lazy,
and the numbers of a step are asked for as soon as the step has decided. Without a stop rule the loop itself would ask
only at the end of the canvas. A failure of the recorder ends the recording, not the generation.

Two samplers. "entropy-bound" is the reference's. "confidence-threshold", mlx-vlm's default, reveals candidates as
probable as its threshold and keeps them; the canvas that is given out is nevertheless the last argmax. Entropy,
confidence and alternatives are of the logits divided by the schedule's temperature, by which both choose positions. The
call's own ``temperature`` (``facts.settings``) further divides what candidates are drawn from; at 0, mlx-vlm's default,
they are the argmax.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.assemble import record_of
from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.host_arrays import host_array
from dgemma_viz.recorders.mlx_run import MlxRun
from dgemma_viz.recorders.own_loop import Recorder
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.recorders.run_facts import now, versions
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream import mlx_vlm
from dgemma_viz.upstream.versions import installed_version

_SETTINGS = (
    "temperature",
    "diffusion_full_canvas",
    "diffusion_min_canvas_length",
    "diffusion_max_canvas_length",
    "diffusion_static_cache",
    "diffusion_compile",
    "prefill_step_size",
)
_KNOWN_AT_START = (
    "model_id",
    "model_class",
    "sampler",
    "sampler_kind",
    "settings",
    "versions",
    "vocab_size",
    "eos_token_ids",
    "pad_token_id",
    "seed",
    "device",
    "dtype",
    "started",
    "task",
)
_INPUTS = ("input_ids", "attention_mask", "pixel_values", "mm_token_type_ids", "decoder_input_ids")


class MlxDiffusionGemmaRecording(Recording):
    """Recording of mlx-vlm's DiffusionGemma; see the module."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        if missing := mlx_vlm.missing_parts(getattr(mlx_vlm.engine(), mlx_vlm.LOOP)):
            raise RecordingError(
                f"the DiffusionGemma loop of mlx-vlm {installed_version('mlx-vlm')} does not call {missing[0]}, by "
                "which that of 0.7.10 is recorded. Install 0.7.10, or write the steps down yourself with dv.Recorder"
            )
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, _vocabulary(model), ())
        super().__init__(model, tokenizer, **options)
        self._tokenizer = tokenizer

    def install(self, hooks: InstanceHooks) -> None:
        """Lead the loop's calls for this model to :meth:`_around_loop`."""
        hooks.route(mlx_vlm.engine(), mlx_vlm.LOOP, self._model, self._around_loop)

    def _around_loop(self, loop: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        run = self._begun()
        run.attempt(lambda: self._take_call(run, by_name(loop, args, kwargs, defaults=True)))
        own = mlx_vlm.with_functions(loop, run.functions(loop.__globals__))
        with self._kept(run), closing(own(*args, **kwargs)) as results:
            try:
                for result in results:
                    run.see(result)
                    yield result
            except BaseException as error:
                run.break_off()
                if isinstance(error, GeneratorExit):
                    run.end("interrupted", "whoever read the results stopped before the last one")
                raise

    def _begun(self) -> MlxRun:
        model, key = self._model, host_array(mlx_vlm.random_key()).astype(np.uint32)
        config = model.config
        facts = RunFacts(
            model_id=mlx_vlm.name_of(model),
            model_class=f"{type(model).__module__.rpartition('.')[0]}.{type(model).__name__}",
            seed=int(key[0]) << 32 | int(key[1]),
            vocab_size=_vocabulary(model),
            device=mlx_vlm.device_name(),
            dtype=str(config.dtype or ""),
            pad_token_id=(config.generation_config or {}).get("pad_token_id", config.text_config.pad_token_id),
            settings={"library": "mlx-vlm", "canvas_length": config.canvas_length},
            versions={**versions(), **{name: installed_version(name) for name in ("mlx", "mlx-vlm", "transformers")}},
            started=now(),
            task=self._task,
        )
        return MlxRun(facts, key.view(np.uint8), top_k=self._top_k, announce=self._announce)

    def _take_call(self, run: MlxRun, given: Mapping[str, Any]) -> None:
        """What the loop was given: sampler, settings, prompt, and where it ends."""
        name = given["diffusion_sampler"]
        settings = {one: given[one] for one in _SETTINGS if given[one] is not None and given[one] is not False}
        inputs = [one for one in _INPUTS if given[one] is not None]
        config = self._model.config.generation_config or {}
        ends = (*mlx_vlm.end_ids(given["tokenizer"]), *np.atleast_1d(config.get("eos_token_id") or []))
        run.facts = replace(
            run.facts,
            sampler=f"mlx-vlm {name}",
            sampler_kind="entropy-bound" if name == "entropy-bound" else "other",
            settings={**run.facts.settings, "max_new_tokens": given["max_tokens"], **settings, "inputs": inputs},
            eos_token_ids=tuple(dict.fromkeys(int(end) for end in ends)),
        )
        prompt, mask = host_array(given["input_ids"]), given["attention_mask"]
        if mask is not None:
            prompt = prompt[host_array(mask).astype(bool)][None]
        facts = {name: value for name, value in run.facts.to_json().items() if name in _KNOWN_AT_START}
        run.recorder = Recorder(self._tokenizer, prompt=prompt, top_k=self._top_k, **facts)

    def _announce(self, run: Run) -> None:
        if isinstance(run, MlxRun) and not run.stopped_by:
            self._tell(lambda: record_of(run.recorder.trace, -1, self._texts))

    def _has_steps(self, run: Run) -> bool:
        return run.has_steps if isinstance(run, MlxRun) else super()._has_steps(run)

    def _trace_of(self, run: Run) -> Trace:
        if run.trace is None and isinstance(run, MlxRun):
            trace = run.recorder.trace
            seen = {name: getattr(run.facts, name) for name in ("settings", "output_span", "error")}
            status = trace.facts.status if run.facts.status == "complete" else run.facts.status
            notices = (*trace.facts.notices, *run.facts.notices)
            facts = replace(trace.facts, **seen, status=status, notices=notices)
            run.trace = replace(trace, facts=facts, generator_state=run.generator_state)
        return super()._trace_of(run)


def _vocabulary(model: Any) -> int:
    return int(model.config.text_config.vocab_size)
