// The reader may be in the middle of the text when the page is complete: Voila then moves all of it, and the views take
// their room. What stood at the top of the window stays there until the reader scrolls on or everything has settled.
(() => {
  const SETTLED = 10000; // ms
  const ACTS = ["wheel", "touchstart", "pointerdown", "keydown"];
  let place = null;

  const cells = () => document.getElementById("rendered_cells");

  function note() {
    if (cells()?.parentElement !== document.body) return; // moved: this scroll is not the reader's
    const seen = [...cells().querySelectorAll(".jp-MarkdownOutput > *")].find((node) => node.getBoundingClientRect().bottom > 0);
    place = window.scrollY > 0 && seen ? { seen, top: seen.getBoundingClientRect().top } : null;
  }

  function keep() {
    window.removeEventListener("scroll", note);
    if (!place) return;
    const observer = new ResizeObserver(() => window.scrollBy(0, place.seen.getBoundingClientRect().top - place.top));
    const release = () => {
      observer.disconnect();
      for (const act of ACTS) window.removeEventListener(act, release, true);
    };
    observer.observe(cells());
    for (const act of ACTS) window.addEventListener(act, release, true);
    setTimeout(release, SETTLED);
  }

  window.addEventListener("scroll", note, { passive: true });
  window.keepReadingPlace = keep;
})();
