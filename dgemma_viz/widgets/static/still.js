// The picture that stays in a notebook (cell_output.py) is not shown beside the view that it stands for.
//
// By a rule rather than by changing the picture: it may come later than the view, and be drawn again.

// Returns what brings the picture back.
export function takeStillAway(picture) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`.dgs-${picture} { display: none !important; }`);
  document.adoptedStyleSheets.push(sheet);
  return () => (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet));
}
