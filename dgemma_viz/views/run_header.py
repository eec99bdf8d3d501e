"""The head of a run: what ran, how it ended, what to be wary of, the prompt and the output. Pure HTML text.

Everything that came from the model, the tokenizer or a file is escaped; invisible characters are made visible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from dgemma_viz.analysis.restraints import began_with_given, has_processors
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import NO_WARNING
from dgemma_viz.views.chat import channels_html
from dgemma_viz.views.words import term

_LONGEST_TEXT = 6000
_LONGEST_NOTICE = 600
_LONGEST_NAME = 80
_MOST_WARNINGS = 10
_STATUS_WORDS = {
    "complete": ("✓", "complete"),
    "failed": ("✕", "failed"),
    "interrupted": ("‖", "interrupted"),
    "running": ("●", "still running"),
}


def header_html(trace: Trace, sample: int) -> Markup:
    """Title, facts, warnings, prompt and output of one sample."""
    known = f" dgx-{trace.facts.status}" if trace.facts.status in _STATUS_WORDS else ""
    title, kind = names_of(trace)
    status = tag("em", readable(status_of(trace), _LONGEST_NAME), class_=f"dgx-status{known}")
    names = (tag("strong", readable(title, _LONGEST_NAME)), tag("span", readable(kind, _LONGEST_NAME)))
    facts = (
        tag("li", tag("span", term(name, _WORDS.get(name))), " ", readable(value, _LONGEST_NAME))
        for name, value in facts_of(trace, sample)
    )
    prompt = _text_box("Prompt", trace.prompt_text(sample), "The prompt is empty.")
    output = _text_box("Output", trace.output_text(sample), no_output(trace, sample))
    return tag(
        "div",
        tag("div", names, status, class_="dgx-title"),
        tag("ul", facts, class_="dgx-facts"),
        channels_html(trace, sample),
        (_notice(*notice) for notice in notices_of(trace)),
        tag("div", prompt, output, class_="dgx-texts"),
        class_="dgx-head",
    )


def names_of(trace: Trace) -> tuple[str, str]:
    """Of the model, and of its class where that is another one; NOT escaped."""
    facts = trace.facts
    return facts.model_id or facts.model_class or "unknown model", facts.model_class if facts.model_id else ""


def status_of(trace: Trace) -> str:
    """How the run ended, with a mark; NOT escaped."""
    return " ".join(_STATUS_WORDS.get(trace.facts.status, ("?", trace.facts.status)))


def notices_of(trace: Trace) -> Iterator[tuple[str, str, str]]:
    """What to be wary of: a title, words that are NOT escaped, and more of our own."""
    facts = trace.facts
    for notice in facts.notices[:_MOST_WARNINGS]:
        yield "How it was recorded" if notice.code in NO_WARNING else "Warning", notice.text, ""
    if (more := len(facts.notices) - _MOST_WARNINGS) > 0:
        yield "Warning", f"{more} more are in trace.facts.notices", ""
    if facts.absent:
        words = f"{', '.join(facts.absent)}. Where views show these, they show blanks, not measurements."
        yield "Not recorded", words, ""
    if facts.status != "complete":
        yield _STATUS_WORDS.get(facts.status, ("?", facts.status))[1].capitalize(), facts.error, _recorded(trace)


def readable(text: object, most: int = _LONGEST_TEXT) -> Markup:
    """Made visible, right-to-left runs isolated, cut after ``most`` characters, escaped for HTML."""
    return markup(isolated(visible(text, most)))


def readable_block(text: object, most: int = _LONGEST_TEXT) -> Markup:
    """The same for a box of its own, whose direction is that of its text."""
    return markup(visible(text, most))


_OF_OTHER_SAMPLERS = {
    "temperature": "temperature",
    "threshold": "threshold",
    "editing_threshold": "editing threshold",
    "block_length": "block length",
    "corrector_steps": "corrector sweeps",
    "corrector_k": "positions a sweep",
    "corrector_selection": "chosen by",
}
"""Settings that only some samplers have, in words."""
_WORDS = {"canvas of": "canvas"}
"""Names of facts that the glossary has under another one."""
_SWITCHED_OFF = (None, 0, "")


def facts_of(trace: Trace, sample: int) -> Iterator[tuple[str, str]]:
    """Name and value of what a reader must know of a run; NOT escaped."""
    facts, settings = trace.facts, trace.facts.settings
    if name := facts.sampler or facts.sampler_kind:
        yield "sampler", name
    if (bound := settings.get("entropy_bound")) is not None:
        yield "entropy bound", f"{bound} {'nat' if bound == 1 else 'nats'}"
    if (most := settings.get("max_denoising_steps")) is not None:
        yield "at most", f"{most} {'step' if most == 1 else 'steps'} a canvas"
    if settings.get("t_max") is not None and settings.get("t_min") is not None:
        yield "temperature", f"{settings['t_max']} → {settings['t_min']}"
    yield from _of_its_own(trace)
    yield "ran", f"{_count(trace.n_steps, 'step')} over {_count(trace.n_canvases, 'canvas', 'canvases')}"
    yield "canvas of", trace.lengths_in_words
    if trace.n_samples > 1:
        yield "batch of", str(trace.n_samples)
    if trace.n_steps and not math.isnan(rate := tokens_per_forward(trace, sample)):
        yield "tokens per forward", f"{rate:.2g} (derived)"
    if facts.seed is not None:
        yield "seed", str(facts.seed)
    if facts.device:
        yield "on", f"{facts.device} {facts.dtype}".strip()


def _of_its_own(trace: Trace) -> Iterator[tuple[str, str]]:
    """What only some samplers have, and whether the run was left alone."""
    kind = sampler_kind(trace)
    if kind is SamplerKind.MASKED:
        yield "noise", "mask tokens"
    if kind is SamplerKind.CAUSAL:
        yield "written", "left to right"
    for name, words in _OF_OTHER_SAMPLERS.items():
        if (value := trace.facts.settings.get(name)) not in _SWITCHED_OFF:
            yield words, str(value)
    if began_with_given(trace):
        yield "first canvas", "given by the caller"
    if has_processors(trace):
        yield "logits processors", ", ".join(map(str, trace.facts.settings["logits_processors"]))
    if changes := trace.facts.task.interventions:
        yield "changed on purpose", _count(len(changes), "time")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _notice(title: str, text: str, more: str) -> Markup:
    name, words = tag("b", readable(title, _LONGEST_NAME)), readable(text, _LONGEST_NOTICE)
    return tag("p", name, words and (" ", words), more and f" {more}", class_="dgx-notice", role="note")


def _recorded(trace: Trace) -> str:
    return f"What was recorded until then is shown: {_count(trace.n_steps, 'step')}."


def no_output(trace: Trace, sample: int) -> str:
    """Why there is no output."""
    if not len(trace.emitted):
        return "Nothing was emitted: the run ended before its first canvas was finished."
    if trace.emitted[:, sample].size and not len(trace.output_ids(sample)):
        return "The output is empty: its first token ends the sequence."
    return "The output is empty."


def _text_box(title: str, text: str, empty: str) -> Markup:
    body = tag("pre", readable_block(text), tabindex=0) if text else tag("p", empty)
    heading = tag("h3", title, tag("span", "measured", class_="dgx-tag"))
    return tag("section", heading, body, class_="dgx-text")
