"""What a pass may be given and may give back: ids and logits are found wherever they stand among the rest."""

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError
from tests.recorders.public_loops import MASK, TinyDenoiser, surest


def canvas(rows=1, length=12, begin=4):
    x = torch.full((rows, length), MASK)
    x[:, :begin] = torch.arange(5, 5 + begin)
    return x


def filled(logits_of, x):
    """A loop that fills two masks of each row in a pass."""
    while (x == MASK).any():
        with torch.no_grad():
            candidate, put = surest(logits_of(x), x == MASK, 2)
        x = torch.where(put, candidate, x)
    return x


def check(model, logits_of, rows=1):
    """The trace of a loop that ends with the result of the same loop unwatched."""
    before = dict(vars(model))
    bare = filled(logits_of, canvas(rows))
    with dv.record(model, mask_token_id=MASK) as recording:
        output = recording.result(filled(logits_of, canvas(rows)))
    assert torch.equal(output, bare)
    assert vars(model) == before
    trace = recording.trace
    assert trace.n_steps == 4
    assert (trace.emitted[0] == output[:, 4:].numpy()).all()
    assert trace.facts.settings["watched"]["shift_is"] == "inferred"
    assert [notice.code for notice in trace.facts.notices] == ["decisions-inferred"]
    with torch.no_grad():
        assert (trace.draft[0] == logits_of(canvas(rows))[:, 4:].argmax(-1).numpy()).all()
    return trace


class AfterTheTime(TinyDenoiser):
    """Its first argument is a time, as whole numbers."""

    def forward(self, time, tokens):
        assert time.numel() <= len(tokens)
        return super().forward(tokens)


class OfABatch(TinyDenoiser):
    """Takes a mapping, as collators make them."""

    def forward(self, batch):
        return super().forward(batch["input_ids"], batch["attention_mask"])


class Narrow(TinyDenoiser):
    """Gives its hidden states in front of its logits, in a tuple."""

    def forward(self, input_ids):
        return self.embed(input_ids), super().forward(input_ids).logits


class Sideways(TinyDenoiser):
    """Gives logits with the vocabulary in the middle."""

    def forward(self, input_ids):
        return super().forward(input_ids).logits.transpose(1, 2)


class OfEmbeddings(TinyDenoiser):
    def forward(self, inputs_embeds):
        return self.head(torch.tanh(inputs_embeds))


@pytest.mark.parametrize("time", [torch.ones(1).long(), torch.ones(3, 1).long(), torch.ones(3).int()])
def test_a_time_in_front_of_the_ids(time):
    model = AfterTheTime()
    check(model, lambda x: model(time, x).logits, rows=3)
    check(model, lambda x: model(tokens=x, time=time).logits, rows=3)


def test_ids_in_a_mapping():
    model = OfABatch()
    check(model, lambda x: model({"attention_mask": torch.ones_like(x), "input_ids": x}).logits, rows=2)


def test_hidden_states_in_front_of_the_logits():
    model = Narrow()
    check(model, lambda x: model(x)[1])


def test_half_precision_inference_mode_and_autocast():
    for dtype in (torch.float16, torch.bfloat16):
        model = TinyDenoiser().to(dtype)
        check(model, lambda x, model=model: model(x).logits, rows=2)
    model = TinyDenoiser()
    with torch.inference_mode():
        check(model, lambda x: model(x).logits)
    with torch.autocast("cpu", torch.bfloat16):
        check(model, lambda x: model(x).logits)


def test_what_is_no_logits_of_the_ids_is_said_to_be_missing():
    model = Sideways()
    with dv.record(model, mask_token_id=MASK) as recording:
        filled(lambda x: model(x).transpose(1, 2), canvas())
    with pytest.raises(RecordingError, match=r"no pass \(of 4\) gave logits of the \(1, 12\) ids.*dv.Recorder"):
        _ = recording.trace
    model = OfEmbeddings()
    with dv.record(model, mask_token_id=MASK) as recording:
        filled(lambda x: model(model.embed(x)), canvas())
    with pytest.raises(RecordingError, match=r"every pass \(of 4\) read embeddings, or .* no token ids.*dv.Recorder"):
        _ = recording.trace


def test_two_rows_without_a_prompt_are_no_guidance():
    """The first has its first tokens before the second: the one row is not the other without its prompt."""
    model, x = TinyDenoiser(), torch.full((2, 8), MASK)
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        for place in range(4):
            candidate = model(x).logits.argmax(-1)
            x = x.clone()
            x[0, place] = candidate[0, place]
        for place in range(8):
            candidate = model(x).logits.argmax(-1)
            x = torch.where((x == MASK) & (torch.arange(8) == place), candidate, x)
        recording.result(x)
    assert len(recording.traces) == 1
    assert recording.trace.n_samples == 2
    assert recording.trace.facts.settings["watched"]["guidance"] == ""
    assert (recording.trace.emitted[0] == x.numpy()).all()


class Remembering(TinyDenoiser):
    """Keeps its cache inside itself, as BD3-LM does; no call says what is in it."""

    kept = None

    def forward(self, tokens, store=False):
        output = super().forward(tokens, past_key_values=self.kept, use_cache=True)
        if store:
            self.kept = output.past_key_values
        return output.logits


def by_blocks(model):
    """Blocks of six, two of them at once in a batch, each stored when it is whole."""
    model.kept, blocks = None, []
    with torch.no_grad():
        for _ in range(3):
            blocks.append(filled(model, torch.full((2, 6), MASK)))
            model(blocks[-1], store=True)
        blocks.append(filled(model, torch.full((2, 6), MASK)))
    return torch.cat(blocks, dim=1)


def test_of_a_cache_inside_the_model_each_block_is_a_run_and_the_result_ends_with_the_last():
    model = Remembering()
    bare = by_blocks(model)
    with dv.record(model, mask_token_id=MASK) as recording:
        output = recording.result(by_blocks(model))
    assert torch.equal(output, bare)
    assert [trace.facts.status for trace in recording.traces] == ["complete"] * 4
    emitted = [trace.emitted[0] for trace in recording.traces]
    assert np.concatenate(emitted, axis=1).tolist() == output.tolist()
