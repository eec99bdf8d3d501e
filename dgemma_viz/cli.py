"""The command ``dgemma-viz``: serve or copy notebooks; record, check, diagnose or export runs; see what is there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Never

import dgemma_viz
from dgemma_viz.errors import DgemmaVizError, SettingError
from dgemma_viz.export.command import add_options as add_export_options
from dgemma_viz.plain_text import printable
from dgemma_viz.serving.command import add_options as add_serve_options

USER_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141
"""What shells report for a program that a closed pipe ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status. Users' mistakes are one line on stderr, not a traceback."""
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except DgemmaVizError as error:
        print(f"dgemma-viz: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("dgemma-viz: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more when it ends, which would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dgemma-viz", description=dgemma_viz.__doc__)
    parser.add_argument("--version", action="version", version=f"dgemma-viz {dgemma_viz.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the notebooks as dashboards: a gallery of all, or one")
    add_serve_options(serve)
    serve.set_defaults(run=_serve)

    record = commands.add_parser("record", help="record one run of the bundled model, or another, to a file")
    what = record.add_mutually_exclusive_group(required=True)
    what.add_argument("--task", help="a task of the bundled model: its prompt is drawn with --seed")
    what.add_argument("--prompt", help="a prompt of your own")
    record.add_argument("-o", "--output", required=True, help="file to write, e.g. run.safetensors")
    record.add_argument("--model", help="folder or hub id of a DiffusionGemma (default: the bundled model)")
    record.add_argument("--seed", type=int, default=0)
    record.add_argument("--steps", type=int, help="most denoising steps per canvas")
    record.add_argument("--entropy-bound", type=float, help="the sampler's entropy bound, in nats")
    record.add_argument("--max-new-tokens", type=int, help="most tokens to generate")
    record.add_argument("--top-k", type=int, default=8, help="alternatives kept per position (default: %(default)s)")
    record.set_defaults(run=_record)

    check = commands.add_parser("check", help="replay traces against the reference sampler's rules")
    check.add_argument(
        "trace",
        nargs="+",
        help="a .safetensors trace, JSON lines that another runtime logged, a step map, a history, or a folder of "
        "them; of several, statistical rules pool the random draws, in the order given",
    )
    check.add_argument(
        "--reference-settings",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="what the sampler was asked for, where the trace does not say: e.g. t_min=0.4, stability_threshold=none, "
        "or 'released' for all of the released model's",
    )
    check.set_defaults(run=_check)

    diagnose = commands.add_parser("diagnose", help="say what went wrong in a recorded run, and what to try")
    diagnose.add_argument(
        "trace", help="a .safetensors trace, JSON lines that another runtime logged, a step map, or a history"
    )
    diagnose.add_argument("--reference", help="the right answer (default: the trace's own, if it has one)")
    diagnose.set_defaults(run=_diagnose)

    export = commands.add_parser(
        "export", help="write a trace, or two compared, to one HTML file, an animation, or a figure as a picture"
    )
    add_export_options(export)
    export.set_defaults(run=_export)

    notebooks = commands.add_parser(
        "notebooks", help="copy the notebooks into a folder, to be opened and changed there"
    )
    notebooks.add_argument("folder", nargs="?", default="dgemma_viz_notebooks", help="default: %(default)s")
    notebooks.set_defaults(run=_notebooks)

    doctor = commands.add_parser("doctor", help="say what is installed, what is missing, and what to do")
    doctor.set_defaults(run=_doctor)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Never:
        """Complain; the message quotes arguments, such as file names that a shell put there."""
        super().error(printable(message))


def _say(text: object) -> None:
    """Print for a terminal: nothing in a trace may steer it."""
    print(printable(str(text)))


def _serve(options: argparse.Namespace) -> int:
    from dgemma_viz.serving.command import run

    return run(options)


def _record(options: argparse.Namespace) -> int:
    from dgemma_viz.labs.models import load_model
    from dgemma_viz.labs.run import checked_seed, run
    from dgemma_viz.labs.samplers.entropy_bound import ENTROPY_BOUND

    given = {"max_denoising_steps": options.steps, "entropy_bound": options.entropy_bound}
    parameters = ENTROPY_BOUND.checked({name: value for name, value in given.items() if value is not None})
    seed = checked_seed(options.seed)
    if options.model and options.task:
        raise SettingError("--task belongs to the bundled model; give --prompt with --model")
    prompt = options.prompt if options.prompt is not None else _task_prompt(options.task, options.seed)
    model, tokenizer = load_model(options.model)
    trace = run(
        model,
        tokenizer,
        prompt,
        parameters=parameters,
        seed=seed,
        max_new_tokens=options.max_new_tokens,
        top_k=options.top_k,
    )
    trace.save(options.output)
    _say(f"{trace}\nprompt: {trace.prompt_text()}\noutput: {trace.output_text()}\nwritten to {options.output}")
    return 0


def _task_prompt(name: str, seed: int) -> str:
    import numpy as np

    from dgemma_viz.tiny.tasks import TASKS, sample_example

    if name not in TASKS:
        raise SettingError(f"there is no task '{name}'; choose from {sorted(TASKS)}")
    return sample_example(TASKS[name], np.random.default_rng(seed), held_out=True).prompt


def _check(options: argparse.Namespace) -> int:
    from dgemma_viz.conformance import check_conformance
    from dgemma_viz.conformance.reference_settings import read_settings
    from dgemma_viz.trace import load_traces

    traces = {
        f"{name} {run}".rstrip(): trace
        for name, path in zip(_told_apart(options.trace), options.trace, strict=True)
        for run, trace in load_traces(path).items()
    }
    report = check_conformance(traces, read_settings(options.reference_settings))
    _say(report)
    return 0 if report.ok else 1


def _told_apart(paths: Sequence[str]) -> list[str]:
    """What to call each file: its name, or its path where two have one name, with a number where two have one path."""
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        names = list(paths)
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)]


def _diagnose(options: argparse.Namespace) -> int:
    from dgemma_viz.diagnosis import Severity, diagnose
    from dgemma_viz.trace import load_trace

    diagnosis = diagnose(load_trace(options.trace), options.reference)
    _say(diagnosis)
    return 1 if any(finding.severity > Severity.NOTE for finding in diagnosis) else 0


def _export(options: argparse.Namespace) -> int:
    from dgemma_viz.export.command import run

    return run(options)


def _notebooks(options: argparse.Namespace) -> int:
    from dgemma_viz.serving.notebooks import copy_notebooks

    copies = copy_notebooks(Path(options.folder))
    print(f"{len(copies)} notebooks are in {options.folder}; open them with: jupyter lab {options.folder}")
    return 0


def _doctor(_options: argparse.Namespace) -> int:
    from dgemma_viz.doctor import examine, report

    findings = examine()
    _say(report(findings))
    return 0 if all(finding.good for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
