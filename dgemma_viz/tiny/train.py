"""Train a bundled model from scratch.

    python -m dgemma_viz.tiny.train              # the bundled DiffusionGemma: about two hours on 2 CPU cores
    python -m dgemma_viz.tiny.train masked       # the mask-token model
    python -m dgemma_viz.tiny.train drafter
    python -m dgemma_viz.tiny.train              # the same again after an interrupt: goes on where it was

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

from dgemma_viz.tiny.config_file import save_with_config
from dgemma_viz.tiny.courses import COURSES, Course
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.training import Recipe, TrainingRun
from dgemma_viz.tiny.workers import Team, run_team
from dgemma_viz.write_whole import write_whole

_REPORT_SECONDS = 20


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dgemma_viz.tiny.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", choices=list(COURSES), default="diffusion", help="which model")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop (and save) after this much time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that share the examples of a step")
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker")
    parser.add_argument("--folder", type=Path, help="where the weights go; by default the package's own folder")
    parser.add_argument("--state", type=Path, help="where the state is kept; by default tiny-KIND.pt")
    parser.add_argument("--restart", action="store_true", help="ignore a saved state")
    parser.add_argument("--check-minutes", type=float, default=12.0, help="time between checks of right answers")
    parser.add_argument("--examples", type=int, default=256, help="held-out prompts a task in the final table")
    options = parser.parse_args(arguments)
    options.folder = options.folder or KINDS[options.kind].weights
    options.state = options.state or Path(f"tiny-{options.kind}.pt")
    return options


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


def export(run: TrainingRun, course: Course, folder: Path) -> Any:
    """Write the averaged weights as a Hugging Face folder; return the model as it will be loaded."""
    model = run.averaged_model()
    if course.half:
        model = model.half()
    save_with_config(model, folder)
    run.tokenizer.save_pretrained(folder)
    return model.float()


def train(run: TrainingRun, course: Course, options: argparse.Namespace) -> bool:
    """Advance to the end of the schedule or of the time; worker 0 saves and checks on the way. True at the end."""
    request, leads, steps = StopRequest(), run.team.rank == 0, run.recipe.schedule.steps
    deadline = time.monotonic() + 60 * options.minutes
    last_check = last_report = time.monotonic()
    last_step, stop = run.step, False
    while run.step < steps and not stop:
        seen, stop = run.advance(stop=leads and (request.made or time.monotonic() > deadline))
        now = time.monotonic()
        if leads and now - last_report > _REPORT_SECONDS:
            pace = (now - last_report) / (run.step - last_step)
            last_report, last_step = now, run.step
            losses = (f"{name} {'/'.join(f'{loss:.3f}' for loss in each.values())}" for name, each in seen.items())
            left = pace * (steps - run.step) / 60
            say(f"step {run.step}/{steps}, {pace:.2f} s each, {left:.0f} min left; {', '.join(losses)}")
        if leads and now - last_check > 60 * options.check_minutes:
            run.save(options.state)
            say(f"check: {course.check(export(run, course, options.folder), run.tokenizer)}")
            last_check = last_report = time.monotonic()
            last_step = run.step
    if leads:
        run.save(options.state)
        say(f"saved step {run.step} in {options.state}")
    return run.step == steps


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
    }
    write_whole(options.folder / "training.json", json.dumps(facts, indent=1) + "\n")


def work(team: Team, options: argparse.Namespace) -> None:
    """Train as one worker of a team; worker 0 also exports, and evaluates at the end."""
    torch.set_num_threads(options.threads)
    course = COURSES[options.kind]
    run = TrainingRun(course.learner, Recipe(course.schedule, seed=options.seed), team=team)
    if options.state.exists() and not options.restart:
        run.restore(options.state)
        if team.rank == 0:
            say(f"going on from step {run.step}")
    ended = train(run, course, options)
    if team.rank == 0:
        model = export(run, course, options.folder)
        record_run(run, options)
        if ended:
            sys.stdout.write(course.report(model, run.tokenizer, options.folder, options.examples))


def main(arguments: list[str] | None = None) -> None:
    """Train, export, evaluate."""
    options = parse_arguments(arguments)
    options.command = shlex.join(sys.argv[1:] if arguments is None else arguments)
    run_team(work, options.workers, options)


if __name__ == "__main__":
    main()
