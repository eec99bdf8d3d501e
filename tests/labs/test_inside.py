"""The inside of a step is that of the very pass: held against transformers' own outputs and passes made by hand."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import DynamicCache

import dgemma_viz as dv
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.inside import Kept, activations, inside, inside_pass, insides
from dgemma_viz.labs.interventions import (
    CutSelfConditioning,
    DropSelfConditioning,
    ForceAccept,
    InjectMass,
    PatchActivation,
    Replace,
    intervene,
)
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.labs.samplers.causal import as_causal
from dgemma_viz.trace.inside import Origin
from dgemma_viz.upstream.transformers import CACHE
from tests.recorders.conftest import CANVAS, VOCABULARY, prompts, small_model, small_tokenizer
from tests.synthetic import synthetic_trace

ALL = {"layers": None, "heads": "each"}


def recorded(model, batch=2, length=5, **arguments):
    torch.manual_seed(5)
    with dv.record(model, small_tokenizer()) as recording:
        model.generate(**prompts(batch, length), **({"max_new_tokens": 2 * CANVAS, "eos_token_id": None} | arguments))
    return recording.trace


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def model():
    return small_model(num_experts=4, top_k_experts=2, sliding_window=8)


@pytest.fixture(scope="module")
def trace(model):
    return recorded(model)


def bare_pass(model, trace, canvas, step, **more):
    """Decoder's outputs of a recorded step, by a pass made by hand: cache, mask and self-conditioning from the ids."""
    emitted = torch.tensor(trace.emitted[:canvas].transpose(1, 0, 2).reshape(trace.n_samples, -1)).long()
    ids = torch.cat([torch.tensor(trace.prompt).long(), emitted], dim=1)
    mask = torch.cat([torch.tensor(trace.prompt_mask), torch.ones_like(emitted).bool()], dim=1)
    cache, parts = DynamicCache(config=model.config.text_config), [trace.prompt.shape[1], *[CANVAS] * canvas]
    begin, told = 0, None
    with torch.no_grad():
        for part in parts:
            cut = slice(begin, begin := begin + part)
            place = torch.arange(cut.start, cut.stop)[None]
            held = {CACHE: cache, "position_ids": place}
            model.model.encoder(input_ids=ids[:, cut], attention_mask=mask[:, : cut.stop], **held)
        first = int(np.flatnonzero(trace.canvas == canvas)[0])
        for row in range(first, first + step + 1):
            last = {**more} if row == first + step else {}
            output = model(
                **{
                    "decoder_input_ids": torch.tensor(trace.noised[row]).long(),
                    CACHE: cache,
                    "self_conditioning_logits": told,
                    "decoder_attention_mask": torch.nn.functional.pad(mask, (0, CANVAS), value=True),
                    **last,
                }
            )
            told = output.logits / float(trace.temperature[row])
    return output


@pytest.mark.parametrize("where", [(0, 0), (0, 2), (1, 1)])
def test_lens_is_the_head_on_hidden_states_that_transformers_gives(model, trace, where):
    seen = inside(model, None, trace, *where, sample=1)
    assert seen.facts.agreement == "identical"
    output = bare_pass(model, trace, *where, output_hidden_states=True)
    row = int(np.flatnonzero(trace.canvas == where[0])[where[1]])
    np.testing.assert_allclose(seen.entropy, trace.entropy[row, 1], atol=2e-5)
    np.testing.assert_array_equal(seen.draft, trace.draft[row, 1])
    np.testing.assert_array_equal(seen.noised, trace.noised[row, 1])
    assert seen.lens.depth.tolist() == [0, 1, 2]
    temperature = float(trace.temperature[row])
    last = torch.distributions.Categorical(logits=output.logits[1] / temperature)
    for depth, hidden in enumerate(output.hidden_states[:3]):
        normed = hidden if depth == 2 else model.model.decoder.norm(hidden)  # upstream gives the last one normed
        logits = torch.tanh(model.lm_head(normed)[1] / 30) * 30 / temperature
        there = torch.distributions.Categorical(logits=logits)
        best = torch.topk(there.probs, 3)
        np.testing.assert_array_equal(seen.lens.ids[depth], best.indices)
        np.testing.assert_allclose(seen.lens.probability[depth], best.values, atol=1e-3)
        np.testing.assert_allclose(seen.lens.entropy[depth], there.entropy(), atol=4e-3)
        apart = torch.distributions.kl_divergence(last, there)
        np.testing.assert_allclose(seen.lens.divergence[depth], apart, rtol=2e-3, atol=2e-4)
    stands = seen.lens.stands_from
    for position in range(CANVAS):
        drafts = seen.lens.draft[:, position]
        assert (drafts[stands[position] :] == drafts[-1]).all()
        assert stands[position] == 0 or drafts[stands[position] - 1] != drafts[-1]


@pytest.mark.parametrize("where", [(0, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("sample", [0, 1])
def test_attention_is_that_of_the_eager_model(model, trace, where, sample):
    """SDPA runs; a copy runs eagerly and gives its weights out. Sliding layers hold the last tokens only."""
    seen = inside(model, None, trace, *where, sample=sample, kept=Kept(("attention",), heads="each"))
    assert seen.facts.attention == "sdpa"
    eager = copy.deepcopy(model)
    eager.set_attn_implementation("eager")
    theirs = bare_pass(eager, trace, *where, output_attentions=True).attentions
    context = trace.prompt.shape[1] + where[0] * CANVAS
    assert seen.attention.weight.shape == (2, 2, CANVAS, context + CANVAS)
    for layer, weights in enumerate(theirs):
        missing = context + CANVAS - weights.shape[-1]
        assert seen.attention.first_key[layer] == missing
        assert not seen.attention.weight[layer, ..., :missing].any()
        np.testing.assert_allclose(seen.attention.weight[layer, ..., missing:], weights[sample], atol=1e-3)
    assert seen.attention.first_key[0] == max(0, context - 7)
    assert not seen.attention.weight[..., :context][..., ~seen.context_mask].any()
    mean = inside(model, None, trace, *where, sample=sample, kept=Kept(("attention",)))
    assert mean.attention.head.tolist() == [-1]
    np.testing.assert_allclose(mean.attention.weight[:, 0], seen.attention.weight.mean(axis=1), atol=1e-3)


@pytest.mark.parametrize("implementation", ["eager", "flex_attention"])
def test_another_implementation_gives_the_same_weights(model, trace, implementation):
    other = copy.deepcopy(model)
    other.set_attn_implementation(implementation)
    ids, mask = torch.tensor(trace.prompt), torch.tensor(trace.prompt_mask)
    kept = Kept(("attention",), heads="each")
    with torch.compiler.set_stance("force_eager"):  # torch 2.13 cannot compile flex attention for every CPU
        one, two = (
            inside_pass(of, None, ids, mask=mask, canvas=trace.noised[0], sample=1, kept=kept) for of in (model, other)
        )
    assert two.facts.attention == implementation
    np.testing.assert_allclose(one.attention.weight, two.attention.weight, atol=1e-3)


def test_experts_are_those_of_the_routers(model, trace):
    seen = inside(model, None, trace, 1, 1, sample=1)
    caught = []
    keep = lambda _module, _given, output: caught.append(output)  # noqa: E731 - a hook
    handles = [layer.router.register_forward_hook(keep) for layer in model.model.decoder.layers]
    bare_pass(model, trace, 1, 1)
    for handle in handles:
        handle.remove()
    assert seen.facts.experts == 4
    for layer, (probabilities, weights, chosen) in enumerate(caught[-2:]):
        rows = slice(CANVAS, 2 * CANVAS)
        np.testing.assert_array_equal(seen.experts.chosen[layer], chosen[rows])
        np.testing.assert_allclose(seen.experts.weight[layer], weights[rows].detach(), rtol=1e-3)
        entropy = torch.distributions.Categorical(probs=probabilities[rows]).entropy()
        np.testing.assert_allclose(seen.experts.entropy[layer], entropy.detach(), rtol=2e-3)


def test_self_conditioning_and_its_variants_are_those_of_passes_made_by_hand(model, trace):
    position, token = 3, 9
    here = {"canvas": 0, "step": 2}
    variants = [DropSelfConditioning(**here), CutSelfConditioning(2, **here), InjectMass(position, token, 0.5, **here)]
    seen = inside(model, None, trace, 0, 2, sample=1, kept=Kept(variants=variants))
    told = bare_pass(model, trace, 0, 1).logits / float(trace.temperature[1])
    p = told.softmax(-1)
    best = torch.topk(p[1], 8)
    np.testing.assert_array_equal(seen.self_conditioning.ids, best.indices)
    np.testing.assert_allclose(seen.self_conditioning.probability, best.values, atol=1e-3)
    np.testing.assert_allclose(
        seen.self_conditioning.entropy, torch.distributions.Categorical(p[1]).entropy(), atol=4e-3
    )
    cut = torch.zeros_like(p).scatter(-1, torch.topk(p, 2).indices, torch.topk(p, 2).values)
    mixed = p.clone()
    mixed[:, position] *= 0.5
    mixed[:, position, token] += 0.5
    temperature = float(trace.temperature[2])
    true = bare_pass(model, trace, 0, 2).logits[1] / temperature
    every = [None, (cut / cut.sum(-1, keepdim=True)).log(), mixed.log()]
    logits = [bare_pass(model, trace, 0, 2, self_conditioning_logits=one).logits[1] / temperature for one in every]
    for place, changed in enumerate(logits):
        there = torch.distributions.Categorical(logits=changed)
        np.testing.assert_array_equal(seen.variants.draft[place], changed.argmax(-1))
        np.testing.assert_allclose(seen.variants.entropy[place], there.entropy(), atol=4e-3)
        apart = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=true), there)
        np.testing.assert_allclose(seen.variants.divergence[place], apart, rtol=1e-2, atol=1e-4)
    assert seen.facts.interventions == tuple(variants)
    first = inside(model, None, trace, 0, 0)
    assert first.self_conditioning is None
    assert first.variants is None


def hooks_on(model):
    """Upstream leaves some of its own after ``output_hidden_states``."""
    return [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()]


def test_the_pass_is_left_as_it_was(model, trace):
    """What is looked at, and how often, changes no bit of the run."""
    before, hooks = dict(vars(model)), hooks_on(model)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    together = insides(model, None, trace, places, kept=Kept(heads="each"))
    assert all(seen.facts.agreement == "identical" for seen in together)
    assert all(seen.belongs_to(trace) for seen in together)
    assert not together[0].belongs_to(replace(trace, facts=replace(trace.facts, seed=6)))
    assert not together[0].belongs_to(replace(trace, noised=(trace.noised + 1) % VOCABULARY))
    assert [(seen.facts.canvas, seen.facts.step) for seen in together] == places
    alone = inside(model, None, trace, 1, 1, kept=Kept(heads="each"))
    for name, part in alone.parts().items():
        for of, array in part.arrays().items():
            np.testing.assert_array_equal(array, together[-1].parts()[name].arrays()[of])
    assert vars(model) == before
    assert hooks_on(model) == hooks


@pytest.mark.parametrize("name", [name for name, one in SAMPLERS.items() if one.loop == "DiffusionGemmaPipeline"])
def test_a_pipeline_is_looked_into_as_well(model, name):
    """What is tried besides a pass is no pass of the loop's: neither the recorder nor the count of steps sees it."""
    asked = {"input_ids": prompts(1)["input_ids"], "attention_mask": prompts(1)["attention_mask"]}
    trace = run(model, small_tokenizer(), asked, name, {"max_denoising_steps": 4}, max_new_tokens=2 * CANVAS, seed=2)
    places = [(0, 0), (0, 1), (trace.n_canvases - 1, 2)]
    seen = insides(model, small_tokenizer(), trace, places)
    assert [one.facts.agreement for one in seen] == ["identical"] * 3
    for one, (canvas, step) in zip(seen, places, strict=True):
        row = int(np.flatnonzero(trace.canvas == canvas)[step])
        np.testing.assert_array_equal(one.noised, trace.noised[row, 0])
        assert (one.variants is not None) == (step > 0)
        assert one.lens.draft[-1].tolist() == one.draft.tolist()


def test_origin_tells_accepted_renoised_and_noise(model, trace):
    seen = inside(model, None, trace, 0, 2, sample=1, kept=Kept(()))
    accepted = trace.accepted[:2, 1]
    np.testing.assert_array_equal(seen.origin == Origin.ACCEPTED, accepted[1])
    np.testing.assert_array_equal(seen.origin == Origin.RENOISED, accepted[0] & ~accepted[1])
    assert (inside(model, None, trace, 1, 0, kept=Kept(())).origin == Origin.NOISE).all()


def test_encoder_lens_is_the_head_on_the_prompt(model, trace):
    seen = inside(model, None, trace, 1, 0, sample=1)
    ids = torch.cat([torch.tensor(trace.prompt[1]), torch.tensor(trace.emitted[0, 1])])[None].long()
    mask = torch.ones_like(ids)
    mask[0, : trace.prompt.shape[1]] = torch.tensor(trace.prompt_mask[1])
    with torch.no_grad():
        logits = as_causal(model)(ids, mask).logits[0]
    real = mask[0].bool().numpy()
    np.testing.assert_array_equal(seen.encoder_lens.draft[-1][real], logits.argmax(-1)[real])
    np.testing.assert_array_equal(seen.context, ids[0])
    assert seen.facts.encoder_difference < 1e-5


@pytest.mark.parametrize("way", ["causal", "masked"])
def test_one_pass_of_the_other_ways(model, way):
    of, tokenizer = (as_causal(model), None) if way == "causal" else dv.load_tiny("masked")
    layers = of.model.language_model.layers if way == "causal" else of.model.layers
    ids = torch.randint(5, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, :4] = 0
    seen = inside_pass(of, tokenizer, ids, mask=mask, sample=1, kept=Kept(heads="each"))
    assert seen.facts.way == way
    assert (seen.origin == Origin.GIVEN).all()
    caught = []
    handles = [layer.register_forward_hook(lambda _m, _a, out: caught.append(out)) for layer in layers]
    with torch.no_grad():
        logits = of(ids, attention_mask=mask).logits[1]
        for handle in handles:
            handle.remove()
        np.testing.assert_array_equal(seen.draft, logits.argmax(-1))
        np.testing.assert_array_equal(seen.lens.draft[-1], seen.draft)
        if way == "masked":
            first = of.decoder(of.head(of.model.final_norm(caught[0])))[1]
        else:
            first = of.lm_head(of.model.language_model.norm(caught[0]))[1]
        np.testing.assert_array_equal(seen.lens.draft[1], first.argmax(-1))
    weight = seen.attention.weight.astype(float)
    np.testing.assert_allclose(weight[:, :, 4:].sum(-1), 1, atol=2e-3)
    assert not weight[:, :, 4:, :4].any()  # padding
    above = np.triu(np.ones((12, 12), dtype=bool), 1)
    assert weight[:, :, above].any() == (way == "masked")


def test_a_static_cache_has_its_keys_in_slots_behind_which_nobody_reads(model):
    settings = {"cache_implementation": "static", "disable_compile": True, "max_denoising_steps": 3}
    static, dynamic = recorded(model, **settings), recorded(model, max_denoising_steps=3)
    np.testing.assert_array_equal(static.noised[:2], dynamic.noised[:2])
    kept = Kept(("attention", "lens"))
    one, two = (inside(model, None, trace, 0, 1, kept=kept) for trace in (static, dynamic))
    assert one.facts.captured == "running pass"
    np.testing.assert_allclose(one.attention.weight, two.attention.weight, atol=2e-3)
    np.testing.assert_array_equal(one.lens.draft, two.lens.draft)
    vars(model).pop("_cache", None)


@pytest.mark.compiled
def test_a_compiled_pass_is_repeated_to_be_looked_into():
    own = small_model(num_experts=4, top_k_experts=2, sliding_window=8)
    compiled = recorded(own, cache_implementation="static", max_new_tokens=CANVAS, max_denoising_steps=3)
    seen = inside(own, None, compiled, 0, 1, sample=1)
    assert seen.facts.agreement == "identical"
    assert seen.facts.captured == "repeated pass"
    assert 0 <= seen.facts.captured_difference < 1e-3
    np.testing.assert_array_equal(seen.lens.draft[-1], compiled.draft[1, 1])
    assert inside(own, None, compiled, 0, 2).facts.agreement == "identical"
    here = {"canvas": 0, "step": 1}
    patched = intervene(own, None, compiled, [PatchActivation(1, np.zeros(32), positions=[3], **here)])
    np.testing.assert_allclose(patched.trace.entropy[1, :, 3], np.log(VOCABULARY), rtol=1e-5)


# -- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda m, t: inside(m, None, t, 9, 0), "no canvas 9"),
        (lambda m, t: inside(m, None, t, 0, 99), "no step 99"),
        (lambda m, t: inside(m, None, t, 0, "1"), "a step must be a whole number, not '1'"),
        (lambda m, t: inside(m, None, t, None, 0), "a canvas must be a whole number, not None"),
        (lambda m, t: insides(m, None, t, [(0, 1.5)]), "a step must be a whole number, not 1.5"),
        (lambda m, t: insides(m, None, t, [3]), r"like \(0, 3\), not 3"),
        (lambda m, t: activations(m, None, t, [0], canvas=0, step=0.5), "a step must be a whole number, not 0.5"),
        (lambda m, t: inside(m, None, t, 0, 0, kept=["lens"]), r"must be a Kept, like .*, not \['lens'\]"),
        (lambda m, t: inside_pass(m, None, t.prompt, canvas=t.noised[0], kept="lens"), "must be a Kept"),
        (lambda m, t: inside_pass(m, None, t.prompt, canvas=t.noised[0], sample="0"), "sample must be a whole number"),
        (lambda m, t: inside_pass(m, None, [[1, 2], [3]], canvas=t.noised[0]), "ids must have rows of one length"),
        (lambda _m, _t: Kept(parts=3), "not 3"),
        (lambda _m, _t: Kept(parts=["lens", 3]), "not 3"),
        (lambda _m, _t: Kept(variants=3), "a list of interventions"),
        (lambda m, t: inside(m, None, t, 0, 0, sample=2), "sample of 2 is out of range"),
        (lambda m, t: inside(m, None, t, 0, 0, kept=Kept(layers=[2])), "no layer 2: the model has 2"),
        (lambda m, t: inside(m, None, t, 0, 0, kept=Kept(heads=[5])), "no head 5"),
        (lambda _m, _t: Kept(("lense",)), "not 'lense'"),
        (lambda _m, _t: Kept(heads="all"), "'mean', 'each' or a list"),
        (lambda m, t: inside(m, None, t, 0, 1, kept=Kept(variants=[ForceAccept([1], step=1)])), "no variant"),
        (lambda m, t: inside(m, None, t, 0, 1, kept=Kept(variants=[Replace({1: 2}, step=0)])), "must hold in"),
        (lambda m, t: inside_pass(m, None, t.prompt), "reads a canvas"),
        (lambda m, t: inside_pass(m, None, t.prompt, canvas=[VOCABULARY]), "token 64"),
        (lambda _m, _t: inside_pass(torch.nn.Linear(1, 1), None, [1]), "inside of a Linear is not known"),
    ],
)
def test_what_is_not_there_is_refused_before_the_work(model, trace, asked, said):
    with pytest.raises(SettingError, match=said):
        asked(model, trace)


def test_a_trace_that_cannot_be_repeated_says_why_and_what_still_works(model):
    with pytest.raises(TraceError, match=r"cannot be repeated.*inside_pass"):
        inside(model, None, synthetic_trace(), 0, 0)


def test_another_model_of_the_same_sizes_is_found(trace):
    other = small_model(seed=1, num_experts=4, top_k_experts=2, sliding_window=8)
    with pytest.raises(TraceError, match=r"not the recorded run.*diverges"):
        inside(other, None, trace, 0, 1)
    seen = inside(other, None, trace, 0, 1, even_if_diverged=True)
    assert seen.facts.agreement == "diverged"
    assert "diverges" in seen.facts.told


def test_a_sample_that_had_finished_is_told(model):
    trace = recorded(model, confidence_threshold=9.0, stability_threshold=1, max_new_tokens=CANVAS)
    active = trace.active.copy()
    active[-1, 1] = False
    with pytest.raises(SettingError, match=r"sample 1 had finished canvas 0 before step \d+"):
        inside(model, None, replace(trace, active=active), 0, trace.n_steps - 1, sample=1)


def test_too_little_memory_is_said_before_the_work(model, trace, monkeypatch):
    monkeypatch.setattr("dgemma_viz.labs.inside.kept.memory_here", lambda: 1e-5)
    with pytest.raises(SettingError, match="leave it out"):
        inside(model, None, trace, 0, 0)


def test_rounding_is_told_from_a_different_run(model, trace):
    entropy = trace.entropy.copy()
    entropy[0, 0, 0] = np.nextafter(entropy[0, 0, 0], np.float32(9))
    assert inside(model, None, replace(trace, entropy=entropy), 0, 0).facts.agreement == "same decisions"
