"""What a recorder warned of is found by its code; what older files say in words gets one when they are opened."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import dgemma_viz as dv
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import Notice, NoticeCode, load_trace
from dgemma_viz.trace.json_lines import save_json_lines
from dgemma_viz.trace.notice import NO_WARNING
from tests.trace.hostile import Stored

FILES = Path(__file__).parent / "files"
REMEDY = (
    " To run what is asked for, delete the model's '_compiled_accept_canvas' and '_compiled_renoise_canvas' before "
    "generate(), or pass disable_compile=True."
)
WRITTEN = {
    NoticeCode.STALE_SAMPLER: "generate() ran the compiled sampler of an earlier call: entropy_bound 1.0 instead of "
    f"1e-06 in accept_canvas. The trace shows what really ran.{REMEDY}",
    NoticeCode.MIXED_SAMPLERS: "generate() accepted tokens with one sampler and re-noised with the compiled one of an "
    f"earlier call, whose accepted mask is another: accepted tokens may have been re-noised.{REMEDY}",
    NoticeCode.REPEATED_SCHEDULE: "2 temperature schedules divided the logits, one after the other: generate() appends "
    "its own to the LogitsProcessorList that it is given. Pass a new list to each call",
    NoticeCode.ACCEPTED_DERIVED: "the running sampler shows no accepted mask; 'accepted' was derived from the "
    "entropies and the bound",
    NoticeCode.ACCEPTED_MISSING: "3 accepted candidates are missing from the canvas of the step after: the sampler "
    "kept other tokens than its accepted mask, as recorded, says",
    NoticeCode.ACCEPTED_MASKED: "1 positions that canvas 0, step 0 accepted hold the mask token afterwards: hand over "
    "'noised' as the step read it, or 'decision' where accepted tokens are masked again",
    NoticeCode.SCHEDULER_STEP_OVERRIDDEN: "Halves decides in a step of its own. What it decided is recorded; "
    "temperature, bound and probabilities are those that BlockRefinementScheduler would have used",
    NoticeCode.RECORDING_STOPPED: "recording stopped in canvas 0, step 2, because of RuntimeError: 2 temperature "
    "schedules divided the logits, one after the other. The generation goes on; the trace ends there.",
}
"""Each sentence as the recorders of schema 5 wrote it; two of them quote what another might say."""
OTHER = "a sentence that no recorder wrote"
SINCE = {
    *NO_WARNING,
    NoticeCode.DECISIONS_UNEXPLAINED,
    NoticeCode.MAY_NOT_DENOISE,
    NoticeCode.GUIDANCE_NOT_SEEN,
    NoticeCode.END_UNKNOWN,
}
"""Codes that came after schema 5, so no older file has their sentences."""


def older(name: str, warnings: object, to: Path) -> Path:
    """One of the files of earlier versions, with warnings."""
    if name.endswith("jsonl"):
        head, *lines = (FILES / name).read_text("utf-8").splitlines()
        data = json.loads(head)
        data["facts"]["warnings"] = warnings
        to.write_text("\n".join([json.dumps(data), *lines]), "utf-8")
    else:
        stored = Stored.of(FILES / name)
        facts = json.dumps({**stored.facts(), "warnings": warnings})
        to.write_bytes(replace(stored, metadata={**stored.metadata, "facts": facts}).pack())
    return to


@pytest.mark.parametrize("name", ["schema_1.safetensors", "schema_5.safetensors", "lines_1.jsonl", "lines_3.jsonl"])
def test_sentences_of_older_files_get_their_codes(name, tmp_path):
    trace = load_trace(older(name, [*WRITTEN.values(), OTHER], tmp_path / "old"))
    assert trace.facts.notices == (*(Notice(code, text) for code, text in WRITTEN.items()), Notice("", OTHER))
    trace.save(tmp_path / "again.safetensors")
    save_json_lines(trace, tmp_path / "again.jsonl")
    for again in ("again.safetensors", "again.jsonl"):
        assert load_trace(tmp_path / again).facts == trace.facts


def test_every_code_that_older_files_may_need_is_tested():
    assert WRITTEN.keys() == {*NoticeCode} - SINCE


@pytest.mark.parametrize("name", ["schema_5.safetensors", "lines_3.jsonl"])
def test_warnings_of_older_files_that_are_no_texts_are_refused(name, tmp_path):
    with pytest.raises(TraceFileError, match="'warnings' is not list of str"):
        load_trace(older(name, [{"text": "a"}], tmp_path / "old"))


@pytest.mark.parametrize("code", [NoticeCode.STALE_SAMPLER, NoticeCode.MIXED_SAMPLERS])
def test_an_old_trace_of_a_stale_sampler_is_diagnosed_as_before(code, tmp_path):
    trace = load_trace(older("schema_5.safetensors", [WRITTEN[code]], tmp_path / "old"))
    (found,) = dv.diagnose(trace)
    assert (found.rule, found.what) == ("stale-compiled-sampler", WRITTEN[code])


def test_readers_go_by_the_code_and_not_by_the_words():
    trace = load_trace(FILES / "schema_5.safetensors")

    def rules(*notices):
        return [finding.rule for finding in dv.diagnose(replace(trace, facts=replace(trace.facts, notices=notices)))]

    assert rules(Notice("stale-sampler", "in other words")) == ["stale-compiled-sampler"]
    assert rules(Notice("", WRITTEN[NoticeCode.STALE_SAMPLER])) == ["recorder-warning"]
    assert rules(Notice("of-a-newer-version", OTHER)) == ["recorder-warning"]


def test_a_runtime_may_give_notices_without_a_code(tmp_path):
    header = {"format": "dgemma_viz.lines", "version": 4, "facts": {"notices": [{"text": OTHER}]}}
    lines = [header, {"canvas": 0, "step": 0, "draft": [5, 6]}, {"canvas": 0, "emitted": [5, 6]}]
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    trace = load_trace(tmp_path / "run.jsonl")
    assert trace.facts.notices == (Notice("", OTHER),)
    assert f"{OTHER}." in [finding.what for finding in dv.diagnose(trace)]
