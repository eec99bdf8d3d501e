"""Changes inside a pass: self-conditioning, activations, functions of what modules give; each also made by hand."""

import json

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.analysis.effect_by_step import effect_by_step
from dgemma_viz.errors import RunFailedError, SettingError, TraceError
from dgemma_viz.labs.inside import Kept, activations, inside, insides, readable, run_with_hooks
from dgemma_viz.labs.interventions import (
    AddVector,
    CutSelfConditioning,
    InjectMass,
    PatchActivation,
    from_json,
    intervene,
    replay,
)
from dgemma_viz.labs.interventions.plan import Effects
from dgemma_viz.labs.interventions.replay import identical
from tests.recorders.conftest import CANVAS, VOCABULARY, prompts, small_model, small_tokenizer

LAYER = "model.decoder.layers.1"
WIDTH = 32


@pytest.fixture(scope="module")
def small():
    return small_model(), small_tokenizer()


@pytest.fixture(scope="module")
def original(small):
    torch.manual_seed(3)
    with dv.record(*small) as recording:
        small[0].generate(**prompts(2), max_new_tokens=2 * CANVAS, confidence_threshold=1e-6, max_denoising_steps=6)
    return recording.trace


def effects(*interventions):
    return Effects(interventions, 0, VOCABULARY)


def test_cut_self_conditioning_is_what_a_forward_of_one_s_own_would_cut(small, original):
    model, _ = small
    done = intervene(*small, original, [CutSelfConditioning(2, canvas=None, step=0)])
    forward = model.forward

    def cutting(**inputs):
        if (told := inputs["self_conditioning_logits"]) is not None:
            least = told.sort(dim=-1).values[..., -2, None]
            inputs["self_conditioning_logits"] = told.masked_fill(told < least, -float("inf"))
        return forward(**inputs)

    model.forward = cutting
    try:
        reference = replay(*small, original).trace
    finally:
        del model.forward
    assert identical(done.trace, reference)
    assert not identical(done.trace, original)
    assert replay(*small, done.trace).identical


@pytest.mark.parametrize("mass", [1.0, 0.25, 0.0, -0.5, -1.0])
def test_injected_mass_is_that_share_of_the_probability(mass):
    logits = torch.randn((2, 5, 7), generator=torch.Generator().manual_seed(1))
    changed = effects(InjectMass(3, 2, mass, step=0, sample=1)).conditioned(logits)
    before, after = logits.double().softmax(-1), changed.double().softmax(-1)
    others = torch.ones(5, dtype=bool)
    others[3] = False
    torch.testing.assert_close(changed[0], logits[0], rtol=0, atol=0)
    torch.testing.assert_close(changed[1, others], logits[1, others], rtol=0, atol=0)
    own = before[1, 3, 2]
    wanted = (1 - mass) * own + mass if mass >= 0 else own * (1 + mass) / (1 + mass * own)
    torch.testing.assert_close(after[1, 3, 2], wanted, rtol=1e-5, atol=1e-7)
    rest = [token for token in range(7) if token != 2]
    if mass < 1:
        kept = after[1, 3, rest] / after[1, 3, rest].sum()
        torch.testing.assert_close(kept, before[1, 3, rest] / before[1, 3, rest].sum(), rtol=1e-5, atol=1e-7)


def test_a_token_that_holds_everything_keeps_it_and_a_cut_comes_first():
    certain = torch.full((1, 2, 4), -float("inf"))
    certain[..., 1] = 0
    changed = effects(InjectMass(0, 1, -1.0, step=0)).conditioned(certain)
    assert changed.softmax(-1)[0, 0].tolist() == [0, 1, 0, 0]
    logits = torch.tensor([[[0.0, 1.0, 2.0, 3.0]]])
    both = effects(InjectMass(0, 0, 0.25, step=0), CutSelfConditioning(1, step=0)).conditioned(logits)
    np.testing.assert_allclose(both.softmax(-1)[0, 0], [0.25, 0, 0, 0.75], atol=1e-6)
    assert effects(CutSelfConditioning(9, step=0)).conditioned(logits) is logits


def test_a_step_s_last_layer_put_into_another_gives_its_drafts(small, original):
    """All that follows the last layer is the head."""
    given = activations(*small, original, [1], canvas=0, step=3, sample=1)
    assert list(given) == [LAYER]
    assert given[LAYER].shape == (CANVAS, WIDTH)
    patch = PatchActivation(1, given[LAYER], canvas=0, step=1, sample=1)
    done = intervene(*small, original, [patch])
    np.testing.assert_array_equal(done.trace.draft[1, 1], original.draft[3, 1])
    np.testing.assert_array_equal(done.trace.draft[1, 0], original.draft[1, 0])
    assert done.same_until
    assert (original.draft[1, 1] != original.draft[3, 1]).any()
    table = effect_by_step(done.original, done.trace, canvas=0, sample=1)
    assert table["changed"].iloc[0] == 0
    assert table["changed"].iloc[1] == (original.draft[1, 1] != original.draft[3, 1]).mean()
    assert table["entropy"].iloc[0] == pytest.approx(original.entropy[0, 1].mean())
    assert table["entropy_changed"].iloc[1] == pytest.approx(done.trace.entropy[1, 1].mean())


def test_a_step_s_own_activations_change_nothing_and_some_positions_only_theirs(small, original):
    given = activations(*small, original, ["model.decoder.layers.0"], canvas=1, step=2)["model.decoder.layers.0"]
    same = intervene(*small, original, [PatchActivation(0, given, canvas=1, step=2, sample=0)])
    assert identical(same.trace, original)
    seen = inside(
        *small,
        original,
        1,
        2,
        kept=Kept(
            ("lens", "variants"),
            variants=[
                PatchActivation(1, np.zeros(WIDTH), positions=[3], canvas=1, step=2),
                AddVector(1, np.ones(WIDTH), canvas=1, step=2, steps=3),
            ],
        ),
    )
    changed = seen.variants.divergence > 1e-4
    assert changed[0].nonzero()[0].tolist() == [3]
    assert seen.variants.entropy[0, 3] == pytest.approx(np.log(VOCABULARY), abs=4e-3)
    assert changed[1].any()
    assert [one.describe() for one in seen.facts.interventions] == [
        f"canvas 1, step 2: put recorded activations in the place of {LAYER} at position 3",
        f"canvas 1, 3 steps from step 2: add a vector of length 5.66 to {LAYER} at all positions",
    ]


def test_a_vector_holds_for_its_steps_and_stays_in_the_trace(small, original, tmp_path):
    vector = AddVector(
        0, torch.randn(WIDTH, generator=torch.Generator().manual_seed(2)), 3.0, canvas=0, step=1, steps=2
    )
    again = from_json(json.loads(json.dumps(vector.to_json())))
    np.testing.assert_array_equal(again.vector, vector.vector)
    assert again.describe() == vector.describe()
    done = intervene(*small, original, [vector])
    assert done.same_until
    assert (done.trace.entropy[1] != original.entropy[1]).any()
    done.trace.save(tmp_path / "steered.safetensors")
    assert replay(*small, dv.load_trace(tmp_path / "steered.safetensors")).identical
    with pytest.raises((SettingError, RunFailedError), match="of width 32; values of shape"):
        intervene(*small, original, [AddVector(0, [1.0, 2.0], step=1)])


def test_functions_of_what_modules_give(small, original):
    called = []
    left = run_with_hooks(
        *small, original, [("model.decoder.layers.*", lambda name, _: called.append(name))], canvas=1, step=1, steps=2
    )
    assert identical(left.trace, original)
    assert called.count(LAYER) == called.count("model.decoder.layers.0.mlp.down_proj") == 2
    assert "functions of what model.decoder.layers.0" in left.explain()

    def silence(_name, tensor):
        tensor = tensor.clone()
        tensor[0, 5] = 0
        return tensor

    done = run_with_hooks(*small, original, [(LAYER, silence)], canvas=0, step=2)
    patched = intervene(
        *small, original, [PatchActivation(1, np.zeros(WIDTH), positions=[5], canvas=0, step=2, sample=0)]
    )
    assert done.same_until
    assert done.replayed_to == (0, 2)
    assert identical(done.trace, patched.trace)
    with pytest.raises(TraceError, match=r"functions of what modules give \(model.decoder.layers.1\)"):
        replay(*small, done.trace)
    assert not any(module._forward_hooks for module in small[0].modules())


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ([], "there are no hooks"),
        ([("model.decoder.layers.7", print)], "no module 'model.decoder.layers.7'; near are"),
        ([("model.decoder", 3)], "a pair of a module's name and a function"),
    ],
)
def test_hooks_that_cannot_be_are_refused_before_the_run(small, original, hooks, said, monkeypatch):
    monkeypatch.setattr(small[0], "generate", None)
    with pytest.raises(SettingError, match=said):
        run_with_hooks(*small, original, hooks, canvas=0, step=1)


def test_a_function_that_gives_another_shape_is_told(small, original):
    with pytest.raises(RunFailedError, match=r"must give a tensor of shape \(2, 16, 32\)") as failed:
        run_with_hooks(*small, original, [(LAYER, lambda _name, tensor: tensor[:, :2])], canvas=0, step=2)
    assert failed.value.trace.n_steps >= 2


def test_what_is_readable_is_what_the_lenses_of_all_steps_show(small, original):
    found = readable(*small, [original, original])
    assert found.layers == 2
    run = original.canvas_run(0, 0)
    lenses = [one.lens for one in insides(*small, original, [(0, step) for step in range(run.n_steps)])]
    best = np.array([lens.draft for lens in lenses])
    known = best == run.emitted
    rows = found.positions[found.positions["run"] == 1].set_index("position")
    assert len(rows) == run.in_output.sum()
    for position, row in rows.iterrows():
        seen = known[:, :, position].any(axis=1)
        assert row["token"] == run.emitted[position]
        assert row["first_step"] == (seen.argmax() if seen.any() else -1)
        if seen.any():
            assert row["first_depth"] == known[row["first_step"], :, position].argmax()
        lasting = [step for step in range(run.n_steps) if seen[step:].all()]
        assert row["lasting_step"] == (lasting[0] if lasting else -1)
        assert row["lasting_step"] <= row["commit_step"]
    depths = found.depths[found.depths["run"] == 0].set_index(["step", "depth"])["known"]
    for step, depth in np.ndindex(known.shape[:2]):
        assert depths[step, depth] == pytest.approx(known[step, depth, run.in_output].mean())
    halves = found.early_against_late()
    early_late = np.mean([depths[step, 1] for step in (3, 4, 5)])
    late_early = np.mean([depths[step, 2] for step in (0, 1, 2)])
    np.testing.assert_allclose(halves["known"], [early_late, late_early, early_late - late_early])
    assert halves["runs"].tolist() == [2, 2, 2]
    with pytest.raises(SettingError, match="a list of recorded runs"):
        readable(*small, original)
