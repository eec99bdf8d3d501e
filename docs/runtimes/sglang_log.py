"""Log what a mask-token algorithm of SGLang decides, as JSON lines that ``dgemma_viz.load_trace`` opens.

Written against ``python/sglang/srt/dllm/algorithm`` of sgl-project/sglang at commits 0929d6d (``base.py``) and 0564b52
(``low_confidence.py``): an algorithm's ``step`` gets the batch and the logits, and writes the new tokens into
``forward_batch.input_ids``. SGLang takes every module of that folder that has an ``Algorithm``, by the name of that
class. So copy this file into it, and start the server with another algorithm::

    export SGLANG_DLLM_LOG=runs
    python -m sglang.launch_server --model-path inclusionAI/LLaDA2.0-mini --dllm-algorithm LoggedLowConfidence

One file for each request. Another algorithm is logged by one line more: ``Algorithm = logged(JointThreshold)``. Those
that insert or delete tokens, and ``Gemma4Renoise``, which keeps its canvas elsewhere, are not what this file is for.

Measured: what each step read, drafts, confidences, alternatives, tokens. Positions that were unmasked follow from
what stood in the block after the step. The algorithms of that version propose the draft, so it is the candidate, too.
Logits are taken as they are: SGLang's LowConfidence does not divide them by a temperature. Not in the log: prompts,
texts of tokens, the tokens of a block that were given with the prompt.

Tried: ``logged`` around a stand-in for the algorithm with the same ``step``, on a CPU, with logits of the bundled
mask-token model (``tests/test_runtime_logs.py``). Not tried: SGLang itself, a GPU, tensor parallelism.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

TOP_K = 8


class Log:
    """The files of the requests, by their ids."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.paths: dict[str, Path] = {}
        self.canvas: dict[str, int] = {}
        self.begun: dict[str, int] = {}
        """First position of the running block that is not given; there is none between blocks."""
        self.steps: dict[str, int] = {}

    def line(self, request: str, facts: dict[str, Any], values: dict[str, Any]) -> None:
        """Append a line to a request's file, behind a header if it is its first."""
        lines = []
        if request not in self.paths:
            self.paths[request] = self.folder / f"request_{len(self.paths):04}.jsonl"
            lines.append({"format": "dgemma_viz.lines", "version": 4, "facts": facts})
        lines.append({"canvas": self.canvas.setdefault(request, 0), **values})
        with self.paths[request].open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in lines)


def logged(algorithm: type, folder: str | Path = "") -> type:
    """The algorithm, which also writes what it did, as a class ``Logged...``."""
    log = Log(folder or os.environ.get("SGLANG_DLLM_LOG", "sglang_runs"))

    def step(self: Any, forward_batch: Any, logits_output: Any, states: list[Any]) -> list[bool]:
        logits = getattr(logits_output, "full_logits", logits_output)  # the batch's output, or its logits, by version
        shape = (forward_batch.batch_size, self.block_size)
        read, values = forward_batch.input_ids.view(shape).clone(), _reduced(logits.view(*shape, -1))
        done: list[bool] = algorithm.step(self, forward_batch, logits_output, states)
        after = forward_batch.input_ids.view(shape)
        values |= {"noised": read, "decision": _decision(read, after, self.mask_id)}
        names = getattr(forward_batch, "rids", None) or [str(row) for row in range(shape[0])]
        facts = _facts(self, algorithm, logits.shape[-1])
        for row, request in enumerate(names):
            masked = read[row] == self.mask_id
            if not masked.any():  # a block that is done: this pass wrote its keys and values, and decided nothing
                continue
            begin = log.begun.setdefault(request, int(masked.int().argmax()))
            number = log.steps.get(request, 0)
            here = {name: value[row, begin:].tolist() for name, value in values.items()}
            log.line(request, facts, {"step": number, **here})
            log.steps[request] = number + 1
            if not (after[row] == self.mask_id).any():
                log.line(request, facts, {"emitted": after[row, begin:].tolist()})
                log.canvas[request] += 1
                log.begun.pop(request), log.steps.pop(request)
        return done

    return type(f"Logged{algorithm.__name__}", (algorithm,), {"step": step})


def _reduced(logits: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is kept of the logits ``(B, C, V)``."""
    log_p = logits.float().log_softmax(dim=-1)
    best, ids = log_p.topk(min(TOP_K, log_p.shape[-1]), dim=-1)
    return {
        "draft": ids[..., 0],
        "candidate": ids[..., 0],
        "candidate_probability": best[..., 0].exp().clamp(max=1),
        "entropy": -(log_p.exp() * log_p).nan_to_num().sum(dim=-1),
        "confidence": best[..., 0].exp().clamp(max=1),
        "top_k_ids": ids,
        "top_k_probabilities": best.exp().clamp(max=1),
    }


def _decision(read: torch.Tensor, after: torch.Tensor, mask: int) -> torch.Tensor:
    """Codes of ``dgemma_viz.trace.Decision``: 0 masked, 1 unmasked, 2 kept, 3 edited."""
    was, edited = read == mask, (read != after).int() * 3
    return torch.where(after == mask, 0, torch.where(was, 1, torch.where(edited > 0, edited, 2)))


def _facts(self: Any, algorithm: type, vocab_size: int) -> dict[str, Any]:
    threshold = getattr(self, "threshold", None)
    return {
        "sampler": f"SGLang {algorithm.__name__}",
        "sampler_kind": "mask-token",
        "vocab_size": vocab_size,
        "mask_token_id": self.mask_id,
        "settings": {"read_as": "log of an algorithm's step"} | ({} if threshold is None else {"threshold": threshold}),
    }


try:
    from sglang.srt.dllm.algorithm.low_confidence import LowConfidence
except ImportError:  # imported apart from SGLang
    pass
else:
    Algorithm = logged(LowConfidence)
