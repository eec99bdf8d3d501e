// Whether the page around an element is dark, now and whenever it changes.

import { luminance } from "./colour.js";

const HOOKS = ["class", "style", "data-jp-theme-light", "data-theme"];

// The first background behind the element that is not transparent decides.
function isDarkBehind(node) {
  for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) {
    const [r, g, b, alpha = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    if (alpha > 0.5) return luminance([r, g, b]) < 0.2;
  }
  return false;
}

// Calls `act(dark)` soon, and on each change of the page's theme; returns how to stop.
export function watchTheme(node, act) {
  const look = () => requestAnimationFrame(() => node.isConnected && act(isDarkBehind(node)));
  const observer = new MutationObserver(look), media = matchMedia("(prefers-color-scheme: dark)");
  for (const root of [document.documentElement, document.body]) observer.observe(root, { attributeFilter: HOOKS });
  media.addEventListener("change", look);
  look();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", look);
  };
}
