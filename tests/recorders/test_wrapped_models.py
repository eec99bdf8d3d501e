"""A model inside a wrapper is recorded by either name: PEFT, torch.compile, DataParallel, or several of them."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError
from dgemma_viz.labs.interventions import Pin, Replace, hooks_of
from dgemma_viz.labs.run import run
from dgemma_viz.tiny import encode_prompt, load_tiny
from tests.recorders.conftest import prompts, small_model

PROMPT = "sudoku 234_/_1__/__2_/3__4="


class OfBaseModel(torch.nn.Module):
    """What PEFT offers: the model, and how to ask for it."""

    def __init__(self, model):
        super().__init__()
        self.inner = model

    def get_base_model(self):
        return self.inner

    def generate(self, **given):
        return self.inner.generate(**given)


WRAPPERS = {
    "base model": OfBaseModel,
    "compiled": torch.compile,
    "data parallel": torch.nn.DataParallel,
    "compiled base model": lambda model: torch.compile(OfBaseModel(model)),
    "data parallel base model": lambda model: torch.nn.DataParallel(OfBaseModel(model)),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_the_model_inside_is_recorded(wrap):
    model = small_model()
    torch.manual_seed(3)
    bare = model.generate(**prompts(1)).sequences
    with dv.record(wrap(model)) as recording:
        torch.manual_seed(3)
        assert torch.equal(model.generate(**prompts(1)).sequences, bare)
    assert recording.trace.facts.model_class == "DiffusionGemmaForBlockDiffusion"
    assert "generate" not in vars(model)


@pytest.mark.parametrize("wrap", [OfBaseModel, torch.nn.DataParallel])
def test_a_run_is_repeated_and_changed_through_a_wrapper(wrap):
    model, tokenizer = load_tiny()
    original = run(model, tokenizer, PROMPT)
    assert dv.interventions.replay(wrap(model), tokenizer, original).divergence is None
    changed = dv.interventions.intervene(wrap(model), tokenizer, original, [Replace({0: "4"}, step=0)])
    assert changed.trace.noised[0, 0, 0] == tokenizer.convert_tokens_to_ids("4")


def test_wrapper_and_model_are_one_model():
    model = small_model()
    with dv.record(model), pytest.raises(RecordingError, match="being recorded already"), dv.record(OfBaseModel(model)):
        pass


@pytest.mark.parametrize("wrong", [torch.nn.DataParallel(torch.nn.Linear(2, 2)), OfBaseModel, OfBaseModel(None)])
def test_a_wrapper_of_something_else_is_refused_by_its_own_name(wrong):
    name = wrong.__name__ if isinstance(wrong, type) else type(wrong).__name__
    with pytest.raises(RecordingError, match=f"cannot record .*{name}"):
        dv.record(wrong)


def test_a_wrapper_that_holds_itself_ends():
    loop = OfBaseModel(None)
    loop.get_base_model = lambda: loop
    with pytest.raises(RecordingError, match="cannot record"):
        dv.record(loop)


# -- the real PEFT ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peft():
    return pytest.importorskip("peft")


@pytest.fixture
def adapted(peft):
    """The bundled model with a LoRA that changes what it says."""
    model, tokenizer = load_tiny()
    torch.manual_seed(1)
    layers = r".*(decoder|language_model)\.layers.*\.(q_proj|o_proj)"
    config = peft.LoraConfig(r=4, lora_alpha=16, target_modules=layers, init_lora_weights=False)
    return peft.get_peft_model(model, config).eval(), tokenizer


def state(model):
    """Everything that a hook could have been left on."""
    return [sorted(vars(module)) for module in model.modules()], [type(module) for module in model.modules()]


@pytest.mark.parametrize("through", ["the wrapper", "the model inside"])
def test_lora_on_the_bundled_model(adapted, through):
    wrapper, tokenizer = adapted
    inputs = encode_prompt(tokenizer, PROMPT)
    torch.manual_seed(0)
    bare = wrapper.generate(**inputs, max_new_tokens=48).sequences
    before, random = state(wrapper), torch.get_rng_state()

    given = wrapper if through == "the wrapper" else wrapper.get_base_model()
    torch.manual_seed(0)
    with dv.record(given, tokenizer) as recording:
        seen = wrapper.generate(**inputs, max_new_tokens=48).sequences
    assert torch.equal(seen, bare)
    assert torch.equal(torch.get_rng_state(), random)
    assert state(wrapper) == before
    trace = recording.trace
    assert trace.facts.status == "complete"
    assert trace.facts.settings["adapters"] == ["default"]
    assert trace.emitted[0, 0].tolist() == bare[0, inputs["input_ids"].shape[1] :][: trace.canvas_length].tolist()
    assert not dv.check_conformance(trace).violations


def test_the_labs_look_through_it_too(adapted):
    wrapper, tokenizer = adapted
    with dv.record(wrapper, tokenizer) as recording:
        torch.manual_seed(0)
        wrapper.generate(**encode_prompt(tokenizer, PROMPT), max_new_tokens=48)
    original = recording.trace
    assert dv.interventions.replay(wrapper, tokenizer, original).divergence is None
    changed = dv.interventions.intervene(wrapper, tokenizer, original, [Replace({0: "4"}, step=0)])
    assert changed.trace.facts.settings["adapters"] == ["default"]
    pinned = hooks_of([Pin(0, "4", step=0)], wrapper, tokenizer)
    fresh = run(wrapper, tokenizer, PROMPT, "entropy_bound", hooks=pinned)
    assert fresh.facts.settings["adapters"] == ["default"]


def test_adapters_that_are_off_are_no_fact_and_the_run_is_the_bare_model_s(adapted):
    wrapper, tokenizer = adapted
    inputs = encode_prompt(tokenizer, PROMPT)
    model, _ = load_tiny()
    torch.manual_seed(0)
    plain = model.generate(**inputs).sequences
    torch.manual_seed(0)
    with dv.record(wrapper, tokenizer) as recording, wrapper.disable_adapter():
        assert torch.equal(wrapper.generate(**inputs).sequences, plain)
    assert "adapters" not in recording.trace.facts.settings


def test_lora_on_a_causal_model(peft):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=40, eos_token_id=None, pad_token_id=0, **sizes)).eval()
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    wrapper = peft.get_peft_model(model, config, adapter_name="mine").eval()
    given = {"input_ids": torch.tensor([[5, 6, 7]]), "max_new_tokens": 4, "do_sample": False}
    bare = wrapper.generate(**given)
    with dv.record(wrapper) as recording:
        assert torch.equal(wrapper.generate(**given), bare)
    assert recording.trace.n_steps == 4
    assert recording.trace.facts.settings["adapters"] == ["mine"]
