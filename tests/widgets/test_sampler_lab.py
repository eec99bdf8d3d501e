"""The sampler lab on the bundled model: runs side by side, mistakes as messages, nothing lost."""

import threading
import time
from dataclasses import replace

import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.divergence import divergence
from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import DENOISERS, SAMPLERS
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.widgets.run_history import NONE
from dgemma_viz.widgets.sampler_lab import SamplerLab

PATIENCE = 60
LONG_RUN = TASKS["gifts"].example_prompts[0]


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture
def lab(bundled):
    lab = SamplerLab(*bundled, autorun=False)
    yield lab
    lab.close()


def press_run(lab, **values):
    lab.controls.values = {**lab.controls.values, **values}
    lab.job.run_button.click()
    lab.wait(PATIENCE)
    assert not lab.job.run_button.disabled
    assert lab.job.stop_button.disabled
    assert lab.progress.layout.visibility == "hidden"
    assert lab.live.layout.display == "none"
    return lab.job.status_line.value


def traces(lab):
    return [run.trace for run in lab.runs]


def shown(lab):
    """Traces on the stage: none, one, or two."""
    viewer = lab.stage.viewer
    if viewer not in lab.stage.children:
        return []
    return [viewer.trace] if viewer.pair is None else [*viewer.pair.traces]


def steps_seen(lab):
    """Steps of the run in progress that were sent to the browser."""
    live = lab.live
    return len(live.data + live.tail) // live.packing["stride"] if live.packing else 0


def wait_until(fulfilled):
    deadline = time.monotonic() + PATIENCE
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_opens_with_a_run(bundled):
    lab = SamplerLab(*bundled)
    assert shown(lab) == [lab.trace]
    assert "by the rules of the task" in lab.job.status_line.value
    lab.close()


def test_a_run_is_that_of_the_sampler_with_these_settings(lab, bundled):
    lab.seed.value = 9
    press_run(lab, max_denoising_steps=5, entropy_bound=2.0, confidence_threshold=None)
    alone = run(
        *bundled,
        lab.prompts.prompt.value,
        "entropy_bound",
        {"max_denoising_steps": 5, "entropy_bound": 2.0, "confidence_threshold": None},
        seed=9,
    )
    assert divergence(alone, lab.trace) is None
    assert lab.trace.facts.task.parameters == lab.controls.checked()
    assert lab.trace.n_steps == 5 * lab.trace.n_canvases, "adaptive stopping is off"


def test_the_second_run_stands_beside_the_first_in_the_same_view(lab):
    press_run(lab)
    viewer = lab.stage.viewer
    press_run(lab, entropy_bound=5.0)
    assert shown(lab) == traces(lab)
    first = divergence(*viewer.pair.traces)
    assert viewer.first_difference == first
    assert lab.history.rows[0]["where"] == f"canvas {first.canvas}, step {first.step}"
    press_run(lab, entropy_bound=0.01)
    assert shown(lab) == traces(lab)[1:]
    lab.history.opened = 1
    assert shown(lab) == traces(lab)[:1]
    lab.history.opened = NONE
    assert shown(lab) == traces(lab)[1:]
    assert lab.stage.viewer is viewer


def test_the_same_settings_twice_are_the_same_run(lab):
    press_run(lab)
    press_run(lab)
    assert lab.history.rows[0]["where"] == "none"
    assert "No difference" in lab.stage.viewer.page["heads"][0]


def test_any_two_are_compared(lab):
    for bound in (0.1, 1.0, 5.0):
        press_run(lab, entropy_bound=bound)
    lab.history.a, lab.history.b = 3, 1
    assert shown(lab) == [lab.runs[2].trace, lab.runs[0].trace]


def test_a_base_stays_the_first_of_the_two(lab):
    for bound in (0.1, 1.0):
        press_run(lab, entropy_bound=bound)
    lab.history.base = 1
    press_run(lab, entropy_bound=5.0)
    assert shown(lab) == [lab.runs[0].trace, lab.runs[2].trace]


def test_the_stage_follows_what_is_removed(lab):
    press_run(lab)
    press_run(lab, entropy_bound=5.0)
    lab.history.remove(1)
    assert shown(lab) == traces(lab)
    lab.history.remove(2)
    assert shown(lab) == []
    with pytest.raises(RecordingError, match="press Run"):
        _ = lab.trace
    press_run(lab)
    assert shown(lab) == traces(lab)


def test_two_vocabularies_are_not_compared_and_that_is_said(lab):
    press_run(lab)
    trace = lab.trace
    other = {token: f"{text}x" for token, text in trace.token_texts.items()}
    lab.history.add(replace(trace, token_texts=other))
    assert "cannot be compared" in lab.stage.problem.value
    assert shown(lab) == []
    press_run(lab)
    lab.history.a = 1
    assert lab.stage.problem.value == ""
    assert shown(lab) == [lab.runs[0].trace, lab.runs[2].trace]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lab: setattr(lab.prompts.prompt, "value", " "), "prompt is empty"),
        (lambda lab: setattr(lab.prompts.prompt, "value", "sort ☃<b>"), "☃"),
        (lambda lab: setattr(lab.prompts.prompt, "value", "1" * 3000), "3,000 characters"),
        (lambda lab: setattr(lab.seed, "value", -1), "seed of -1 is out of range"),
        (lambda lab: _set(lab, max_denoising_steps=0), "max_denoising_steps of 0 is out of range"),
        (lambda lab: _set(lab, max_denoising_steps=None), "max_denoising_steps must be a whole number"),
        (lambda lab: _set(lab, t_max=0.3), "t_max of 0.3 must be above t_min of 0.4"),
    ],
)
def test_a_mistake_is_a_message_and_the_runs_are_kept(lab, change, message):
    press_run(lab)
    before = lab.runs
    change(lab)
    status = press_run(lab)
    assert message in status
    assert 'role="alert"' in status
    assert "<b>" not in status
    assert lab.runs == before
    lab.seed.value = 0
    lab.prompts.task.value = "sort"
    lab.controls.reset()
    assert "by the rules of the task" in press_run(lab)


def _set(lab, **values):
    lab.controls.values = {**lab.controls.values, **values}


def test_a_model_that_cannot_be_loaded_is_a_message(tmp_path):
    lab = SamplerLab(str(tmp_path))
    assert "no DiffusionGemma could be loaded" in lab.job.status_line.value
    assert not lab.job.run_button.disabled
    lab.close()


def test_a_library_that_is_missing_is_a_message(lab, installed):
    installed(diffusers=None)
    lab.controls.sampler = "block_refinement"
    assert "pip install &#x27;dgemma-viz[diffusers]&#x27;" in press_run(lab)


def test_what_cannot_be_shown_is_refused_at_once():
    with pytest.raises(SettingError, match="no sampler 'no_such'"):
        SamplerLab(sampler="no_such", autorun=False)
    with pytest.raises(SettingError, match="no task 'no_such'; choose one of sudoku"):
        SamplerLab(task="no_such", autorun=False)


def test_cancel_ends_within_a_step_and_keeps_what_there_is(lab):
    lab.slowly.value = True
    lab.prompts.prompt.value = LONG_RUN
    lab.start()
    wait_until(lambda: steps_seen(lab))
    assert lab.live.layout.display == ""
    assert "canvas 0, step" in lab.progress.value
    seen = steps_seen(lab)
    lab.job.stop_button.click()
    lab.wait(PATIENCE)
    assert lab.trace.facts.status == "interrupted"
    assert seen <= lab.trace.n_steps <= seen + 1
    assert "stopped after" in lab.job.status_line.value
    assert lab.history.rows[0]["verdict"] == "‖ cancelled"
    lab.slowly.value = False
    assert "by the rules of the task" in press_run(lab)


def test_of_a_run_that_fails_half_way_the_steps_so_far_are_kept(lab, bundled):
    def failing(_module, _args, kwargs, calls=[]):  # noqa: B006 - counts its calls
        calls.append(kwargs)
        if len(calls) == 3:
            raise MemoryError("no memory <left>")

    lab.prompts.prompt.value = LONG_RUN
    hook = bundled[0].model.decoder.register_forward_pre_hook(failing, with_kwargs=True)
    status = press_run(lab)
    hook.remove()
    assert "failed after 2 steps with MemoryError: no memory &lt;left&gt;" in status
    assert 'role="alert"' in status
    assert lab.history.rows[0]["verdict"] == "✕ failed"
    assert lab.history.rows[0]["error"]
    assert shown(lab) == [lab.trace]
    assert "by the rules of the task" in press_run(lab)


def test_every_change_runs_and_only_the_last_one_is_kept(lab):
    press_run(lab)
    lab.every_change.value = True
    for bound in (0.2, 0.5, 1.0, 5.0):
        lab.controls.values = {**lab.controls.values, "entropy_bound": bound}
    lab.wait(PATIENCE)
    assert [one.trace.facts.task.parameters["entropy_bound"] for one in lab.runs] == [0.1, 5.0]
    lab.every_change.value = False
    lab.seed.value = 5
    lab.wait(PATIENCE)
    assert len(lab.runs) == 2


def test_a_change_replaces_the_run_in_progress(lab):
    lab.slowly.value = True
    lab.prompts.prompt.value = LONG_RUN
    lab.every_change.value = True
    lab.start()
    wait_until(lambda: steps_seen(lab))
    lab.slowly.value = False
    lab.seed.value = 3
    wait_until(lambda: lab.runs)
    lab.wait(PATIENCE)
    assert [run.trace.facts.seed for run in lab.runs] == [3]
    assert lab.trace.facts.status == "complete"


def test_cancel_also_cancels_what_a_change_has_asked_for(lab):
    lab.every_change.value = True
    lab.seed.value = 3
    lab.stop()
    lab.wait(PATIENCE)
    assert lab.runs == ()


def test_another_seed_is_another_one(lab):
    seeds = set()
    for _ in range(5):
        next(button for button in _buttons(lab) if button.description == "Another seed").click()
        seeds.add(lab.seed.value)
    assert len(seeds) > 1


def _buttons(widget):
    import ipywidgets

    for child in getattr(widget, "children", ()):
        if isinstance(child, ipywidgets.Button):
            yield child
        yield from _buttons(child)


def test_runs_while_the_reader_chooses_never_break_it(lab):
    """A run ends in its own thread while another view is asked for."""
    press_run(lab)
    press_run(lab, entropy_bound=5.0)
    stop = threading.Event()

    def choose():
        while not stop.is_set():
            lab.history.opened = 1
            lab.history.opened = NONE

    chooser = threading.Thread(target=choose)
    chooser.start()
    try:
        for seed in range(3):
            lab.seed.value = seed
            assert "by the rules of the task" in press_run(lab)
    finally:
        stop.set()
        chooser.join(PATIENCE)
    lab.history.a, lab.history.b, lab.history.opened = 1, 5, NONE
    assert shown(lab) == [lab.runs[0].trace, lab.runs[4].trace]


def test_closing_stops_and_closes_everything(bundled):
    lab = SamplerLab(*bundled)
    press_run(lab, entropy_bound=5.0)
    views = [*lab.stage.viewer.parts, lab.controls, lab.history, lab.live, *lab.stage.viewer.interventions.children]
    lab.close()
    assert all(view.comm is None for view in views)


@pytest.mark.parametrize("noise", ["uniform", "mask"])
def test_samplers_of_this_model_only(noise):
    model = dv.load_tiny() if noise == "uniform" else dv.load_tiny("masked")
    lab = SamplerLab(*model, autorun=False)
    offered = [entry["name"] for entry in lab.controls.samplers]
    assert offered == [name for name, sampler in SAMPLERS.items() if sampler.noise == noise]
    assert lab.controls.sampler == offered[0]


def test_a_sampler_of_another_kind_of_model_is_refused_at_once():
    with pytest.raises(SettingError, match="needs a mask-token model"):
        SamplerLab(*dv.load_tiny(), sampler="llada2", autorun=False)


def test_with_the_bundled_models_masked_and_uniform_runs_stand_in_one_history():
    lab = SamplerLab(sampler="llada2")
    assert [entry["name"] for entry in lab.controls.samplers] == list(DENOISERS)
    lab.controls.sampler = "entropy_bound"
    status = press_run(lab)
    assert "✓ right" in status
    masked, uniform = lab.runs
    assert masked.trace.facts.mask_token_id is not None
    assert uniform.trace.facts.mask_token_id is None
    assert masked.trace.output_text() == uniform.trace.output_text()
