import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import DENOISERS, SAMPLERS
from dgemma_viz.widgets.parameter_entry import usual_range
from dgemma_viz.widgets.sampler_controls import SamplerControls

PARAMETERS = [(name, parameter) for name in DENOISERS for parameter in SAMPLERS[name].parameters]


@pytest.mark.parametrize("name", DENOISERS)
def test_every_sampler_has_a_control_for_each_parameter_and_starts_at_its_defaults(name):
    controls = SamplerControls(name)
    assert [entry["name"] for entry in controls.parameters] == [p.name for p in SAMPLERS[name].parameters]
    assert controls.checked() == SAMPLERS[name].values({})
    assert controls.about == SAMPLERS[name].description


@pytest.mark.parametrize(("sampler", "parameter"), PARAMETERS, ids=lambda value: getattr(value, "name", value))
def test_a_slider_stays_within_what_is_allowed_and_reaches_the_default(sampler, parameter):
    if parameter.kind == "choice":
        return
    low, high = usual_range(parameter)
    assert parameter.least <= low < high <= parameter.most
    if parameter.default is not None:
        assert low <= parameter.default <= high
    entry = next(e for e in SamplerControls(sampler).parameters if e["name"] == parameter.name)
    assert parameter.checked(entry["start"]) == entry["start"], "what an optional parameter is switched on with"


def test_only_those_offered_and_their_libraries():
    entries = {
        entry["name"]: entry for entry in SamplerControls(offered=("entropy_bound", "block_refinement")).samplers
    }
    assert list(entries) == ["entropy_bound", "block_refinement"]
    assert entries["entropy_bound"]["installed"]


def test_a_sampler_without_its_library_is_offered_with_what_to_install(installed):
    installed(diffusers=None)
    entries = {entry["name"]: entry for entry in SamplerControls().samplers}
    assert not entries["block_refinement"]["installed"]
    assert "pip install 'dgemma-viz[diffusers]'" in entries["block_refinement"]["hint"]
    assert entries["entropy_bound"]["installed"]


def test_what_was_chosen_stays_chosen_under_another_sampler_that_has_it():
    controls = SamplerControls("entropy_bound", {"max_denoising_steps": 7, "entropy_bound": 2.0})
    controls.sampler = "block_refinement"
    assert controls.checked()["max_denoising_steps"] == 7
    assert "entropy_bound" not in controls.values
    controls.values = {**controls.values, "stability_threshold": 3}
    controls.sampler = "entropy_bound"
    chosen = {"max_denoising_steps": 7, "entropy_bound": 2.0, "stability_threshold": 3}
    assert controls.checked() == SAMPLERS["entropy_bound"].values(chosen)


def test_the_defaults_forget_what_was_chosen():
    controls = SamplerControls("entropy_bound", {"max_denoising_steps": 7})
    controls.reset()
    controls.sampler = "discrete_ddim"
    assert controls.checked() == SAMPLERS["discrete_ddim"].values({})


def test_values_of_another_sampler_that_come_late_are_left_out():
    controls = SamplerControls("discrete_ddim", {"corrector_k": 3})
    late = dict(controls.values)
    controls.sampler = "block_refinement"
    controls.values = {**controls.values, "threshold": 0.5}
    controls.values = late
    assert controls.checked() == SAMPLERS["block_refinement"].values({"threshold": 0.5})


def test_a_value_out_of_range_does_not_follow_to_another_sampler():
    controls = SamplerControls("entropy_bound")
    controls.values = {**controls.values, "max_denoising_steps": 0}
    with pytest.raises(SettingError, match="max_denoising_steps of 0 is out of range"):
        controls.checked()
    controls.sampler = "block_refinement"
    assert controls.checked()["max_denoising_steps"] == 48


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"t_max": 0.4}, "t_max of 0.4 must be above t_min of 0.4"),
        ({"entropy_bound": None}, "entropy_bound must be a finite number"),
        ({"stability_threshold": 1.5}, "stability_threshold must be a whole number"),
    ],
)
def test_what_is_typed_is_judged_when_it_is_used(values, message):
    controls = SamplerControls("entropy_bound")
    controls.values = {**controls.values, **values}
    with pytest.raises(SettingError, match=message):
        controls.checked()


@pytest.mark.parametrize(
    "arguments", [("no_such",), ("entropy_bound", {"threshold": 1}), ("entropy_bound", {"t_min": -1})]
)
def test_what_cannot_be_shown_is_refused_at_once(arguments):
    with pytest.raises(SettingError):
        SamplerControls(*arguments)


@given(st.lists(st.tuples(st.sampled_from(sorted(DENOISERS)), st.integers(1, 100)), min_size=1, max_size=6))
@example([("llada2", 48)])
def test_steps_chosen_last_are_the_steps_of_every_sampler(choices):
    """Unless they are the default: then each sampler is at its own."""
    controls = SamplerControls()
    for sampler, steps in choices:
        controls.sampler = sampler
        controls.values = {**controls.values, "max_denoising_steps": steps}
    default = {name: sampler.values()["max_denoising_steps"] for name, sampler in SAMPLERS.items() if name in DENOISERS}
    last, steps = choices[-1]
    for sampler in DENOISERS:
        controls.sampler = sampler
        expected = default[sampler] if steps == default[last] else steps
        assert controls.checked()["max_denoising_steps"] == expected
