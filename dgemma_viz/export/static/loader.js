// Unpacks the page and starts it. The only script that the page's policy names; all others come out of it as blobs.
(async () => {
  const unpack = async (id) => {
    const packed = atob(document.getElementById(id).textContent);
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  const module = (source) => import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  try {
    if (!globalThis.DecompressionStream) throw new Error("this browser is too old; one of 2023 or later is needed");
    const [contents, viewer] = await Promise.all(["contents", "viewer"].map(unpack));
    const page = JSON.parse(new TextDecoder().decode(contents));
    const { default: startPage } = await module(viewer);
    startPage(document.getElementById("page"), page, {
      place: (canvas, sample) => unpack(`place-${canvas}-${sample}`),
      plotly: async () => (await module(await unpack("plotly"))).default,
      footer: page.footer,
    });
  } catch (error) {
    document.getElementById("page").textContent = `The run cannot be shown: ${error.message}`;
    throw error;
  }
})();
