"""Reference settings as a command line gives them."""

import pytest
from transformers.models.diffusion_gemma.generation_diffusion_gemma import DiffusionGemmaGenerationConfig

from dgemma_viz.conformance.reference_settings import RELEASED, read_settings
from dgemma_viz.errors import SettingError


def test_released_is_what_upstream_falls_back_to():
    upstream = DiffusionGemmaGenerationConfig._get_default_generation_params()
    assert RELEASED["entropy_bound"] == upstream["sampler_config"].entropy_bound
    rest = set(RELEASED) - {"entropy_bound"}
    assert {name: RELEASED[name] for name in rest} == {name: upstream[name] for name in rest}


def test_the_last_one_counts():
    given = read_settings(["t_min=0.1", "released", "t_max=1", "stability_threshold=none"])
    assert given == {**RELEASED, "t_max": 1, "stability_threshold": None}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("relesed", "'relesed' is not a reference setting; write 'released' or NAME=VALUE"),
        ("tmin=0.4", "no reference setting 'tmin'; choose from"),
        ("t_min=warm", "'t_min' is 'warm'; give a number, or none"),
        ("t_min=", "give a number, or none"),
        ("t_min=[1]", "give a number"),
        ("t_min=true", "give a number"),
        ("t_min=NaN", "give a number"),
        ("t_min=" + "[" * 100_000, "give a number"),
        ("t_min=" + "9" * 10_000, "give a number"),
    ],
)
def test_mistakes(word, message):
    with pytest.raises(SettingError) as caught:
        read_settings([word])
    assert message in str(caught.value)
