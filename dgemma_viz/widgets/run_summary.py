"""What came of one run, in one line: the answer, whether it is right, steps, tokens per forward."""

from __future__ import annotations

from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny.tasks import task_of
from dgemma_viz.trace import Trace


def run_summary(trace: Trace, prompt: str) -> str:
    """The line, NOT escaped. The checker of the bundled task judges the answer; if there is none, that is said."""
    output = trace.output_text()
    parts = [output.strip() or "(empty answer)"]
    if trace.facts.status != "complete":
        parts.append(f"stopped after {trace.n_steps} steps: what was recorded until then is below")
        return " · ".join(parts)
    try:
        task = task_of(prompt)
        task.validate_prompt(prompt)
    except DgemmaVizError as error:
        parts.append(f"no program can check this answer. {error}")
    else:
        right = task.check(prompt, output)
        parts.append("✓ right, says the checker" if right else "✗ wrong, says the checker")
    parts.append(f"{trace.n_steps} steps, {tokens_per_forward(trace):.1f} tokens per forward")
    return " · ".join(parts)
