"""Models that denoise are never taken for autoregressive ones, nor those that write to the right for denoisers."""

import functools
import types
from functools import partial

import pytest
import torch
from transformers import GenerationMixin, LlamaConfig, LlamaForCausalLM
from transformers.models.blip_2.modeling_blip_2 import Blip2ForConditionalGeneration
from transformers.models.granite_speech.modeling_granite_speech import GraniteSpeechForConditionalGeneration
from transformers.models.janus.modeling_janus import JanusForConditionalGeneration

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.own_generate import leaves_the_loop

MASK, LENGTH = 39, 6
PROMPT = torch.tensor([[5, 6, 7]])


def denoise(model, input_ids):
    """What the loops of mask-token models have in common: masks, and the surest one of them goes in each pass."""
    canvas = torch.full((1, LENGTH), MASK)
    while (canvas == MASK).any():
        logits = model.forward(torch.cat([input_ids, canvas], dim=1)).logits[:, -LENGTH:, :MASK]
        confidence, candidate = logits.softmax(-1).max(-1)
        chosen = confidence.masked_fill(canvas != MASK, -1).argmax(-1, keepdim=True)
        canvas = canvas.scatter(1, chosen, candidate.gather(1, chosen))
    return torch.cat([input_ids, canvas], dim=1)


class LLaDA2MoeModelLM(LlamaForCausalLM):
    @torch.no_grad()
    def generate(self, inputs, gen_length=LENGTH, mask_id=MASK):  # noqa: ARG002
        return denoise(self, inputs)


class SDARForCausalLM(LlamaForCausalLM):
    """Inherits generate(), and is run by a function beside it."""


class Fast_dLLM_QwenForCausalLM(LlamaForCausalLM):  # noqa: N801 - as published
    @torch.no_grad()
    def generate(self, input_ids, max_new_tokens=LENGTH, threshold=1):  # noqa: ARG002
        return denoise(self, input_ids)


class Unheard(LlamaForCausalLM):
    @torch.no_grad()
    def generate(self, input_ids, **_options):
        return self.in_blocks(input_ids)

    def in_blocks(self, input_ids):
        return denoise(self, input_ids)


class Part(LlamaForCausalLM):
    def generate(self, *args, **kwargs):
        return self.language_model.generate(*args, **kwargs)


class Above(Unheard):
    """super(), but of a loop that is none of transformers'."""

    def generate(self, *args, **kwargs):
        return super().generate(*args, **kwargs)


class Checked(LlamaForCausalLM):
    @torch.no_grad()
    def generate(self, *args, **kwargs):
        return super().generate(*args, **kwargs)


class Twice(Checked):
    def generate(self, *args, **kwargs):
        return self.really(*args, **kwargs)

    def really(self, *args, **kwargs):
        return super().generate(*args, **kwargs)


class Named(LlamaForCausalLM):
    def generate(self, *args, **kwargs):
        return GenerationMixin.generate(self, *args, **kwargs)


class Either(LlamaForCausalLM):
    """May leave the loop, or not: only the call tells."""

    def generate(self, input_ids, denoising=False, **options):
        return denoise(self, input_ids) if denoising else super().generate(input_ids, **options)


def small(kind):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=None,
        pad_token_id=0,
        mask_token_id=MASK,
    )
    return kind(config).eval()


class Tuned(SDARForCausalLM):
    """A subclass of one whose loop stands beside it."""


@pytest.mark.parametrize(
    ("kind", "loop"),
    [
        (LLaDA2MoeModelLM, LLaDA2MoeModelLM.generate),
        (Fast_dLLM_QwenForCausalLM, Fast_dLLM_QwenForCausalLM.generate),
        (SDARForCausalLM, denoise),
        (Tuned, denoise),
        (LlamaForCausalLM, denoise),
        (Unheard, Unheard.generate),
        (Above, Above.generate),
    ],
)
def test_a_loop_that_denoises_is_recorded_as_one(kind, loop):
    model = small(kind)
    with torch.no_grad():
        bare = loop(model, PROMPT)
        with dv.record(model) as recording:
            assert torch.equal(recording.result(getattr(model, loop.__name__, partial(loop, model))(PROMPT)), bare)
    trace = recording.trace
    assert trace.facts.sampler_kind == "mask-token"
    assert trace.facts.model_class == kind.__name__
    assert trace.n_steps == LENGTH
    assert trace.accepted.sum(axis=-1).ravel().tolist() == [1, 2, 3, 4, 5, 6]
    assert trace.emitted.tolist() == bare[None, :, PROMPT.shape[1] :].tolist()
    assert trace.prompt.tolist() == PROMPT.tolist()


def test_a_loop_that_was_put_on_the_object_is_recorded_and_left_there():
    model = small(LlamaForCausalLM)
    model.generate = own = types.MethodType(denoise, model)
    with dv.record(model) as recording, torch.no_grad():
        model.generate(PROMPT)
    assert recording.trace.facts.status == "complete"
    assert model.generate is own


def test_a_model_that_hands_over_to_a_part_is_refused_with_the_way_out():
    model = small(Part)
    model.language_model = small(LlamaForCausalLM)
    with pytest.raises(RecordingError, match=r"generate\(\) of Part hands over.*dv\.record\(model\.language_model"):
        dv.record(model)


@pytest.mark.parametrize("kind", [LlamaForCausalLM, Checked, Twice, Named, Either])
def test_a_harmless_override_is_recorded(kind):
    model = small(kind)
    options = {"max_new_tokens": 4, "do_sample": False}
    bare = model.generate(PROMPT, **options)
    with dv.record(model) as recording:
        assert torch.equal(model.generate(PROMPT, **options), bare)
    assert recording.trace.n_steps == 4


def test_a_wrapper_on_the_object_is_looked_through():
    model = small(LlamaForCausalLM)
    upstream = model.generate

    @functools.wraps(upstream)
    def counted(*args, **kwargs):
        return upstream(*args, **kwargs)

    def faster(self, *args, **kwargs):
        return self._old_generate(*args, **kwargs)

    for own in (counted, functools.partial(upstream, do_sample=False), types.MethodType(faster, model)):
        model.generate, model._old_generate = own, upstream
        assert not leaves_the_loop(model)


@pytest.mark.parametrize(
    ("kind", "leaves"),
    [
        (GraniteSpeechForConditionalGeneration, False),
        (JanusForConditionalGeneration, False),
        (Blip2ForConditionalGeneration, True),
    ],
)
def test_overrides_of_transformers_own_models(kind, leaves):
    assert leaves_the_loop(object.__new__(kind)) == leaves


def test_each_call_is_what_it_is_seen_to_do():
    model = small(Either)
    options = {"max_new_tokens": 4, "do_sample": False}
    with dv.record(model) as recording, torch.no_grad():
        for denoising in (False, True, False):
            model.generate(PROMPT, denoising=denoising, **options)
    kinds = [trace.facts.sampler_kind for trace in recording.traces]
    assert kinds == ["autoregressive", "mask-token", "autoregressive"]
    assert [trace.n_steps for trace in recording.traces] == [4, LENGTH, 4]


def test_a_loop_whose_mask_is_not_named_says_what_to_hand_over():
    model = small(Either)
    model.config.mask_token_id = None
    with dv.record(model) as recording:
        model.generate(PROMPT, denoising=True)
    with pytest.raises(RecordingError, match=r"did not go through transformers' own loop.*mask_token_id="):
        _ = recording.trace
    assert recording.traces == []
    with dv.record(model, mask_token_id=MASK) as recording:
        model.generate(PROMPT, denoising=True)
    assert recording.trace.n_steps == LENGTH
