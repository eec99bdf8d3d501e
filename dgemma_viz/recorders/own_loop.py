"""Record any denoising loop in three lines of its own code, with the same trace as :func:`dgemma_viz.record` makes.

LLaDA (arXiv 2502.09992), for instance; ``x`` holds prompt and answer, ``block`` is a slice of the answer::

    recorder = dv.Recorder(tokenizer, prompt=prompt_ids, mask_token_id=mask_id)          # 1
    for block in blocks:
        for step in range(steps):
            logits = model(x).logits
            before, x0 = x.clone(), logits.argmax(-1)
            transfer_index = ...  # where the loop unmasks now
            x[transfer_index] = x0[transfer_index]
            recorder.step(noised=before[:, block], logits=logits[:, block], candidate=x0[:, block])  # 2
        recorder.emit(x[:, block])                                                       # 3
    recorder.trace

Design. The recorder is told, it hooks nothing; so what is wrong in what it is told is refused at once, naming step and
argument. Arrays are copied, logits are reduced in :meth:`Recorder.step` and not kept. A trace is built from the steps
like one of JSON lines (:mod:`dgemma_viz.trace.json_lines`): what was never handed over is NaN, false or
:data:`~dgemma_viz.trace.model.UNKNOWN_TOKEN`, and stands in ``trace.facts.absent``. Needs numpy; torch only where
tensors of it are handed over.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from dgemma_viz.errors import RecordingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders.own_loop_step import (
    Array,
    OwnStep,
    check_like,
    in_vocabulary,
    judge_arrays,
    judge_states,
    lost,
    prompts,
    reduce_step,
)
from dgemma_viz.recorders.own_loop_trace import emitted_rows, trace_of_steps
from dgemma_viz.recorders.run_buffer import warn_user
from dgemma_viz.recorders.run_facts import facts_given
from dgemma_viz.redaction import text_of
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING, moved
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.tokenizer import TokenTexts, check_tokenizer, tokenizer_of


class Recorder:
    """Recorder of one run of an own loop.

    As a context manager it notes how the run ended: an exception inside the block makes the trace so far "failed" (or
    "interrupted", by Ctrl-C), and goes on.

    Parameters
    ----------
    tokenizer
        The model's tokenizer, or the processor that holds it; None leaves the trace without token texts.
    prompt
        Token ids: ``(P,)``; ``(B, P)``; or a list of them for each sample, where lengths differ. None: no prompt.
    mask_token_id
        For models with a mask token: its id. Positions that hold it count as noise.
    top_k
        Alternatives kept per position where logits are given.
    **facts
        What else there is to know: fields of :class:`~dgemma_viz.trace.model.RunFacts`, such as ``sampler``,
        ``sampler_kind`` (whose rules it is held against: "entropy-bound", "mask-token", ..., "other"),
        ``settings``, ``seed``, ``task``, ``model_id``, ``eos_token_ids`` (default: the tokenizer's) and ``vocab_size``
        (default: what the logits have, else the tokenizer's). JSON types only.

    Raises
    ------
    RecordingError
        This is not a tokenizer, a fact is unknown or of the wrong type, or the prompt holds no token ids.
    SettingError
        ``top_k`` is less than 1.
    """

    def __init__(
        self,
        tokenizer: Any = None,
        *,
        prompt: Any = None,
        mask_token_id: int | None = None,
        top_k: int = 8,
        **facts: Any,
    ) -> None:
        checked_range("top_k", top_k, 1, whole=True, unit="alternatives to keep")
        self._tokenizer = tokenizer_of(tokenizer)
        self._facts = facts_given(facts, self._tokenizer, mask_token_id)
        self._size_is_given = bool(facts.get("vocab_size"))
        self._prompt = prompts(prompt)
        self._top_k = top_k
        self._texts = TokenTexts(self._tokenizer)
        self._started = time.perf_counter()
        self._steps: list[OwnStep] = []
        self._emitted: list[Array] = []
        self._trace: Trace | None = None

    # -- what the loop says --------------------------------------------------------------------------------------

    def step(  # noqa: PLR0913 - each is an array of the schema, and most are optional
        self,
        *,
        noised: Any,
        logits: Any = None,
        candidate: Any = None,
        draft: Any = None,
        accepted: Any = None,
        decision: Any = None,
        entropy: Any = None,
        confidence: Any = None,
        candidate_probability: Any = None,
        top_k_ids: Any = None,
        top_k_probabilities: Any = None,
        temperature: float | None = None,
        entropy_bound: float | None = None,
        phase: int = Phase.DENOISE,
        active: Any = True,
        finished: Any = None,
    ) -> None:
        """Take one denoising step of the current canvas: call it once per decoder pass, after the decision.

        Arrays are those of any library (torch, numpy, ``mx.array``, JAX, whatever has ``__array__`` or ``__dlpack__``)
        in any dtype, or lists. They are of the canvas's positions only (not of the prompt): ``(C,)`` for one sample or
        ``(B, C)``. What is given in one step must be given in all, but for a step that made no decision (one whose
        argmax is emitted without sampling): leave ``candidate``, ``accepted``, ``decision`` and
        ``candidate_probability`` out there, and ``temperature`` and ``entropy_bound`` if it has none.

        Canvases may differ in length. A position keeps its meaning in all steps of its canvas: loops that insert or
        delete tokens are refused where it shows.

        Parameters
        ----------
        noised
            Token ids that the step READ; a copy from before the loop changed them.
        logits
            ``(C, V)`` or ``(B, C, V)``, reduced at once: those that the candidate was sampled from, after temperature
            and filters. Where the loop ranks positions by other logits (LLaDA: the raw ones), give those; confidence,
            entropy and alternatives are of one distribution.
            Tokens with -inf count as ruled out (see :data:`dgemma_viz.trace.schema.RULED_OUT`), unless most tokens of
            most positions have it, as behind top-k or top-p.
            They give ``draft``, ``entropy``, ``confidence``, ``candidate_probability`` and the alternatives, unless
            these are given themselves.
        candidate
            Token ids that the step sampled.
        draft
            Argmax token ids. Needed where there are no logits, unless there is a candidate, which then counts as draft.
        accepted
            True where the candidate was put into the canvas. With a mask token it may be left out: it is then seen from
            what the next step reads; and positions unmasked before count as kept, edited or masked again by the same.
        decision
            Instead of it, codes of :class:`~dgemma_viz.trace.decision.Decision`.
        entropy, confidence, candidate_probability
            Of the distribution that was sampled from; nats, probability of the draft, probability of the candidate.
        top_k_ids, top_k_probabilities
            The most probable tokens, best first: ``(C, K)`` or ``(B, C, K)``.
        temperature
            What the logits had been divided by.
        entropy_bound
            In nats, if the sampler has one.
        phase
            Code of :class:`~dgemma_viz.trace.decision.Phase`.
        active
            False for samples that had finished before the step: ``(B,)``; default all true.
        finished
            True for samples whose canvas is done after the step: ``(B,)`` or one value.

        Raises
        ------
        RecordingError
            Says which argument is wrong and why; nothing of the step is kept then.
        """
        canvas, first, begun = len(self._emitted), self._steps[0] if self._steps else None, self._begun
        number = self._steps[-1].number + 1 if begun else 0
        where = f"canvas {canvas}, step {number}"
        of_positions = {
            "noised": noised,
            "candidate": candidate,
            "draft": draft,
            "accepted": accepted,
            "decision": decision,
            "entropy": entropy,
            "confidence": confidence,
            "candidate_probability": candidate_probability,
            "top_k_ids": top_k_ids,
            "top_k_probabilities": top_k_probabilities,
        }
        values = judge_arrays(where, of_positions, first, begun)
        size = self._facts.vocab_size
        if logits is None or self._size_is_settled:
            in_vocabulary(where, values, size)
        if logits is not None:
            reduced, size = reduce_step(where, logits, values, self._top_k)
            self._check_size(where, size)
            values = reduced | values
        values |= judge_states(where, len(values["noised"]), active, finished, phase)
        of_the_step = {"temperature": temperature, "entropy_bound": entropy_bound}
        values |= {name: np.array(value, dtype=np.float32) for name, value in of_the_step.items() if value is not None}
        values["wall_time"] = np.array(time.perf_counter() - self._started)
        step = OwnStep.of(where, canvas, number, values, self._facts.mask_token_id)
        check_like(where, step, self._steps)
        if number:
            self._settle(where, step.values["noised"])
        self._facts = replace(self._facts, vocab_size=size)
        self._steps.append(step)
        self._trace = None

    def emit(self, tokens: Any) -> None:
        """Take what the canvas became, ``(C,)`` or ``(B, C)``. It ends here; the next step begins another one.

        What the loop threw away behind the end of a sequence may be missing: a list for each sample then, which is
        filled up (:mod:`dgemma_viz.trace.cut_emission`).

        Raises
        ------
        RecordingError
            No step of this canvas was recorded, or these are not its token ids.
        """
        canvas = len(self._emitted)
        begun = self._begun
        if begun is None:
            raise RecordingError(
                f"emit() of canvas {canvas} came before any step() of it: call step() in the loop first"
            )
        where = f"emit() of canvas {canvas}"
        ids, held = emitted_rows(where, tokens, self._steps[-1], self._emitted, self._facts)
        in_vocabulary(where, {"emitted": ids}, self._facts.vocab_size)
        self._settle(where, held)
        self._emitted.append(ids)
        self._trace = None

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            self._facts = replace(self._facts, status=status, error=text_of(error))
            self._trace = None

    # -- results -------------------------------------------------------------------------------------------------

    @property
    def trace(self) -> Trace:
        """Trace of all steps so far; while the last canvas is not emitted, its status is "interrupted".

        Raises
        ------
        RecordingError
            There is no step yet, or the number of prompts is not that of the samples.
        """
        if not self._steps:
            raise RecordingError("nothing was recorded: call step() once per denoising step, then read the trace")
        if self._trace is None:
            self._trace = trace_of_steps(self._facts, self._steps, self._emitted, self._prompt, self._texts)
        return self._trace

    # -- from step to step ---------------------------------------------------------------------------------------

    @property
    def _size_is_settled(self) -> bool:
        """Whether the size of the vocabulary is more than a guess by the tokenizer, which models may exceed."""
        return self._size_is_given or bool(self._steps)

    def _check_size(self, where: str, size: int) -> None:
        if self._size_is_settled and size != self._facts.vocab_size:
            raise RecordingError(
                f"{where}: the logits are over {size:,} tokens, but the vocabulary has {self._facts.vocab_size:,}"
            )
        if self._tokenizer is not None:
            check_tokenizer(self._tokenizer, size, ())

    @property
    def _begun(self) -> OwnStep | None:
        """First step of the canvas that is being denoised, if there is one."""
        last = self._steps[-1] if self._steps else None
        return self._steps[-1 - last.number] if last is not None and last.canvas == len(self._emitted) else None

    def _settle(self, where: str, after: Array) -> None:
        """Tell the last step what came of it.

        Raises
        ------
        RecordingError
            Tokens moved to other positions.
        """
        last, mask, begun = self._steps[-1], self._facts.mask_token_id, self._begun
        if mask is not None and begun is not None:
            rows = zip(begun.values["noised"], last.values["noised"], after, strict=True)
            for seen in (moved(*row, mask, self._facts.pad_token_id) for row in rows):
                if seen:
                    raise RecordingError(f"{where}: {seen}; {KEEP_THEIR_MEANING}")
        last.after = after
        if mask is None or last.accepted is None:
            return
        count = lost(last.accepted, last.values.get("candidate"), after, mask)
        if not count:
            return
        text = (
            f"{count} positions that canvas {last.canvas}, step {last.number} accepted hold the mask token afterwards: "
            "hand over 'noised' as the step read it, or 'decision' where accepted tokens are masked again"
        )
        notice = Notice(NoticeCode.ACCEPTED_MASKED, text)
        self._facts = replace(self._facts, notices=(*self._facts.notices, notice))
        warn_user(text)
