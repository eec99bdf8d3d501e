"""A model that is recorded by its passes may be wrapped: whichever is called, the passes are seen, and once each."""

from types import SimpleNamespace

import pytest
import torch

import dgemma_viz as dv
from tests.recorders.public_loops import MASK, Dreamer, Notes, TinyDenoiser, llada

PROMPT = torch.tensor([[5, 6, 7, 8]])


def check(given, called):
    """Record one, call the other."""
    bare = llada(called, PROMPT, Notes())
    notes = Notes()
    with dv.record(given, mask_token_id=MASK) as recording:
        assert torch.equal(llada(called, PROMPT, notes), bare)
    trace = recording.trace
    assert trace.facts.model_class == "TinyDenoiser"
    assert trace.n_steps == trace.facts.settings["watched"]["passes"] == len(notes.put) == 6
    assert (trace.accepted[-1] == (bare != MASK)[:, 4:].numpy()).all()
    return trace


@pytest.mark.parametrize("through", ["the wrapper", "the model inside"])
def test_data_parallel(through):
    model = TinyDenoiser()
    wrapper = torch.nn.DataParallel(model)
    check(wrapper, wrapper if through == "the wrapper" else model)


@pytest.mark.parametrize("through", ["the wrapper", "the model inside"])
def test_torch_compile(through):
    model = TinyDenoiser()
    wrapper = torch.compile(model, backend="eager")
    check(wrapper, wrapper if through == "the wrapper" else model)
    assert torch.equal(llada(wrapper, PROMPT, Notes()), llada(model, PROMPT, Notes()))


def test_a_model_compiled_in_place_and_a_compiled_forward():
    model = TinyDenoiser()
    model.compile(backend="eager")
    check(model, model)
    model = TinyDenoiser()
    model.forward = torch.compile(model.forward, backend="eager")
    check(model, model)


def test_peft():
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=["mix"], init_lora_weights=False)
    wrapper = peft.get_peft_model(TinyDenoiser(), config, adapter_name="mine").eval()
    trace = check(wrapper, wrapper)
    assert trace.facts.settings["adapters"] == ["mine"]
    check(wrapper, wrapper.get_base_model())


def test_hooks_and_offloading_of_accelerate():
    accelerate = pytest.importorskip("accelerate")
    model = accelerate.cpu_offload(TinyDenoiser(), execution_device=torch.device("cpu"))
    before = vars(model)["forward"]
    check(model, model)
    assert vars(model)["forward"] is before


def test_methods_of_the_model_are_called_through_a_wrapper():
    model = Dreamer()
    wrapper = torch.compile(model, backend="eager")
    with dv.record(wrapper, mask_token_id=MASK) as recording:
        wrapper.diffusion_generate(PROMPT, Notes(), alg="entropy")
    assert recording.trace.facts.settings["watched"]["end_known_from"] == "the call's result"


def test_a_processor_in_place_of_the_tokenizer():
    model, tokenizer = dv.load_tiny("masked")
    prompt = torch.tensor([tokenizer("sudoku 1234/____/____/____=")["input_ids"]])
    with dv.record(model, SimpleNamespace(tokenizer=tokenizer)) as recording:
        llada(model, prompt, Notes(), length=32, block=32, a_step=8, mask_id=tokenizer.mask_token_id)
    assert recording.trace.output_text()
    assert recording.trace.facts.mask_token_id == tokenizer.mask_token_id
