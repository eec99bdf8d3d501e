"""Train the bundled model from scratch.

    python -m dgemma_viz.tiny.train            # about an hour on 2 CPU cores
    python -m dgemma_viz.tiny.train            # the same again after an interrupt: goes on where it was

The run depends on its settings and seed only. It saves its state at each check and on Ctrl-C, exports the averaged
weights at each check, and ends with the table of `dgemma_viz.tiny.evaluate`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from dgemma_viz.tiny.evaluate import DEFAULT, evaluate, score, write_report
from dgemma_viz.tiny.export import averaged_model, export
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.schedule import default_schedule
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.training import Recipe, TrainingRun
from dgemma_viz.tiny.workers import Team, run_team
from dgemma_viz.write_whole import write_whole

PHASES = (732, 725, 866, 248, 508, 716)
DECAY = 340
_REPORT_SECONDS = 20
_CHECK_EXAMPLES = 64
_CHECK_SEED = 1  # the final table uses seed 0, so no choice made while training is fitted to it


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dgemma_viz.tiny.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--phases", type=int, nargs=6, default=PHASES, help="steps of the six phases of the run")
    parser.add_argument("--decay", type=int, default=DECAY, help="last steps, over which the learning rate falls")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop (and save) after this much time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="matrix products in bfloat16")
    parser.add_argument("--compile", action="store_true", help="use torch.compile: minutes to start, then faster")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the examples of a step")
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker")
    parser.add_argument("--folder", type=Path, default=KINDS["diffusion"].weights, help="where the weights go")
    parser.add_argument("--state", type=Path, default=Path("tiny-training.pt"), help="where the state is kept")
    parser.add_argument("--restart", action="store_true", help="ignore a saved state")
    parser.add_argument("--check-minutes", type=float, default=8.0, help="time between checks of exact match")
    parser.add_argument("--examples", type=int, default=256, help="held-out prompts a task in the final table")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    """Write a progress line."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


class StopRequest:
    """Ctrl-C and termination, noted instead of raised, so that a step is never left half done."""

    def __init__(self) -> None:
        self.made = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:  # noqa: ARG002
        self.made = True
        say("stopping after this step")


def check(run: TrainingRun, folder: Path) -> None:
    """Export the averaged weights and report exact match on a few held-out prompts."""
    model = averaged_model(run.average)
    export(model, folder)
    scores = [score(model, run.tokenizer, task, DEFAULT, count=_CHECK_EXAMPLES, seed=_CHECK_SEED) for task in TASKS]
    say("check: " + ", ".join(f"{entry.task} {entry.exact:.0%} in {entry.forwards:.1f} passes" for entry in scores))


def train(run: TrainingRun, options: argparse.Namespace) -> None:
    """Advance to the end of the schedule or of the time; worker 0 saves and checks on the way."""
    request, leads, steps = StopRequest(), run.team.rank == 0, run.recipe.schedule.steps
    deadline = time.monotonic() + 60 * options.minutes
    last_check = last_report = float("inf")  # set after the first step, which may wait minutes for the compiler
    last_step, stop = run.step, False
    while run.step < steps and not stop:
        seen, stop = run.advance(stop=leads and (request.made or time.monotonic() > deadline))
        now = time.monotonic()
        last_check, last_report = min(last_check, now), min(last_report, now)
        if leads and now - last_report > _REPORT_SECONDS:
            pace = (now - last_report) / (run.step - last_step)
            last_report, last_step = now, run.step
            values = ", ".join(f"{name} {pair[0]:.3f}/{pair[1]:.3f}" for name, pair in seen.items())
            say(f"step {run.step}/{steps}, {pace:.2f} s each, {pace * (steps - run.step) / 60:.0f} min left; {values}")
        if leads and now - last_check > 60 * options.check_minutes:
            run.save(options.state)
            check(run, options.folder)
            last_check = last_report = time.monotonic()
            last_step = run.step
    if leads:
        run.save(options.state)
        say(f"saved step {run.step} in {options.state}")


def record_run(run: TrainingRun, options: argparse.Namespace) -> None:
    """Write down how the weights were made."""
    facts: dict[str, Any] = {
        "command": f"python -m dgemma_viz.tiny.train {options.command}".strip(),
        "recipe": asdict(run.recipe),
        "steps_done": run.step,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "workers": options.workers,
        "threads": options.threads,
        "compiled": options.compile,
    }
    write_whole(options.folder / "training.json", json.dumps(facts, indent=1) + "\n")


def work(team: Team, options: argparse.Namespace) -> None:
    """Train as one worker of a team; worker 0 also exports and evaluates."""
    torch.set_num_threads(options.threads)
    schedule = default_schedule(options.phases, options.decay)
    recipe = Recipe(schedule, seed=options.seed, bfloat16=options.bfloat16)
    run = TrainingRun(recipe, team=team, compiled=options.compile)
    if options.state.exists() and not options.restart:
        run.restore(options.state)
        if team.rank == 0:
            say(f"going on from step {run.step}")
    train(run, options)
    if team.rank == 0:
        model = averaged_model(run.average)
        export(model, options.folder)
        record_run(run, options)
        sys.stdout.write(write_report(list(evaluate(model, run.tokenizer, count=options.examples)), options.folder))


def main(arguments: list[str] | None = None) -> None:
    """Train, export, evaluate."""
    options = parse_arguments(arguments)
    options.command = shlex.join(sys.argv[1:] if arguments is None else arguments)
    run_team(work, options.workers, options)


if __name__ == "__main__":
    main()
