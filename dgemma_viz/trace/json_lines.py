"""Traces from other runtimes: JSON lines that any program can print while it denoises, read as a trace.

One JSON object a line, UTF-8. First a header, then one line for each denoising step of each sample, then (or in
between) one line for each emitted canvas of each sample. The least that makes a trace is drafts and emitted tokens::

    {"format": "dgemma_viz.lines", "version": 4, "facts": {"sampler": "my sampler", "sampler_kind": "entropy-bound",
        "vocab_size": 262144, "eos_token_ids": [1, 106, 50], "pad_token_id": 0, "settings": {
        "max_denoising_steps": 48, "t_min": 0.4, "t_max": 0.8, "entropy_bound": 0.1,
        "stability_threshold": 1, "confidence_threshold": 0.005}}}
    {"canvas": 0, "step": 0, "draft": [818, 5279, ...]}
    {"canvas": 0, "step": 1, "draft": [818, 5279, ...]}
    {"canvas": 0, "emitted": [818, 5279, ...]}

(each of them on ONE line). Everything else is optional and lets :func:`dgemma_viz.check_conformance` check more:

==========================================  ============================================================================
key of a step                               what it is, and what it lets be checked
==========================================  ============================================================================
``canvas``, ``step``, ``sample``            place, each counted from 0 and 0 if left out
``draft``                                   argmax token ids (C); stop rule, emitted tokens, frozen rows
``noised``                                  token ids that the step READ (C); with ``accepted``: re-noising
``candidate``                               token ids that the step sampled (C); whether accepted ones are kept
``accepted``                                true where the candidate was kept (C); with ``entropy``: the entropy bound
``entropy``                                 nats, of the distribution that was SAMPLED from, after temperature (C)
``confidence``                              probability of the draft under it (C)
``candidate_probability``                   probability of the candidate under it (C)
``top_k_ids``, ``top_k_probabilities``      most probable tokens under it, best first (C lists of K)
``temperature``, ``entropy_bound``          what the step really divided by, and the bound that it really used
``decision``                                instead of ``accepted``, where that says too little (C):
                                            codes of :class:`~dgemma_viz.trace.decision.Decision`
``banned``                                  number of tokens that were left no probability (C), -inf logits, say; by
                                            what is left of the vocabulary, clamped positions are told
``banned_draft``                            argmax of the model's own logits where it is one of them, else null (C)
``phase``                                   code of :class:`~dgemma_viz.trace.decision.Phase`; 0 if left out
``finished``                                the stop rule was met at the end of this step
``active``                                  false for a step of a sample that had finished before; else leave it out
``wall_time``                               seconds from the start of the run to the end of the step
==========================================  ============================================================================

An optional key stands on all step lines or on none. One exception: a step that made no decision (a last step whose
argmax is emitted without sampling) leaves out ``candidate``, ``candidate_probability``, ``accepted`` and ``decision``,
or says null, together; it may lack ``temperature`` and ``entropy_bound`` as well. Another: lines of steps in which
nothing was ruled out may leave out ``banned`` and ``banned_draft``. ``null`` and ``NaN`` are "not a
number". Where a key is left out, the trace's array holds NaN, false or :data:`~dgemma_viz.trace.model.UNKNOWN_TOKEN`,
and its name stands in ``trace.facts.absent`` if no line has it. Without ``finished``, a sample's last line before the
step limit counts as its finish. Without lines for finished samples, their last step is repeated as inactive, and
``"inactive_rows"`` stands in ``absent``.

Canvases may differ in length; all lines of one are for the same positions.

An emitted line has ``canvas``, ``sample``, ``emitted`` and optionally ``past_end`` (the sample had ended before this
canvas; by default: an end-of-sequence token was emitted before). ``emitted`` holds the canvas's token ids, padded after
the end of the sequence or as the canvas held them; what follows the end may also be left out, with the end token or
without (:mod:`dgemma_viz.trace.cut_emission`).

``"inputs": ["decoder_input_ids"]`` in the settings says that the caller gave the tokens of the first canvas.

In the header, ``facts`` are those of :class:`~dgemma_viz.trace.model.RunFacts`; ``sampler_kind`` among them says whose
rules the run is held against (without it, that is inferred, and reports say from what). ``prompt`` holds a list of
token ids for each sample and ``token_texts`` maps ids to texts, without which views show ids; ``special_token_ids``
among the facts says which ids are markup, so that turns and channels are recognised by them and not by texts alone.
What a reader should be wary of goes into ``notices``, as in ``[{"text": "fell back to float32 in step 7"}]``; a
``code`` beside the text is what programs go by (:class:`~dgemma_viz.trace.notice.NoticeCode`). Up to version 3 these
were ``warnings``, a list of texts. A run whose last canvas was not emitted counts as interrupted, unless ``facts`` say
otherwise.

:func:`save_json_lines` writes the same: the format by example.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace.decision import NO_DECISION, Decision
from dgemma_viz.trace.logged_layout import SMALL
from dgemma_viz.trace.logged_lines import (
    ALTERNATIVES,
    FORMAT,
    LONGEST_LINE,
    VERSION,
    EmittedLine,
    StepLine,
    emitted_line,
    header,
    read_objects,
    step_line,
)
from dgemma_viz.trace.logged_run import build_trace
from dgemma_viz.trace.model import INACTIVE_ROWS, UNKNOWN_TOKEN, Trace
from dgemma_viz.trace.regular_file import open_regular
from dgemma_viz.trace.schema import OF_A_DECISION, RULED_OUT
from dgemma_viz.write_whole import write_whole

Array = npt.NDArray[Any]

_OF_A_POSITION = (
    "noised",
    "candidate",
    "draft",
    "accepted",
    "entropy",
    "confidence",
    "candidate_probability",
    "top_k_ids",
    "top_k_probabilities",
)
_OF_A_STEP = ("temperature", "entropy_bound", "wall_time")


def is_json_lines(path: str | os.PathLike[str]) -> bool:
    """Tell JSON lines from safetensors, which may also begin with ``{`` but then with the zeros of a length."""
    with open_regular(path) as file:
        start = file.read(8)
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and b"\0" not in start


def names_format(path: str | os.PathLike[str]) -> bool:
    """Whether the first line of JSON names a format, as the header of these lines does; others' formats do not."""
    with open_regular(path) as file:
        return b'"format"' in file.readline(LONGEST_LINE)


def load_json_lines(path: str | os.PathLike[str]) -> Trace:
    """Read a trace that another runtime logged; the format is described in this module.

    Raises
    ------
    TraceFileError
        The file is missing, or something in it is wrong; the message names the line and what was expected.
    """
    source = Path(path)
    with open_regular(source) as file:
        try:
            return _read(file)
        except TraceError as error:
            raise TraceFileError(f"'{source}': {error}") from error
        except OSError as error:
            raise TraceFileError(f"cannot read '{source}': {error.strerror}") from error


def _read(file: BinaryIO) -> Trace:
    objects = read_objects(file)
    head = next((header(number, data) for number, data in objects), None)
    if head is None:
        raise TraceFileError("the file is empty")
    size = head.facts.vocab_size
    steps: list[StepLine] = []
    emitted: list[EmittedLine] = []
    for number, data in objects:
        if "emitted" in data:
            emitted.append(emitted_line(number, data, size))
        else:
            steps.append(step_line(number, data, size))
    return build_trace(head, steps, emitted, file.tell() + SMALL)


def save_json_lines(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a trace as JSON lines, whole or not at all; what is absent from it is left out.

    :func:`load_json_lines` gives an equal trace, but for the generator's state and the padding of the prompt.

    Raises
    ------
    TraceFileError
        ``path`` cannot be written.
    """
    lines = [_header(trace)]
    for step in range(trace.n_steps):
        lines += [_step(trace, step, sample) for sample in range(trace.n_samples) if _is_logged(trace, step, sample)]
    for canvas in range(len(trace.emitted)):
        lines += [
            {
                "canvas": canvas,
                "sample": sample,
                "emitted": ids[: trace.canvas_lengths[canvas]].tolist(),
                "past_end": bool(trace.past_end[canvas, sample]),
            }
            for sample, ids in enumerate(trace.emitted[canvas])
        ]
    write_whole(path, "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines), TraceFileError)


def _header(trace: Trace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "facts": replace(trace.facts, absent=()).to_json(),
        "prompt": [] if "prompt" in trace.facts.absent else _prompts(trace),
        "token_texts": {str(token): text for token, text in trace.token_texts.items()},
    }


def _prompts(trace: Trace) -> list[list[int]]:
    return [ids[mask].tolist() for ids, mask in zip(trace.prompt, trace.prompt_mask, strict=True)]


def _is_logged(trace: Trace, step: int, sample: int) -> bool:
    return bool(trace.active[step, sample]) or INACTIVE_ROWS not in trace.facts.absent


def _step(trace: Trace, step: int, sample: int) -> dict[str, Any]:
    here = {"canvas": int(trace.canvas[step]), "step": int(trace.step_in_canvas[step]), "sample": sample}
    values = {name: getattr(trace, name)[step, sample, : trace.length[step]] for name in (*_OF_A_POSITION, "decision")}
    values |= {name: getattr(trace, name)[step, sample] for name in ("active", "finished")}
    values |= {name: getattr(trace, name)[step] for name in _OF_A_STEP}
    left_out = {*trace.facts.absent, *(ALTERNATIVES if not trace.top_k else ())}
    if not trace.decided[step, sample]:
        left_out |= {*OF_A_DECISION}
    if trace.decision.max(initial=0, where=trace.decision != NO_DECISION) <= Decision.ACCEPTED:
        left_out.add("decision")
    if trace.phase.any():
        values["phase"] = trace.phase[step]
    if trace.banned is not None and trace.banned_draft is not None:
        values |= {name: getattr(trace, name)[step, sample, : trace.length[step]] for name in RULED_OUT}
    logged = here | {name: value.tolist() for name, value in values.items() if name not in left_out}
    if "banned_draft" in logged:
        logged["banned_draft"] = [None if token == UNKNOWN_TOKEN else token for token in logged["banned_draft"]]
    return logged
