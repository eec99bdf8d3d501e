// Unpacks the page and starts it. The only script that the page's policy names; all others come out of it as blobs.
(async () => {
  const unpack = async (id) => {
    const element = document.getElementById(id), packed = atob(element.textContent);
    element.remove();
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  const addressOf = (source) => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const runScript = (source) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.onload = resolve;
      script.onerror = () => reject(new Error("the chart library did not load"));
      script.src = addressOf(source);
      document.head.append(script);
    });
  try {
    if (!globalThis.DecompressionStream) throw new Error("this browser is too old; one of 2023 or later is needed");
    const [plotly, contents, records] = await Promise.all(["plotly", "contents", "records"].map(unpack));
    const page = JSON.parse(new TextDecoder().decode(contents));
    const { canvas, findings, page: own } = page.modules;
    const [views] = await Promise.all([Promise.all([own, canvas, findings].map((s) => import(addressOf(s)))), runScript(plotly)]);
    const [start, tokenCanvas, findingsList] = views.map((module) => module.default);
    start(document.getElementById("page"), page, records, { tokenCanvas, findingsList });
  } catch (error) {
    document.getElementById("page").textContent = `The run cannot be shown: ${error.message}`;
    throw error;
  }
})();
