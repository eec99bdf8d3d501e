// Elements without HTML strings: text goes in as text, whatever it holds.

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  const attributes = { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  svg.append(shape);
  return svg;
}

// A name of a file, say: what is not seen, or turns the order of text around, as its code point.
export const visible = (text, most = 80) => {
  const code = (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  return `${text.slice(0, most).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, code)}${text.length > most ? "…" : ""}`;
};

// Where an event began. Within a shadow tree, as marimo has, a listener of the window is told of the host alone.
export const originOf = (event) => event.composedPath()[0] ?? event.target;

// What has the focus in the tree that a node is in.
export const focusedBeside = (node) => node.getRootNode().activeElement ?? null;

export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
