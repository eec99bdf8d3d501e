"""What recording costs: time and peak memory of one generation, bare and watched in several ways.

    python benchmarks/recording.py                      # some minutes on two cores, all of them used
    python benchmarks/recording.py --repeats 3 --steps 2    # quicker, less certain
    python benchmarks/recording.py --compiled           # adds ``generate()`` with torch.compile, some minutes more
    python benchmarks/recording.py --released           # with a GPU of 80 GB: random weights in the released sizes

Every round runs all ways once, in an order that changes from round to round, from the same seed; a ratio is that of a
way to the bare call of its own round, and every way must give the bare call's output. ``wide`` is the hardest case for
a recorder: the released vocabulary and canvas on top of two thin layers, so that logits are nearly all there is. Ways:

- one read: a logits processor that takes the maximum of the logits, the least that any observer of them can do;
- streamer: transformers' ``TextDiffusionStreamer`` with ``_takes_logits``, which the stock class declares and then
  refuses, so a subclass; it drops the logits, or reduces them to a trace's numbers with torch's plain operations. On a
  CPU upstream's ``.cpu()`` copies nothing;
- forward hook: on ``lm_head`` (``generate()`` calls ``forward`` past the model's own hooks), logits kept on the host;
- callback: of diffusers' pipeline with ``callback_on_step_end_tensor_inputs=["logits"]``, beside the bare pipeline;
- blocks: diffusers' pipeline with its ``BlockRefinementScheduler``, which computes no entropies that could be taken.

Device memory is CUDA's own peak; host memory is measured by ``benchmarks/recording_memory.py``.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    Gemma4VisionConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TextDiffusionStreamer,
)

import dgemma_viz as dv
from dgemma_viz.labs.samplers.diffusers_schedulers import GivenIds
from dgemma_viz.recorders.reduce import reduce_logits
from dgemma_viz.tiny import encode_prompt
from dgemma_viz.tiny.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VOCABULARY, CANVAS, TOP_K = 262_144, 256, 8
RELEASED = {
    "hidden_size": 2816,
    "intermediate_size": 2112,
    "num_hidden_layers": 30,
    "layer_types": [*["sliding_attention"] * 5, "full_attention"] * 5,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "num_global_key_value_heads": 2,
    "head_dim": 256,
    "global_head_dim": 512,
    "sliding_window": 1024,
    "num_experts": 128,
    "top_k_experts": 8,
    "moe_intermediate_size": 704,
}
"""As in the published configuration; the class's defaults differ."""
THIN = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "layer_types": ["sliding_attention", "full_attention"],
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "num_global_key_value_heads": 2,
    "head_dim": 32,
    "global_head_dim": 32,
    "num_experts": 4,
    "top_k_experts": 2,
    "moe_intermediate_size": 32,
}


@dataclass
class Case:
    """A model, its tokenizer if it has one, and the call that is measured."""

    model: Any
    tokenizer: Any
    inputs: dict[str, torch.Tensor]
    threads: int
    arguments: dict[str, Any] = field(default_factory=dict)

    def generate(self, **more: Any) -> torch.Tensor:
        """Output of ``generate()``."""
        torch.manual_seed(5)
        return self.model.generate(**self.inputs, **self.arguments, **more).sequences


def bundled(_steps: int) -> Case:
    """The bundled model at its default settings, on one thread: more only wait for each other."""
    model, tokenizer = dv.load_tiny()
    return Case(model, tokenizer, dict(encode_prompt(tokenizer, TASKS["story"].example_prompts[0])), threads=1)


def random_weights(sizes: dict[str, Any], steps: int, dtype: torch.dtype = torch.float32, **arguments: Any) -> Case:
    """A model of the released vocabulary and canvas that never stops before its last step."""
    thin_vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = DiffusionGemmaConfig(
        text_config=DiffusionGemmaTextConfig(vocab_size=VOCABULARY, **sizes),
        vision_config=Gemma4VisionConfig(**thin_vision, num_key_value_heads=1, head_dim=16, global_head_dim=16),
        canvas_length=CANVAS,
    )
    device = "cuda" if sizes is RELEASED else "cpu"
    torch.manual_seed(0)
    with torch.device(device):
        model = DiffusionGemmaForBlockDiffusion._from_config(config, dtype=dtype).eval()
    ids = torch.randint(5, 200_000, (1, 32), device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    settings = {"max_denoising_steps": steps, "max_new_tokens": CANVAS, "eos_token_id": None, **arguments}
    return Case(model, None, inputs, torch.get_num_threads(), settings)


CASES: dict[str, Callable[[int], Case]] = {
    "bundled": bundled,
    "wide": lambda steps: random_weights(THIN, steps),
    "wide, compiled": lambda steps: random_weights(THIN, steps, cache_implementation="static"),
    "released, eager": lambda steps: random_weights(RELEASED, steps, torch.bfloat16),
    "released, compiled": lambda steps: random_weights(RELEASED, steps, torch.bfloat16, cache_implementation="static"),
}


class OneRead(LogitsProcessor):
    """Reads the logits once and changes nothing."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, cur_step: Any = None) -> torch.Tensor:
        """Take the maximum."""
        del input_ids, cur_step
        scores.max()
        return scores


class TakesLogits(TextDiffusionStreamer):
    """What upstream's attribute asks for; the stock ``put_draft`` has no such argument."""

    def __init__(self, take: Callable[[torch.Tensor], None]) -> None:
        super().__init__(tokenizer=None)
        self._takes_logits, self._take = True, take

    def put_draft(self, logits: torch.Tensor) -> None:
        """Take the logits of a step."""
        self._take(logits)

    def put(self, value: torch.Tensor) -> None:
        """Print nothing."""

    def end(self) -> None:
        """Print nothing."""


def plainly_reduced(logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Entropy and alternatives with torch's plain operations."""
    distribution = torch.distributions.Categorical(logits=logits)
    best = torch.topk(logits, TOP_K, dim=-1).indices
    return distribution.entropy(), best, distribution.probs.gather(-1, best)


def recorded(case: Case) -> torch.Tensor:
    """As users record."""
    with dv.record(case.model, case.tokenizer):
        return case.generate()


def hooked(case: Case) -> torch.Tensor:
    """Keep a copy of all logits."""
    kept: list[torch.Tensor] = []
    handle = case.model.lm_head.register_forward_hook(lambda *seen: kept.append(seen[-1].to("cpu", copy=True)))
    try:
        return case.generate()
    finally:
        handle.remove()


def piped(case: Case, how: str = "", *, record: bool = False) -> torch.Tensor:
    """One call of diffusers' pipeline, as many steps."""
    from diffusers import BlockRefinementScheduler, DiffusionGemmaPipeline, EntropyBoundScheduler

    pipe = DiffusionGemmaPipeline(
        model=case.model, scheduler=EntropyBoundScheduler(), processor=GivenIds(case.tokenizer, case.inputs)
    )
    pipe.set_progress_bar_config(disable=True)
    options: dict[str, Any] = {"prompt": "", "output_type": "seq", "gen_length": case.model.config.canvas_length}
    options["num_inference_steps"] = case.arguments.get("max_denoising_steps", 48)
    options["eos_early_stop"] = case.tokenizer is not None
    if how == "blocks":
        pipe.scheduler = BlockRefinementScheduler()
    if how == "callback":

        def take(_pipe: Any, _step: int, _time: int, given: dict[str, Any]) -> dict[str, Any]:
            plainly_reduced(given["logits"])
            return {}

        options |= {"callback_on_step_end": take, "callback_on_step_end_tensor_inputs": ["logits"]}
    torch.manual_seed(5)
    if not record:
        return pipe(**options).sequences
    with dv.record(pipe):
        return pipe(**options).sequences


WAYS: dict[str, Callable[[Case], torch.Tensor]] = {
    "bare": Case.generate,
    "one read of the logits": lambda case: case.generate(logits_processor=LogitsProcessorList([OneRead()])),
    "dv.record": recorded,
    "streamer, logits dropped": lambda case: case.generate(streamer=TakesLogits(lambda _: None)),
    "streamer, logits reduced": lambda case: case.generate(
        streamer=TakesLogits(lambda logits: plainly_reduced(logits.float()) and None)
    ),
    "forward hook, logits kept": hooked,
    "pipeline, bare": piped,
    "pipeline, dv.record": lambda case: piped(case, record=True),
    "pipeline, callback, logits reduced": lambda case: piped(case, "callback"),
    "pipeline of blocks, bare": lambda case: piped(case, "blocks"),
    "pipeline of blocks, dv.record": lambda case: piped(case, "blocks", record=True),
}


def base_of(way: str) -> str:
    """The bare call that a way is compared with."""
    return f"{way.partition(',')[0]}, bare" if way.startswith("pipeline") else "bare"


def ways_of(name: str) -> list[str]:
    """Ways that apply: a hook cannot copy from inside a compiled graph, and what a peer costs is measured once."""
    if name == "wide, compiled":
        return ["bare", "dv.record"]
    left_out = [] if name in ("bundled", "wide") and pipeline_runs() else ["pipeline"]
    left_out += ["forward hook"] if name.endswith("compiled") else []
    left_out += ["pipeline, callback", "streamer, logits dropped"] if name == "wide" else ["pipeline of blocks"]
    return [way for way in WAYS if not way.startswith(tuple(left_out))]


@cache
def pipeline_runs() -> bool:
    """Tell whether the installed diffusers works with the installed transformers: 0.42 does not with 5.24."""
    try:
        piped(bundled(0))
    except (ImportError, TypeError) as error:
        print(f"diffusers' pipeline is left out: {error}\n", file=sys.stderr)
        return False
    return True


@contextmanager
def seconds(into: list[float]) -> Iterator[None]:
    """Append the time of the block, the device's work included."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    yield
    if on_gpu:
        torch.cuda.synchronize()
    into.append(time.perf_counter() - start)


def measure(name: str, steps: int, repeats: int) -> None:
    """Print how long each way takes, and what a step's observation costs by itself."""
    case = CASES[name](steps)
    torch.set_num_threads(case.threads)
    names = ways_of(name)
    outputs = {way: WAYS[way](case) for way in names}  # the first call is not timed
    for way in names:
        if not torch.equal(outputs[way], outputs[base_of(way)]):
            raise SystemExit(f"'{way}' changed the output of {name}")
    times: dict[str, list[float]] = {way: [] for way in names}
    device: dict[str, int] = {}
    for repeat in range(repeats):
        for way in names[repeat % len(names) :] + names[: repeat % len(names)]:
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            with seconds(times[way]):
                WAYS[way](case)
            device[way] = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    for way in names:
        ratios = [own / bare for own, bare in zip(times[way], times[base_of(way)], strict=True)]
        memory = f"{device[way] / max(device[base_of(way)], 1):.4f}" if torch.cuda.is_available() else "-"
        lower, _, upper = statistics.quantiles(ratios, n=4, method="inclusive")
        row = f"| {name} | {way} | {statistics.median(times[way]):.3f} | {statistics.median(ratios):.3f} "
        print(row + f"| {lower:.3f} to {upper:.3f} | {memory} |", flush=True)


def reductions(name: str, steps: int, repeats: int) -> None:
    """Print what reading one step's logits costs in milliseconds, by itself."""
    case = CASES[name](steps)
    torch.set_num_threads(case.threads)
    size = (1, case.model.config.canvas_length, case.model.config.text_config.vocab_size)
    logits = 30 * torch.tanh(torch.randn(size, device=case.model.device))
    distribution = torch.distributions.Categorical(logits=logits)
    candidate, known = logits.argmax(dim=-1), (distribution.entropy(), distribution.probs)
    jobs: dict[str, Callable[[], Any]] = {
        "one read": logits.max,
        "seen": lambda: reduce_logits(logits, candidate, TOP_K, known),
        "computed": lambda: reduce_logits(logits, candidate, TOP_K),
        "to the bit": lambda: reduce_logits(logits, candidate, TOP_K, bitwise=True),
        "plain": lambda: plainly_reduced(logits),
    }
    times: dict[str, list[float]] = {job: [] for job in jobs}
    for _ in range(repeats + 1):
        for job, run in jobs.items():
            with seconds(times[job]):
                run()
    cells = [f"{1e3 * statistics.median(own[1:]):.2f}" for own in times.values()]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--steps", type=int, default=2, help="denoising steps of the models of random weights")
    parser.add_argument("--compiled", action="store_true", help="the wide model with torch.compile as well")
    parser.add_argument("--released", action="store_true", help="on a GPU, the released sizes in BF16")
    options = parser.parse_args(arguments)
    names = ["released, eager", "released, compiled"] if options.released else ["bundled", "wide"]
    names += ["wide, compiled"] if options.compiled and not options.released else []
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU cores"
    print(
        f"{device}; torch {torch.__version__}, transformers {transformers.__version__}, {platform.python_version()}.\n"
    )
    print("| model | way | seconds | time / bare | middle half of the rounds | device memory / bare |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in names:
        rounds = max(options.repeats, 2) * (40 if name == "bundled" else 1)  # a call of milliseconds
        measure(name, 48 if options.released else options.steps, rounds)
    columns = ("one step's logits, ms", "one read", "taken from the sampler", "computed", "to the last bit", "plain")
    print(f"\n| {' | '.join(columns)} |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in names[:2]:
        reductions(name, options.steps, options.repeats)


if __name__ == "__main__":
    main()
