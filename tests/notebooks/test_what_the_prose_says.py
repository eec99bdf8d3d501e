"""Figures and quotations of the pages of the course are those of a calculation or a source."""

import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from scipy.stats import fisher_exact

import dgemma_viz as dv
from dgemma_viz.costs import FORMATS, HARDWARE, RELEASED, Scenario
from dgemma_viz.costs.memory import LOGITS_COPIES, canvas_buffers
from dgemma_viz.tiny.architecture import CANVAS_LENGTH
from dgemma_viz.tiny.tasks.sudoku import all_grids

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PAGES = {
    name[:2]: nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for name in (
        "01_watch_a_canvas_denoise",
        "02_confidence_and_the_entropy_budget",
        "03_noise_instead_of_masks",
        "04_sticky_or_selecting_again",
        "05_the_memory_of_a_run",
        "07_where_the_speed_comes_from",
        "08_short_answers_and_crowds",
        "09_the_real_model",
        "10_the_article_claim_by_claim",
        "12_inside_one_step",
    )
}
USUAL = Scenario(RELEASED, FORMATS["FP8"], HARDWARE["H100 SXM"])
ARTICLE = (
    """
comes with a 4x speed boost
is about as capable as other Gemma models, but it's much faster
there are a few drawbacks to text diffusion, including a higher error rate
An equivalent error in text can make a block of tokens meaningless and force you to start over to get a better
 output
Diffusion models also waste resources when the desired output is only a few tokens long
that an autoregressive model does from beginning to end in just five steps
In the cloud, autoregressive models can batch large numbers of compute jobs from multiple users so they're always
 churning out tokens
local AI encounters wasted compute cycles due to lower memory bandwidth and idle time
diffusion is even faster than the MTP versions of Gemma
available under the same Apache 2.0 license
optimized for a variety of setups, including high-end RTX GPUs (quantized) and enterprise systems like the H100 or DGX
 Spark platform
""".replace("\n ", " ")
    .strip()
    .splitlines()
)
"""Of the article, word for word."""


def text_of(page, kind="markdown"):
    return " ".join(" ".join(cell.source for cell in PAGES[page].cells if cell.cell_type == kind).split())


def test_what_is_put_into_the_articles_mouth_is_the_articles():
    quoted = []
    for cell in PAGES["10"].cells:
        if cell.cell_type == "markdown":
            for block in re.findall(r"(?:^> .*\n?)+", cell.source, re.MULTILINE):
                quoted += re.findall(r'"([^"]+)"', " ".join(block.replace("> ", " ").split()))
    assert set(quoted) == set(ARTICLE)
    for claim in re.findall(r'Verdict\(\s*"([^"]+)"', text_of("10", "code")):
        assert any(claim in sentence for sentence in ARTICLE), claim


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_its_goal_its_minutes_and_what_one_can_do_afterwards(page):
    first, last = PAGES[page].cells[0].source, PAGES[page].cells[-1].source
    assert re.search(r"\*\*Goal:\*\* .* About \d+ minutes\.", " ".join(first.split()))
    assert "**You can now** " in last


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_a_prediction_and_for_something_of_the_readers_own(page):
    code = text_of(page, "code")
    assert '"A prediction: ' in code
    assert "OwnTry(" in code


def test_the_usual_bound_and_number_of_steps():
    usual = dv.load_tiny()[0].generation_config
    assert f"here {usual.sampler_config.entropy_bound:g} nats" in text_of("02")
    assert f"It may take {usual.max_denoising_steps} steps" in text_of("02", "code")


def test_the_grids_that_would_be_right():
    assert 'prompt = "grid ____/__3_/____/____="' in text_of("01", "code")
    assert f"so {(all_grids()[:, 6] == 3).sum()} different grids would be right" in text_of("01", "code")


def test_a_pass_over_a_canvas_beside_a_pass_over_a_token():
    one, canvas = (USUAL.one_pass(way) for way in ("autoregressive", "diffusion"))
    assert "some fifty times the arithmetic of a token" in text_of("07")
    assert (canvas.flops / canvas.bytes) / (one.flops / one.bytes) == pytest.approx(50, abs=5)
    assert "about three times as long as a pass over one token" in text_of("07")
    took = [USUAL.speed(way).step.total for way in ("diffusion", "autoregressive")]
    assert took[0] / took[1] == pytest.approx(3, abs=0.2)


def test_the_buffers_of_a_canvas():
    assert f"{canvas_buffers(RELEASED) / 1e9:.1f} GB in vLLM" in text_of("08")
    assert "six times in FP32" in text_of("09")
    assert LOGITS_COPIES == 6
    assert f"logits of one step are {256 * 262_144 * 4 / 1e6:.0f} MB" in text_of("09")
    assert f"{CANVAS_LENGTH} tokens in this model" in text_of("08")


def test_the_lead_of_drafting_grows_with_the_crowd_as_the_page_says():
    assert "the lead of drafting over plain decoding *grows*" in text_of("08")
    leads = []
    for batch in (8, 64):
        crowd = replace(USUAL, batch=batch)
        leads.append(crowd.speed("drafting").tokens_per_second / crowd.speed("autoregressive").tokens_per_second)
    assert leads[1] > leads[0]


def test_the_models_size_and_its_temperatures():
    prose = text_of("09")
    weights = RELEASED.dense_weights + RELEASED.expert_weights + RELEASED.head_weights
    assert f"{weights / 1e9:.1f} billion parameters" in prose
    assert "nine tenths of the weights" in prose
    assert RELEASED.expert_weights / weights == pytest.approx(0.9, abs=0.02)
    assert f"by the eighth step it is down to {0.4 + (0.8 - 0.4) * (48 - 7) / 48:.2f}" in prose


def test_differences_that_chance_makes_are_called_so():
    _, chance = fisher_exact([[23, 0], [18, 5]])
    assert chance == pytest.approx(1 / 20, abs=0.002)
    assert "by chance one time in twenty" in text_of("09")
    assert "chance does one time in twenty" in text_of("10", "code")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (2.87, 0.88, "3.3"),
        (199, 375, "1.9"),
        (205, 1282, "6.2"),
        (157, 1062, "6.7"),
        (197, 1008, "5"),
        (213, 1288, "6"),
    ],
)
def test_ratios_are_those_of_the_figures_beside_them(before, after, told):
    ratio = max(before, after) / min(before, after)
    assert ratio == pytest.approx(float(told), abs=0.07 if "." in told else 0.2)
    code = text_of("10", "code")
    assert f"{before} → {after}" in code
    assert f"{told} times" in code


def test_the_pass_that_commits_a_canvas_adds_three_tokens():
    assert "commits a canvas adds 3" in text_of("10", "code")
    canvas, token = 256 / 1008 / 17, 1 / 197
    assert canvas / token == pytest.approx(3, abs=0.1)
