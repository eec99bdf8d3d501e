"""axe-core on a page that a test has open, in both of its looks, and where Tab goes on it.

What axe calls serious or critical fails. axe sees names, roles, contrast and structure; that keys work is for the tests
of each widget to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

SERIOUS: Final = {"serious", "critical"}

LOOKS: Final = ("color-contrast", "link-in-text-block")
"""Rules whose outcome differs between a light and a dark page."""

_SWITCH = """(theme) => {
  const dark = theme === "dark", others = { light: "dark", dark: "light" };
  const link = document.querySelector(`link[href*="theme-${others[theme]}.css"]`);
  const say = () => {  // once the colours are there, as JupyterLab does
    document.body.classList.toggle("theme-dark", dark);
    document.body.classList.toggle("theme-light", !dark);
    document.body.dataset.jpThemeName = `JupyterLab ${dark ? "Dark" : "Light"}`;
    document.body.dataset.jpThemeLight = String(!dark);
    return true;
  };
  if (!link) return say();
  return new Promise((resolve) => {
    link.onload = () => resolve(say());
    link.href = link.href.replace(`theme-${others[theme]}.css`, `theme-${theme}.css`);
  });
}"""


_STOP = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const look = ([one, pseudo]) => {
    const style = getComputedStyle(one, pseudo), { outlineStyle, outlineWidth, outlineColor } = style;
    const outline = outlineStyle === "none" || outlineWidth === "0px" ? "" : outlineWidth + outlineColor;
    return [outline, style.boxShadow, style.borderColor, style.backgroundColor].join();
  };
  const around = [[node], [node, "::after"], [node.parentElement], ...Array.from(node.children, (child) => [child])];
  const focused = around.map(look);
  node.blur();
  const seen = around.some((one, n) => look(one) !== focused[n]);
  node.focus({ focusVisible: true });
  const name = node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent ?? node.textContent;
  const kind = node.getAttribute("role") ?? node.tagName.toLowerCase();
  return { kind, name: name.trim().slice(0, 60), seen, html: node.outerHTML.slice(0, 160) };
}"""


@dataclass(frozen=True)
class TabStop:
    """What Tab came to: its kind and name, and whether the focus is seen there."""

    kind: str
    name: str
    seen: bool
    html: str


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds serious or critical on the page as it is, one line each; by these rules only, if any are given."""
    from axe_playwright_python.sync_playwright import Axe

    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:200]} {' '.join(node['failureSummary'].split())[:300]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def assert_accessible(page: Page, rules: Sequence[str] = ()) -> None:
    """Fail with what axe finds serious or critical on the page as it is. Nothing is left out of its sight."""
    found = violations(page, rules)
    assert not found, "\n".join(found)


def assert_accessible_in_both_looks(page: Page) -> None:
    """The same for a light Voila page, then dark, then light again; like JupyterLab, it changes while it is open."""
    assert_accessible(page)
    switch_theme(page, "dark")
    assert_accessible(page, LOOKS)
    switch_theme(page, "light")


def tab_stops(page: Page, most: int = 400) -> list[TabStop]:
    """Where Tab goes from the top of the page until it leaves it; fails where it does not get out again."""
    page.evaluate("() => { document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0); }")
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    stops: list[TabStop] = []
    while len(stops) < most:
        page.keyboard.press("Tab")
        stop = page.evaluate(_STOP)
        if stop is None:
            return stops
        stops.append(TabStop(**stop))
    raise AssertionError(f"Tab never leaves the page; it went through {stops[-5:]}")


def switch_theme(page: Page, theme: str) -> None:
    """Give an open Voila page the other theme, and our charts time to follow."""
    page.evaluate(_SWITCH, theme)
    page.wait_for_timeout(1500)
