"""Log what vLLM's DiffusionGemma sampler decides, as JSON lines that ``dgemma_viz.load_trace`` opens.

Written against ``vllm/model_executor/models/diffusion_gemma.py`` of vllm-project/vllm at commit 00c25c8. There, all
that a denoising step does is one module function, ``_compiled_sample_step``, which ``DiffusionSampler`` looks up by
name at each call. ``start()`` puts another in its place, which reads the states before and after the original and
writes a line for each request; the original gets the same arguments and draws the same random numbers.

Use, with the engine in this process::

    import os
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    import vllm, vllm_log                 # this file, beside your script
    vllm_log.start("runs")                # a folder: one file for each request, vLLM's own warm-up requests included
    vllm.LLM("google/diffusiongemma-26B-A4B-it", max_num_seqs=4).generate(...)

Not in the log: candidates (those of positions that were re-noised are gone before anybody sees them), prompts, texts
of tokens, the end of a request that was aborted. ``accepted`` is computed again from the step's own entropies by the
sampler's rule, and a notice says so: the log cannot show that this rule was broken.

Tried: the function in place of a stand-in with the same arguments, on a CPU, with logits of the bundled model
(``tests/test_runtime_logs.py``). Not tried: vLLM itself, a GPU, CUDA graphs, tensor parallelism (start it on one
rank), several engine processes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

TOP_K = 8
_NOTICE = {
    "code": "accepted-derived",
    "text": "vLLM does not hand out its accepted mask: it was computed again from the step's entropies and bound",
}


class Log:
    """The files of the requests, by their slot in the batch."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.paths: dict[int, Path] = {}
        self.canvas: dict[int, int] = {}
        self.requests = 0

    def forget(self, slot: int) -> None:
        """Another request gets this slot."""
        self.paths.pop(slot, None)

    def line(self, slot: int, facts: dict[str, Any], values: dict[str, Any]) -> None:
        """Append a line to the file of the request in a slot, behind a header if it is its first."""
        lines = []
        if slot not in self.paths:
            self.paths[slot] = self.folder / f"request_{self.requests:04}.jsonl"
            self.canvas[slot], self.requests = 0, self.requests + 1
            lines.append({"format": "dgemma_viz.lines", "version": 4, "facts": facts})
        lines.append({"canvas": self.canvas[slot], **values})
        with self.paths[slot].open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in lines)


def logging_step(original: Callable[..., Any], log: Log) -> Callable[..., Any]:
    """``_compiled_sample_step`` that also writes what it did."""

    @functools.wraps(original)
    def step(
        logits: torch.Tensor, slots: torch.Tensor, idx: Any, all_slots: Any, lengths: Any, *states: Any, **config: Any
    ) -> Any:
        canvas, argmax_canvas, steps, is_commit = states[:4]
        read, numbers, commits = canvas[slots].clone(), steps[slots].tolist(), is_commit[slots].tolist()
        scaled = original(logits, slots, idx, all_slots, lengths, *states, **config)
        values = _reduced(scaled, config["entropy_bound"])
        values |= {"noised": read, "draft": argmax_canvas[slots]}
        for row, (slot, length) in enumerate(zip(slots.tolist(), lengths.tolist(), strict=True)):
            if commits[row]:
                log.line(slot, _facts(config), {"emitted": argmax_canvas[slot, :length].tolist()})
                log.canvas[slot] += 1
                continue
            left = max(1.0, config["max_denoising_steps"] - numbers[row])
            here = {name: value[row, :length].tolist() for name, value in values.items()}
            here["temperature"] = (
                config["t_min"] + (config["t_max"] - config["t_min"]) * left / config["max_denoising_steps"]
            )
            log.line(slot, _facts(config), {"step": numbers[row], "entropy_bound": config["entropy_bound"], **here})
        return scaled

    return step


def _reduced(scaled: torch.Tensor, bound: float) -> dict[str, torch.Tensor]:
    """What is kept of the scaled logits ``(B, C, V)``, all of the distribution that was sampled from."""
    log_p = scaled.float().log_softmax(dim=-1)
    entropy = -(log_p.exp() * log_p).nan_to_num().sum(dim=-1)  # banned tokens: 0 times minus infinity
    ascending, places = entropy.sort(dim=-1)
    within = ascending.cumsum(dim=-1) - ascending.cummax(dim=-1).values <= bound
    best, ids = log_p.topk(min(TOP_K, log_p.shape[-1]), dim=-1)
    return {
        "accepted": torch.zeros_like(within).scatter_(-1, places, within),
        "entropy": entropy,
        "confidence": best[..., 0].exp().clamp(max=1),
        "top_k_ids": ids,
        "top_k_probabilities": best.exp().clamp(max=1),
    }


def _facts(config: dict[str, Any]) -> dict[str, Any]:
    settings = {name: config[name] for name in ("t_min", "t_max", "entropy_bound", "confidence_threshold")}
    settings["max_denoising_steps"] = int(config["max_denoising_steps"])
    settings["stability_threshold"] = config["ST"] - 1  # vLLM counts the current step, transformers does not
    return {
        "sampler": "vLLM DiffusionSampler",
        "sampler_kind": "entropy-bound",
        "vocab_size": config["vocab_size"],
        "settings": settings,
        "notices": [_NOTICE],
    }


def start(folder: str | Path) -> Log:
    """Log from now on, for as long as this process lives."""
    from vllm.model_executor.models import diffusion_gemma as module

    log, states = Log(folder), module.DiffusionGemmaRequestStates
    module._compiled_sample_step = logging_step(module._compiled_sample_step, log)
    add_request = states.add_request

    @functools.wraps(add_request)
    def add_and_forget(self: Any, slot_idx: int) -> None:
        log.forget(slot_idx)
        add_request(self, slot_idx)

    states.add_request = add_and_forget
    return log
