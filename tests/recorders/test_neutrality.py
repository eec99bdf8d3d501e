"""Recording changes nothing: same seed, same output, same random state after it, bit for bit. Eager runs."""

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList, TextDiffusionStreamer
from transformers.generation.streamers import BaseStreamer

from dgemma_viz.upstream.transformers import CACHE
from tests.recorders.conftest import CANVAS, PAD, VOCABULARY, prompts
from tests.recorders.replay import assert_consistent
from tests.recorders.same_run import assert_same, plain, recorded, run_both


class Favour(LogitsProcessor):
    """Raises one token's logit and rules another out."""

    def __call__(self, _input_ids, scores):
        scores = scores.clone()
        scores[..., 7] += 2.0
        scores[..., 8] = -float("inf")
        return scores


class StepDependent(LogitsProcessor):
    def __call__(self, _input_ids, scores, cur_step):
        return scores * (1 + cur_step / 100)


class KeepDrafts(BaseStreamer):
    def __init__(self, takes_logits=False):
        self._takes_logits = takes_logits
        self.seen = []

    def put(self, value):
        self.seen.append(value.clone())

    def put_draft(self, value=None, logits=None):
        self.seen.append((logits if value is None else value).clone())

    def end(self):
        self.seen.append(torch.tensor(-1))


ADAPTIVE_OFF = {"stability_threshold": None, "confidence_threshold": None}
CASES = {
    "one sample": (1, {}),
    "batch, left-padded": (3, {}),
    "three canvases": (1, {"max_new_tokens": 3 * CANVAS}),
    "three canvases, batch": (3, {"max_new_tokens": 3 * CANVAS}),
    "no adaptive stopping": (3, {**ADAPTIVE_OFF, "max_new_tokens": 2 * CANVAS}),
    "stability of three steps": (3, {"stability_threshold": 3, "confidence_threshold": 0.6}),
    "no stability needed": (3, {"stability_threshold": 0, "confidence_threshold": 0.6, "max_new_tokens": 2 * CANVAS}),
    "static cache, not compiled": (3, {"cache_implementation": "static", "disable_compile": True}),
    "one step": (2, {"max_denoising_steps": 1}),
    "no padding token": (3, {"pad_token_id": None, "max_new_tokens": 2 * CANVAS}),
}


@pytest.mark.parametrize(("batch", "arguments"), CASES.values(), ids=CASES)
def test_same_output_and_consistent_trace(model, tokenizer, batch, arguments):
    if arguments.get("pad_token_id", PAD) is None:
        original, model.generation_config.pad_token_id = model.generation_config.pad_token_id, None
    try:
        output, trace = run_both(model, lambda: model.generate(**prompts(batch), **arguments), tokenizer)
    finally:
        if "pad_token_id" in arguments:
            model.generation_config.pad_token_id = original
    emitted = torch.from_numpy(trace.emitted.copy()).permute(1, 0, 2).reshape(batch, -1)
    assert torch.equal(output.sequences[:, 5:].int(), emitted)
    assert trace.facts.status == "complete"
    assert not trace.facts.notices
    if "pad_token_id" not in arguments:
        assert_consistent(trace)


def test_the_cases_cover_what_they_are_for(model):
    """Ragged canvases, a row that stops early, a row that ended before a canvas, re-noised and accepted positions."""
    _, trace = run_both(model, lambda: model.generate(**prompts(3), max_new_tokens=3 * CANVAS))
    steps = [int((trace.canvas == canvas).sum()) for canvas in range(trace.n_canvases)]
    assert len(steps) == 3
    assert len(set(steps)) > 1
    assert (~trace.active).any()
    assert trace.past_end.any()
    assert 0.5 < trace.accepted.mean() < 0.9


@pytest.mark.parametrize("processors", [[Favour], [StepDependent, Favour]], ids=["one", "two, one of the step"])
def test_custom_logits_processors(model, processors):
    _, trace = run_both(
        model,
        lambda: model.generate(
            **prompts(2), logits_processor=LogitsProcessorList(processor() for processor in processors)
        ),
    )
    assert_consistent(trace)
    assert not (trace.candidate == 8).any()
    assert trace.facts.settings["logits_processors"][:-1] == [processor.__name__ for processor in processors]


@pytest.mark.parametrize("takes_logits", [False, True], ids=["drafts", "logits"])
def test_streamer_sees_the_same(model, takes_logits):
    streamers = []

    def generate():
        streamers.append(KeepDrafts(takes_logits))
        return model.generate(**prompts(2), max_new_tokens=2 * CANVAS, streamer=streamers[-1])

    _, trace = run_both(model, generate)
    without, with_it = (streamer.seen for streamer in streamers)
    assert len(without) == trace.n_steps + trace.n_canvases + 2
    assert all(torch.equal(one, other) for one, other in zip(without, with_it, strict=True))


def test_stock_streamer_prints_the_same(model, tokenizer, capsys):
    printed = []

    def generate():
        result = model.generate(**prompts(1), streamer=TextDiffusionStreamer(tokenizer))
        printed.append(capsys.readouterr().out)
        return result

    run_both(model, generate)
    assert printed[0] == printed[1] != ""


def test_given_first_canvas_serves_the_first_canvas_only(model):
    first = torch.arange(2 * CANVAS).reshape(2, CANVAS) % VOCABULARY
    _, trace = run_both(
        model, lambda: model.generate(**prompts(2), max_new_tokens=2 * CANVAS, decoder_input_ids=first.clone())
    )
    assert_consistent(trace)
    assert (trace.noised[0] == first.numpy()).all()
    assert not (trace.noised[trace.canvas == 1][0] == first.numpy()).all()
    assert "decoder_input_ids" in trace.facts.settings["inputs"]


def test_given_self_conditioning(model):
    logits = torch.randn(1, CANVAS, VOCABULARY, generator=torch.Generator().manual_seed(1))
    run_both(model, lambda: model.generate(**prompts(1), self_conditioning_logits=logits.clone()))


def test_positional_prompt_and_plain_output(model):
    ids = prompts(1)["input_ids"]
    without = plain(lambda: model.generate(ids, return_dict_in_generate=False))
    *with_it, recording = recorded(model, lambda: model.generate(ids, return_dict_in_generate=False))
    assert torch.equal(without[0], with_it[0])
    assert recording.trace.prompt_mask.all()


def test_a_second_turn_on_the_first_one_s_cache(model):
    def two_turns():
        first = model.generate(input_ids=prompts(1)["input_ids"])
        return model.generate(input_ids=first.sequences[:, -CANVAS:], **{CACHE: getattr(first, CACHE)})

    without = plain(two_turns)
    *with_it, recording = recorded(model, two_turns)
    assert_same(without, with_it)
    second = recording.traces[1]
    assert second.prompt.shape == second.prompt_mask.shape == (1, CANVAS)


def test_several_calls_in_one_block_and_one_after_it(model):
    def generate():
        model.generate(**prompts(2))
        return model.generate(**prompts(1), max_new_tokens=2 * CANVAS)

    without = plain(generate)
    *with_it, recording = recorded(model, generate)
    assert_same(without, with_it)
    assert [trace.n_samples for trace in recording.traces] == [2, 1]
    assert recording.trace is recording.traces[-1]
    assert_same(plain(generate), without)
    assert len(recording.traces) == 2, "a call after the block was recorded"


def test_a_model_in_bfloat16(shared_model):
    import copy

    model = copy.deepcopy(shared_model).to(torch.bfloat16)
    _, trace = run_both(model, lambda: model.generate(**prompts(2)))
    assert_consistent(trace)
    assert trace.facts.dtype == "bfloat16"
