"""Training batches of the mask-token model."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.tiny.batches import Bucket, Draw
from dgemma_viz.tiny.masked import MASKED_TASKS
from dgemma_viz.tiny.masked.objective import make_masked_batch
from dgemma_viz.tiny.masked.tokenizer import build_masked_tokenizer
from dgemma_viz.tiny.tasks import TASKS, is_held_out, task_of
from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, MASK_ID, PAD_ID

TOKENIZER = build_masked_tokenizer()


def batch_of(names=MASKED_TASKS, examples=6, *, seed=0, step=0, skew=2.0, easy=0.1):
    bucket = Bucket(tasks=names, examples=examples, skew=skew)
    return make_masked_batch(bucket, TOKENIZER, Draw(seed, step, 0), easy=easy)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from(MASKED_TASKS), st.sampled_from([1.0, 2.0, 4.0]))
def test_batches_keep_the_pipeline_s_layout(seed, name, skew):
    batch = batch_of((name,), seed=seed, skew=skew)
    rows = zip(batch.clean, batch.noised, batch.attention_mask, batch.weight, batch.begins, strict=True)
    for clean, noised, seen, weight, prompt_end in rows:
        begin = int(seen.argmax())
        end = len(seen) - int(seen[::-1].argmax())
        assert seen[begin:end].all()
        assert (clean[:begin] == PAD_ID).all()
        assert clean[begin] == BOS_ID
        assert end % 16 == 0, "a block ends where the pipeline's would, counted from the first column"
        changed = noised != clean
        assert not changed[:prompt_end].any(), "the prompt is never touched"
        assert not changed[end:].any()
        assert not changed[: max(0, end - 32)].any(), "one block only"
        assert not weight[: max(prompt_end, end - 32)].any()
        assert not weight[end:].any()
        assert (weight[noised == MASK_ID] > 0).all()
        assert not (clean == MASK_ID).any()


def test_prompts_are_for_training_and_answers_are_right():
    batch = batch_of(examples=24)
    whole = 0
    for clean, seen, end in zip(batch.clean, batch.attention_mask, batch.begins, strict=True):
        begin = int(seen.argmax())
        prompt = TOKENIZER.decode(clean[begin:end]).removeprefix("<bos>")
        task = task_of(prompt)
        assert not is_held_out(task, prompt)
        if EOS_ID in clean:
            assert task.check(prompt, TOKENIZER.decode(clean[end:]).split("<eos>")[0])
            whole += 1
    assert whole


def test_both_kinds_of_noise_occur_and_weights_tell_them_from_the_rest():
    batch = batch_of(examples=60, easy=0.25)
    wrong = (batch.noised != batch.clean) & (batch.noised != MASK_ID)
    assert wrong.any()
    assert ((batch.noised == MASK_ID).sum(axis=1) > 0).mean() > 0.9
    assert set(np.unique(batch.weight)) == {0.0, 0.25, 1.0}
    assert (batch.weight[wrong & (batch.clean != EOS_ID)] == 1.0).all()


def test_batches_depend_on_seed_and_step_only():
    same, again, other = batch_of(step=3), batch_of(step=3), batch_of(step=4)
    np.testing.assert_array_equal(same.noised, again.noised)
    assert same.noised.shape != other.noised.shape or (same.noised != other.noised).any()


def test_tasks_exist():
    assert set(MASKED_TASKS) <= set(TASKS)
