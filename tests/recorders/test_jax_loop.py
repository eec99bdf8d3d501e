"""A loop that JAX compiles as a whole is recorded through an ordered callback, and gives what it gave without."""

import dataclasses

import numpy as np
import pytest

import dgemma_viz as dv

jax = pytest.importorskip("jax", reason="jax is not installed (no extra has it; pip install jax)")
jnp = jax.numpy

VOCABULARY, CANVAS, STEPS, BOUND = 64, 16, 5, 6.0


@dataclasses.dataclass(frozen=True)
class Sample:
    """The part of a sampler that decides, in the shape of the gemma package's: frozen, and called by keywords."""

    entropy_bound: float = BOUND
    text_vocab_size: int = VOCABULARY

    def __call__(self, *, rng, denoiser_logits, canvas, current_noise_proportion):
        del current_noise_proportion
        of_candidates, of_noise = jax.random.split(rng)
        candidate = jax.random.categorical(of_candidates, denoiser_logits)
        log_p = jax.nn.log_softmax(denoiser_logits)
        entropy = -(jnp.exp(log_p) * log_p).sum(-1)
        order = jnp.argsort(entropy, axis=-1)
        ordered = jnp.take_along_axis(entropy, order, axis=-1)
        within = jnp.cumsum(ordered, axis=-1) - ordered <= self.entropy_bound
        mask = jnp.zeros(canvas.shape, bool).at[jnp.arange(len(canvas))[:, None], order].set(within)
        return jnp.where(mask, candidate, jax.random.randint(of_noise, canvas.shape, 0, self.text_vocab_size))


@dataclasses.dataclass(frozen=True)
class Watched:
    """As in the guide."""

    inner: Sample
    take: object

    def __call__(self, **given):
        after = self.inner(**given)
        candidate = dataclasses.replace(self.inner, entropy_bound=jnp.inf)(**given)
        noise_is_0 = dataclasses.replace(self.inner, text_vocab_size=1)(**given)
        accepted = (after == candidate) & (noise_is_0 == candidate)
        jax.debug.callback(
            self.take,
            given["canvas"],
            given["denoiser_logits"],
            candidate,
            accepted,
            given["current_noise_proportion"],
            ordered=True,
        )
        return after


def denoise(sample, seed):
    """A whole canvas in one compiled ``while_loop``."""
    weights = jax.random.normal(jax.random.PRNGKey(1), (VOCABULARY, VOCABULARY)) * 3

    def body(carry):
        step, canvas, rng = carry
        rng, now = jax.random.split(rng)
        noise = 1 - step / STEPS
        logits = weights[canvas] / (0.4 + 0.4 * noise)
        canvas = sample(rng=now, denoiser_logits=logits, canvas=canvas, current_noise_proportion=jnp.full(2, noise))
        return step + 1, canvas, rng

    def run(rng):
        first, rest = jax.random.split(rng)
        canvas = jax.random.randint(first, (2, CANVAS), 0, VOCABULARY)
        return jax.lax.while_loop(lambda carry: carry[0] < STEPS, body, (jnp.int32(0), canvas, rest))[1]

    return np.asarray(jax.jit(run)(jax.random.PRNGKey(seed)))


def test_a_compiled_loop_is_recorded_as_it_is():
    traces = []
    for seed in range(4):
        settings = {"max_denoising_steps": STEPS, "entropy_bound": BOUND, "t_min": 0.4, "t_max": 0.8}
        recorder = dv.Recorder(sampler_kind="entropy-bound", settings=settings)

        def take(canvas, logits, candidate, accepted, noise, recorder=recorder):
            recorder.step(
                noised=canvas,
                logits=logits,
                candidate=candidate,
                accepted=accepted,
                temperature=0.4 + 0.4 * float(noise[0]),
                entropy_bound=BOUND,
                finished=False,
            )

        with_it = denoise(Watched(Sample(), take), seed)
        jax.effects_barrier()
        np.testing.assert_array_equal(with_it, denoise(Sample(), seed))
        recorder.emit(with_it)
        traces.append(recorder.trace)
    assert all(trace.n_steps == STEPS for trace in traces)
    report = dv.check_conformance(traces)
    assert {one.rule for one in report.violations} == {"emitted-is-last-draft"}, (
        "it gives out the canvas, not the draft"
    )
    assert {"accepted-set", "accepted-kept", "candidates-drawn", "temperature-schedule"} <= {*report.passed}
