"""Three ways of decoding on the bundled checkpoint: counts, times, break-even length and batch crossover, measured.

    python benchmarks/decoding.py [--examples 16] [--repeats 3]

Counts (forwards, tokens per forward, wasted positions) are facts of the algorithms. Times are this machine's with a
model of a million parameters; each is printed as a ratio to autoregressive decoding in the same run.
"""

from __future__ import annotations

import argparse
import math
import sys

import dgemma_viz as dv
from dgemma_viz.labs import decoding
from dgemma_viz.labs.decoding import break_even_lengths, crossover_batches, time_by_batch, time_by_length
from dgemma_viz.labs.decoding.scaling import fixed_ways
from dgemma_viz.tiny.evaluate import held_out_examples
from dgemma_viz.tiny.tasks import TASKS

_WAYS = ("autoregressive", "drafted", "looked up", "diffusion")
_STEPS = (4, 9, 16)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=16, help="held-out prompts a task")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    model, tokenizer = dv.load_tiny()
    say = sys.stdout.write
    say("| task | way | tokens per forward | positions wasted | time / autoregressive | right |\n")
    say("| --- | --- | ---: | ---: | ---: | ---: |\n")
    for task in TASKS:
        prompts = [example.prompt for example in held_out_examples(task, options.examples, seed=7)]
        summary = decoding.race(model, tokenizer, prompts, _WAYS, repeats=options.repeats).summary()
        ratio = summary["seconds"] / summary.loc["autoregressive", "seconds"]
        for way, row in summary.iterrows():
            say(f"| {task} | {way} | {row.tokens_per_forward:.2f} | {row.wasted:.0%} | {ratio[way]:.2f} ")
            say(f"| {row.right:.0%} |\n")
    prompt = held_out_examples("sort", 1, seed=7)[0].prompt
    ways = fixed_ways(_STEPS)
    lengths = time_by_length(model, tokenizer, prompt, ways=ways, repeats=options.repeats)
    batches = time_by_batch(model, tokenizer, [prompt], ways=ways, repeats=options.repeats)
    crossings = crossover_batches(batches)
    say("\n| way | faster from, tokens | autoregressive serves more from, prompts at once |\n| --- | ---: | ---: |\n")
    for way, length in break_even_lengths(lengths).items():
        users = crossings[way]
        say(f"| {way} | {length:.1f} | {'beyond 32' if math.isnan(users) else format(users, '.0f')} |\n")


if __name__ == "__main__":
    main()
