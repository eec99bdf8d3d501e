"""The loggers of ``docs/runtimes``: what they write of a runtime in the shape of theirs is opened and checked.

The runtimes need a GPU, so stand-ins with the arguments and states of theirs take their place; logits are the bundled
models'.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import TraceFileError
from dgemma_viz.labs.prompts import encode
from dgemma_viz.trace import load_traces

RUNTIMES = Path(__file__).parent.parent / "docs" / "runtimes"


def module(name):
    spec = importlib.util.spec_from_file_location(name, RUNTIMES / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# -- vLLM --------------------------------------------------------------------------------------------------------


CONFIG = {
    "max_denoising_steps": 12.0,
    "t_min": 0.4,
    "t_max": 0.8,
    "confidence_threshold": 0.05,
    "entropy_bound": 0.1,
    "ST": 2,
}


class Vllm:
    """States by slot, and a step that changes them as ``_compiled_sample_step`` does: a canvas is emitted by a pass of
    its own, which draws the next canvas."""

    def __init__(self, slots, length, vocab_size):
        self.config = CONFIG | {"CL": length, "vocab_size": vocab_size}
        self.canvas = torch.randint(vocab_size, (slots, length))
        self.argmax_canvas = torch.zeros_like(self.canvas)
        self.step_tensor = torch.zeros(slots, dtype=torch.int32)
        self.is_commit = torch.zeros(slots, dtype=torch.bool)
        self.history = [[] for _ in range(slots)]

    @property
    def states(self):
        return (self.canvas, self.argmax_canvas, self.step_tensor, self.is_commit, None, None)

    def step(self, logits, slots, *_others, **config):
        scaled = logits.view(len(slots), config["CL"], -1).clone()
        for row, slot in enumerate(slots.tolist()):
            n = config["max_denoising_steps"]
            left = max(1.0, n - int(self.step_tensor[slot]))
            scaled[row] /= config["t_min"] + (config["t_max"] - config["t_min"]) * left / n
            noise = torch.randint(config["vocab_size"], (config["CL"],))
            if self.is_commit[slot]:
                self.canvas[slot], self.step_tensor[slot], self.is_commit[slot] = noise, 0, False
                self.history[slot] = []
                continue
            log_p = scaled[row].log_softmax(-1)
            entropy = -(log_p.exp() * log_p).sum(-1)
            order = entropy.sort()
            kept = torch.zeros(config["CL"], dtype=torch.bool)
            kept[order.indices] = order.values.cumsum(0) - order.values <= config["entropy_bound"]
            draft, drawn = log_p.argmax(-1), torch.multinomial(log_p.exp(), 1)[:, 0]
            self.history[slot].append(draft)
            recent = self.history[slot][-config["ST"] :]
            stable = len(recent) == config["ST"] and all(torch.equal(draft, one) for one in recent)
            self.step_tensor[slot] += 1
            stop = (stable and float(entropy.mean()) < config["confidence_threshold"]) or self.step_tensor[slot] >= n
            self.argmax_canvas[slot], self.is_commit[slot] = draft, bool(stop)
            self.canvas[slot] = draft if stop else torch.where(kept, drawn, noise)
        return scaled


@pytest.fixture(scope="module")
def of_vllm(tmp_path_factory):
    """Logs of two requests in slots 2 and 0, of a canvas each, then of a third in slot 0 that was not finished."""
    vllm_log, folder = module("vllm_log"), tmp_path_factory.mktemp("vllm")
    model, tokenizer = dv.load_tiny()
    ids = encode(tokenizer, "add 17+25=")["input_ids"]
    length = model.config.canvas_length
    torch.manual_seed(3)
    runtime, log = Vllm(3, length, model.config.get_text_config().vocab_size), vllm_log.Log(folder)
    step = vllm_log.logging_step(runtime.step, log)

    def turn(*rows):
        slots = torch.tensor(rows)
        with torch.no_grad():
            inputs = ids.expand(len(rows), -1)
            logits = model(input_ids=inputs, decoder_input_ids=runtime.canvas[slots]).logits
        step(
            logits.flatten(0, 1), slots, slots, slots, torch.full_like(slots, length), *runtime.states, **runtime.config
        )

    while not (log.canvas.get(2) or log.canvas.get(0)):
        turn(2, 0)
    for slot in (2, 0):
        while not log.canvas[slot]:
            turn(slot)
    log.forget(0)
    turn(0)
    return load_traces(folder)


def test_a_log_of_vllm_holds_each_request_apart(of_vllm):
    assert [*of_vllm] == ["request_0000.jsonl", "request_0001.jsonl", "request_0002.jsonl"]
    first, second, third = of_vllm.values()
    assert (first.facts.status, second.facts.status, third.facts.status) == ("complete", "complete", "interrupted")
    assert first.facts.settings["stability_threshold"] == 1
    assert third.n_steps == 1
    assert {"candidate", "wall_time"} <= set(first.facts.absent)
    assert first.facts.derived == {"accepted"}


def test_a_log_of_vllm_is_held_against_the_reference(of_vllm):
    trace = of_vllm["request_0000.jsonl"]
    report = dv.check_conformance(trace)
    assert not report.violations, str(report)
    assert {"temperature-schedule", "stop-rule", "emitted-is-last-draft", "bound-as-asked"} <= set(report.passed)
    assert "candidate" in dict(report.not_checked)["accepted-kept"]
    dv.explore(trace)
    dv.diagnose(trace)


# -- SGLang ------------------------------------------------------------------------------------------------------


class LowConfidence:
    """As the algorithm of that name: above the threshold, or the surest one."""

    def __init__(self, block_size, mask_id):
        self.block_size, self.mask_id, self.threshold = block_size, mask_id, 0.95

    def step(self, forward_batch, logits_output, _states):
        x = forward_batch.input_ids.view(forward_batch.batch_size, self.block_size)
        best, token = logits_output.full_logits.view(*x.shape, -1).softmax(-1).max(-1)
        best = best.masked_fill(x != self.mask_id, -1)
        done = ~(x == self.mask_id).any(1)
        chosen = best > self.threshold
        chosen[torch.arange(len(x)), best.argmax(1)] |= ~chosen.any(1)
        new = torch.where(chosen & (x == self.mask_id), token, x)
        forward_batch.input_ids.copy_(new.flatten())
        return done.tolist()


@pytest.fixture(scope="module")
def of_sglang(tmp_path_factory):
    """Two requests whose prompts end inside a block; each block is passed once more when it is done."""
    folder, length = tmp_path_factory.mktemp("sglang"), 8
    model, tokenizer = dv.load_tiny("masked")
    mask = tokenizer.mask_token_id
    prompt = encode(tokenizer, "sudoku 234_/_1__/__2_/3__4=")["input_ids"][0, 3:]  # ends inside a block
    start = len(prompt) - len(prompt) % length
    x = torch.full((2, start + 32), mask)
    x[:, : len(prompt)] = prompt
    x[1, len(prompt)] = prompt[-1]
    algorithm = module("sglang_log").logged(LowConfidence, folder)(length, mask)
    for begin in range(start, start + 32, length):
        block, done = slice(begin, begin + length), [False]
        while not all(done):
            with torch.no_grad():
                logits = model(x).logits[:, block]
            batch = SimpleNamespace(batch_size=2, input_ids=x[:, block].flatten(), rids=["a", "b"])
            done = algorithm.step(batch, SimpleNamespace(full_logits=logits.flatten(0, 1)), [None, None])
            x[:, block] = batch.input_ids.view(2, length)
    return load_traces(folder), x[:, len(prompt) :], type(algorithm).__name__


def test_a_log_of_sglang_holds_the_blocks(of_sglang):
    traces, answers, name = of_sglang
    assert name == "LoggedLowConfidence"
    first, second = traces.values()
    assert first.emitted_ids().tolist() == answers[0].tolist()
    assert second.emitted_ids().tolist() == answers[1, 1:].tolist()
    assert first.n_canvases == 4
    assert first.canvas_lengths[0] == second.canvas_lengths[0] + 1
    assert (
        first.noised[first.step_in_canvas == 0][first.in_canvas[first.step_in_canvas == 0][:, None]]
        == first.facts.mask_token_id
    ).all()


def test_a_log_of_sglang_is_held_against_its_threshold(of_sglang):
    for trace in of_sglang[0].values():
        report = dv.check_conformance(trace)
        assert not report.violations, str(report)
        assert {"unmasked-as-many", "unmasked-surest", "unmasked-stay", "emitted-is-last-canvas"} <= set(report.passed)
        dv.explore(trace)


# -- llama.cpp ---------------------------------------------------------------------------------------------------


def painted(frames):
    """What ``diffusion_step_callback`` writes to the terminal in visual mode, of three rows."""
    screen = "\x1b[?25l\n\n\n\x1b[3A"
    for step, lines in enumerate(frames):
        rows = [f"diffusion step: {step}/{len(frames)} [{' ' * 50}] 0%", *lines, "", ""][:3]
        screen += (
            "\x1b[?2026h"
            + ("\x1b[2A" if step else "")
            + "\r"
            + "\n".join(f"{row}\x1b[K" for row in rows)
            + "\x1b[?2026l"
        )
    return screen + "\x1b[2A\r\x1b[J\x1b[?25h\nthe answer\n"


def converted(kind, text, folder, name, *more):
    (folder / "source").write_text(text, "utf-8")
    command = [sys.executable, RUNTIMES / "llama_cpp_log.py", kind, folder / "source", folder / name, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_llama_cpp_paints_is_frames_of_text(tmp_path):
    done = converted(
        "frames", painted([[" one cat", "sat"], [" two cats", "sat"], [" two cats", "ran"]]), tmp_path, "run.json"
    )
    assert not done.returncode, done.stderr
    assert json.loads((tmp_path / "run.json").read_text())["frames"][0] == "one cat\nsat"
    trace = dv.load_trace(tmp_path / "run.json")
    assert trace.output_text() == "two cats\nran"
    assert {"noised", "accepted", "confidence"} <= set(trace.facts.absent)
    dv.explore(trace)
    report = dv.check_conformance(trace)
    assert not report.passed
    assert not report.violations
    converted("frames", painted([[" one"], [" one cat"]]), tmp_path, "run.json")
    with pytest.raises(TraceFileError, match="do not have the same positions"):
        dv.load_trace(tmp_path / "run.json")
    assert "no frame" in converted("frames", "plain output", tmp_path, "run.json").stderr


def test_drafts_of_its_callback_are_lines(tmp_path):
    steps = [(0, [5, 6]), (1, [5, 7]), (2, [5, 7]), (0, [8, 9]), (1, [8, 9])]
    text = "".join(json.dumps({"step": step, "tokens": tokens}) + "\n" for step, tokens in steps)
    assert not converted("drafts", text, tmp_path, "run.jsonl").returncode
    trace = dv.load_trace(tmp_path / "run.jsonl")
    assert np.bincount(trace.canvas).tolist() == [3, 2]
    assert trace.emitted_ids().tolist() == [5, 7, 8, 9]
    assert {"noised", "accepted", "entropy"} <= set(trace.facts.absent)
    reasons = dict(dv.check_conformance(trace).not_checked)
    assert "accepted" in reasons["accepted-set"]
    dv.explore(trace)


def test_masks_of_its_callback_are_a_history_without_its_end(tmp_path):
    steps = [(0, [99, 99, 99]), (1, [99, 6, 99]), (2, [5, 6, 99])]
    text = "".join(json.dumps({"step": step, "tokens": tokens}) + "\n" for step, tokens in steps)
    assert not converted("masks", text, tmp_path, "run.json", "--mask", "99").returncode
    trace = dv.load_trace(tmp_path / "run.json")
    assert trace.facts.status == "interrupted"
    assert len(trace.emitted) == 0
    assert trace.noised[:, 0].tolist() == [[99, 99, 99], [99, 6, 99]]
    dv.explore(trace)
    assert not dv.check_conformance(trace).violations
