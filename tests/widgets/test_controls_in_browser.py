"""What a reader sets is what the next press of a button works with, however busy the kernel is."""

import pytest
from playwright.sync_api import expect

from tests.browser import open_page

pytestmark = pytest.mark.browser

PAGE = """
import time
import ipywidgets as ipw
import dgemma_viz as dv
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.widgets.prompt_chooser import PromptChooser
from dgemma_viz.widgets.sampler_controls import SamplerControls
from dgemma_viz.widgets.settings_form import Group, SettingsForm
from tests.synthetic import synthetic_trace

def place(view, name, holder, trait, used):
    holder.observe(lambda _: time.sleep(1), trait)  # a kernel that answers late
    button, said = ipw.Button(description=f"Use {name}"), ipw.Label()
    button.on_click(lambda _: setattr(said, "value", f"used {used()}"))
    said.add_class(f"said-{name}")
    return [view, button, said]

controls = SamplerControls()
form = SettingsForm([Group("All", SAMPLERS["entropy_bound"].parameters)], "Form")
prompts = PromptChooser()
explorer = dv.explore(synthetic_trace(length=8, steps=8))
ipw.VBox([
    *place(controls, "controls", controls, "values", lambda: controls.values["max_denoising_steps"]),
    *place(form, "form", form, "values", lambda: form.values["max_denoising_steps"]),
    *place(explorer, "explorer", explorer, "step", lambda: f"{explorer.step} {explorer.position}"),
    *place(prompts, "prompt", prompts.prompt, "value", prompts.checked),
])
"""


@pytest.fixture(scope="module")
def page(chromium, serve):
    with serve(PAGE) as url, open_page(chromium, url, wait_for=".said-prompt") as visit:
        yield visit.page
        assert not visit.console_errors


def use(page, name):
    page.get_by_role("button", name=f"Use {name}").click()


@pytest.mark.parametrize(("name", "region"), [("controls", "Sampler and its parameters"), ("form", "Form")])
def test_a_button_does_not_overtake_a_change(page, name, region):
    part = page.get_by_role("region", name=region)
    part.get_by_label("Steps, slider", exact=True).focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    use(page, name)
    expect(page.locator(f".said-{name}")).to_have_text("used 4")
    use(page, name)  # by now all answers are there, late ones included
    expect(part.get_by_label("Steps", exact=True)).to_have_value("4")


def test_nor_what_is_written(page):
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("")
    prompt.press_sequentially("sort 42=")
    use(page, "prompt")
    expect(page.locator(".said-prompt")).to_have_text("used sort 42=")


def test_nor_a_step_and_a_pinned_token(page):
    canvas = page.get_by_role("region", name="Token canvas")
    canvas.get_by_role("slider").focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.locator(".dgv-token[data-position='5']").click()
    use(page, "explorer")
    expect(page.locator(".said-explorer")).to_have_text("used 3 5")
    use(page, "explorer")
    expect(canvas).to_have_attribute("data-step", "3")
