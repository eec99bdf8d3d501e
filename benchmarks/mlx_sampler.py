"""What ``dv.check_conformance`` says of mlx-vlm's own sampler, setting by setting, all runs of a setting pooled.

    python benchmarks/mlx_sampler.py            # 120 runs a setting
    python benchmarks/mlx_sampler.py --quick    # 24

Every run is a recorded ``mlx_vlm.generate`` of the bundled weights on a prompt that training never saw. Needs the extra
``mlx``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import mlx_vlm
import numpy as np

import dgemma_viz as dv
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.tasks import TASKS, sample_example
from dgemma_viz.upstream.versions import installed_version

BOUND = {"diffusion_sampler": "entropy-bound"}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "entropy-bound, temperature 1": {**BOUND, "temperature": 1.0},
    "entropy-bound, temperature 1, 3 steps": {**BOUND, "temperature": 1.0, "max_denoising_steps": 3},
    "entropy-bound, temperature 0 (the default)": BOUND,
    "entropy-bound, temperature 2": {**BOUND, "temperature": 2.0},
    "confidence-threshold, temperature 0 (the default)": {},
}


def draw(rng: np.random.Generator, runs: int) -> list[str]:
    """Prompts of all tasks in turn."""
    names = [list(TASKS)[number % len(TASKS)] for number in range(runs)]
    return [sample_example(TASKS[name], rng, held_out=True).prompt for name in names]


def run(model: Any, processor: Any, prompts: Sequence[str], call: Mapping[str, Any]) -> Sequence[Any]:
    """Traces of one call for each prompt, each with a seed of its own."""
    with dv.record(model, processor) as recording:
        for seed, prompt in enumerate(prompts):
            mlx_vlm.generate(model, processor, prompt, max_tokens=model.config.canvas_length, seed=seed, **call)
    return recording.traces


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    runs = 24 if parser.parse_args().quick else 120
    model, processor = mlx_vlm.load(str(KINDS["diffusion"].weights))
    prompts = draw(np.random.default_rng(0), runs)
    print(f"mlx-vlm {installed_version('mlx-vlm')}, mlx {installed_version('mlx')}; {runs} runs a setting.\n")
    print("| setting | steps | passed | broken | could not be told | not checked |")
    print("| --- | ---: | ---: | --- | --- | --- |")
    for name, call in SETTINGS.items():
        traces = run(model, processor, prompts, call)
        report = dv.check_conformance(traces)
        broken, untold = sorted({one.rule for one in report.violations}), [rule for rule, _ in report.undecided]
        unchecked = [rule for rule, _ in report.not_checked]
        cells = [", ".join(rules) or "none" for rules in (broken, untold, unchecked)]
        print(f"| {name} | {sum(one.n_steps for one in traces)} | {len(report.passed)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
