// Mends those controls of ipywidgets that have no name for a screen reader (sliders and their numbers, the player's
// buttons) or do not take keys (the heads of an accordion). One watch serves the whole page, in Voila and in JupyterLab,
// whichever of our widgets begins it first.

const PLAYER = { "fa-play": "Play", "fa-pause": "Pause", "fa-stop": "Stop", "fa-retweet": "Repeat" };
const HEAD = ".jupyter-widget-Collapse-header";
const SOON = 100; // ms
const players = new WeakSet();

function setAttributes(node, values) {
  for (const [name, value] of Object.entries(values)) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// A slider says what its number box shows: its own value may be an exponent, with all digits.
function nameSlider(slider) {
  const label = slider.querySelector(".widget-label")?.textContent.trim() || "Slider";
  const number = slider.querySelector(".widget-readout"), handles = [...slider.querySelectorAll(".noUi-handle")];
  const words = number?.textContent ?? "", ends = handles.length > 1 ? [", from", ", to"] : [""];
  for (const [n, handle] of handles.entries()) {
    setAttributes(handle, { "aria-label": `${label}${ends[n] ?? ""}`, ...(words && handles.length === 1 && { "aria-valuetext": words }) });
  }
  if (number) setAttributes(number, { role: "textbox", "aria-label": `${label}, number` });
}

// Play becomes Pause by another icon.
function namePlayer(player) {
  const name = () => {
    for (const button of player.querySelectorAll("button")) {
      const icon = Object.keys(PLAYER).find((one) => button.querySelector(`.${one}`));
      if (icon) setAttributes(button, { "aria-label": PLAYER[icon], title: PLAYER[icon] });
    }
  };
  if (players.has(player)) return;
  players.add(player);
  new MutationObserver(name).observe(player, { attributeFilter: ["class"], childList: true, subtree: true });
  name();
}

const isOpen = (head) => head.parentElement.classList.contains("jupyter-widget-Collapse-open");
const nameHead = (head) => setAttributes(head, { role: "button", tabindex: "0", "aria-expanded": String(isOpen(head)) });

function onHeadKey(event) {
  const head = event.target.closest?.(HEAD);
  if (!head || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // kept from JupyterLab, where Enter would edit the cell
  head.click();
}

export function nameControls() {
  if (globalThis.dgemmaVizNames) return;
  globalThis.dgemmaVizNames = true;
  let waiting = false;
  const look = () => {
    waiting = false;
    const named = { ".widget-slider": nameSlider, ".widget-play": namePlayer, [HEAD]: nameHead };
    for (const [kind, name] of Object.entries(named)) document.querySelectorAll(kind).forEach(name);
  };
  const observer = new MutationObserver((changes) => {
    // At once, so that another value of a slider is heard in its own words.
    for (const { type, target } of changes) {
      const slider = type === "attributes" && target.closest(".widget-slider");
      if (slider) nameSlider(slider);
    }
    if (!waiting) setTimeout(look, SOON);
    waiting = true;
  });
  const told = { attributeFilter: ["aria-valuenow", "aria-valuetext"], childList: true, subtree: true };
  observer.observe(document.body, told);
  window.addEventListener("keydown", onHeadKey, true);
  document.addEventListener("click", ({ target }) => target.closest?.(HEAD) && nameHead(target.closest(HEAD)));
  look();
}
