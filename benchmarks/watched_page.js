// Notes in a page when something was asked for, when what it changed was painted, and what came over the wire; put into
// every page before its own scripts (fronts.py).
(() => {
  const Socket = globalThis.WebSocket;
  const delay = globalThis.dgvDelay ?? 0; // milliseconds put before each message to the kernel
  let asked = 0, changed = {}, observers = [], socketBytes = 0, told = 0;
  globalThis.WebSocket = class extends Socket {
    constructor(...address) {
      super(...address);
      this.addEventListener("message", ({ data }) => (socketBytes += data.byteLength ?? data.size ?? data.length));
    }
    send(data) {
      told += 1;
      if (delay) setTimeout(() => super.send(data), delay);
      else super.send(data);
    }
  };

  // After the frame that shows what is in the document now.
  const painted = (act) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => act(performance.now());
    port2.postMessage(0);
  });
  // What only a screen reader is told, once a chart has come to rest, is not painted.
  const seen = ({ attributeName }) => !["role", "aria-label"].includes(attributeName);
  const watch = (selector, act) => [...document.querySelectorAll(selector)].map((node) => {
    const observer = new MutationObserver((changes) => asked && changes.some(seen) && act(performance.now()));
    observer.observe(node, { subtree: true, childList: true, attributes: true, characterData: true });
    return observer;
  });

  const note = (part, at) => {
    const change = (changed[part] = { at, painted: 0 });
    painted((now) => (change.painted = now));
  };

  globalThis.dgvWatch = {
    // The next key or pointer starts the clock, as the browser stamped its event.
    arm() {
      for (const observer of observers) observer.disconnect();
      [asked, changed] = [0, {}];
      observers = [
        // The token canvas changes in one go; the charts one after the other: of them the last change counts.
        ...watch(".dgv", (at) => "tokens" in changed || note("tokens", at)),
        ...watch(".dgp-figure, .js-plotly-plot, .dgx-inspector", (at) => note("charts", at)),
      ];
    },
    // Milliseconds from the event to the painted change, by part, once the charts have changed and then kept still.
    async settled(still, patience) {
      const end = performance.now() + patience;
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 15));
        const now = performance.now();
        if (now > end || (changed.charts?.painted && now - changed.charts.at > still)) break;
      }
      return Object.fromEntries(Object.entries(changed).map(([part, { painted }]) => [part, painted - asked]));
    },
    // Milliseconds from an event, or from the beginning of the page, until so many elements were there and painted.
    until: (selector, count) => new Promise((resolve) => {
      const enough = () => document.querySelectorAll(selector).length >= count;
      const look = () => (enough() ? painted((now) => resolve(now - asked)) : requestAnimationFrame(look));
      look();
    }),
    // Frames per second over some seconds, and the longest time between two.
    frames: (seconds) => new Promise((resolve) => {
      const times = [];
      const note = (now) => {
        times.push(now);
        if (now - times[0] < 1000 * seconds) return requestAnimationFrame(note);
        const gaps = times.slice(1).map((time, n) => time - times[n]);
        resolve([(1000 * gaps.length) / (now - times[0]), Math.max(...gaps)]);
      };
      requestAnimationFrame(note);
    }),
    // The same while an element is scrolled from its top to its end.
    async scrolled(selector, seconds) {
      const node = document.querySelector(selector), begin = performance.now();
      const move = () => {
        const share = (performance.now() - begin) / (1000 * seconds);
        node.scrollTop = share * node.scrollHeight;
        if (share < 1) requestAnimationFrame(move);
      };
      requestAnimationFrame(move);
      return this.frames(seconds);
    },
    bytes() {
      const files = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
      return { socket: socketBytes, told, files: files.reduce((sum, { transferSize }) => sum + transferSize, 0) };
    },
  };
  const begin = (event) => (asked ||= event.timeStamp);
  for (const kind of ["keydown", "pointerdown", "input"]) window.addEventListener(kind, begin, true);
})();
