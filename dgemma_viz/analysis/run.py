"""One run of many: what was asked, with which seed, what came out, and whether it is right.

Its trace is kept, or named by a path and opened when it is needed, so that thousands of runs need not fit in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from dgemma_viz.analysis.reference import Answer, Judgement, Reference, answer_for, judge
from dgemma_viz.trace.model import Trace


@dataclass(frozen=True, eq=False)
class Run:
    """One sample of one recorded run.

    Attributes
    ----------
    source
        The trace, or the path of its file.
    prompt
        What was asked: ``facts.task.prompt``, else the decoded prompt.
    task
        Name of the task, or empty.
    seed
        ``facts.seed``, or None if unknown.
    output
        Emitted text up to the first end-of-sequence token.
    ended
        Whether the answer came to its end; false where the run was interrupted or failed before.
    judgement
        Against the reference; None where there is none.
    reference
        What it was judged against; None means the text in the trace's task facts. Where several answers are right, a
        function knows them all; the text is only the one nearest to the output.
    sample
        Sample of the batch.
    """

    source: Trace | Path
    prompt: str
    task: str
    seed: int | None
    output: str
    ended: bool
    judgement: Judgement | None = None
    reference: Answer | None = None
    sample: int = 0

    @classmethod
    def of(
        cls,
        trace: Trace,
        reference: Reference | None = None,
        sample: int = 0,
        path: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Judge one sample of a trace; with ``path``, keep that in place of the trace.

        Raises
        ------
        SettingError, TraceError
            As :func:`~dgemma_viz.analysis.reference.judge`.
        """
        run = cls.unjudged(trace, sample)
        source = trace if path is None else Path(path)
        judgement, answer = judge(trace, reference, sample), answer_for(run.prompt, reference)
        return replace(run, source=source, judgement=judgement, reference=answer)

    @classmethod
    def unjudged(cls, trace: Trace, sample: int = 0) -> Run:
        """A run without a judgement."""
        task = trace.facts.task
        return cls(
            source=trace,
            prompt=trace.prompt_text(sample) if task.prompt is None else task.prompt,
            task=task.name,
            seed=trace.facts.seed,
            output=trace.output_text(sample),
            ended=trace.facts.status == "complete" or len(trace.output_ids(sample)) < len(trace.emitted_ids(sample)),
            sample=sample,
        )

    @property
    def trace(self) -> Trace:
        """The trace; read from its file each time, if that is what ``source`` names."""
        if isinstance(self.source, Path):
            from dgemma_viz.trace import load_trace

            return load_trace(self.source)
        return self.source

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None where not judged or cut off."""
        return None if self.judgement is None else self.judgement.answer_right
