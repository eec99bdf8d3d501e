// Plotly, once per page (plotly_bundle.py): from an address, from the state of a bundle, or asked of the kernel.

const PATIENCE = 1500; // ms until the kernel is asked: in most front ends the bundle has come by then

// By version: one of another kernel on the page may be another.
function slotOf(version) {
  const slots = (globalThis.dgemmaVizPlotly ??= {});
  return (slots[version] ??= { ...Promise.withResolvers(), begun: false });
}

async function moduleFrom(compressed) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).arrayBuffer();
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return import(address).finally(() => URL.revokeObjectURL(address));
}

function begin(version, load) {
  const slot = slotOf(version);
  if (slot.begun) return;
  slot.begun = true;
  load().then((module) => slot.resolve(module.default), slot.reject);
}

export const offerPlotly = (version, compressed) => begin(version, () => moduleFrom(compressed));

// Promises Plotly for a widget of the page.
export function plotlyFor(model) {
  const version = model.get("plotly_version"), address = model.get("plotly_address"), slot = slotOf(version);
  if (slot.begun) return slot.promise;
  const asked = () => new Promise((resolve) => {
    const answer = (content, buffers) => {
      if (content?.plotly !== version) return;
      model.off("msg:custom", answer);
      resolve(moduleFrom(buffers[0]));
    };
    model.on("msg:custom", answer);
    model.send({ want: "plotly" });
  });
  // The page may have come from another server than the address.
  if (address) begin(version, () => import(new URL(address, document.baseURI).href).catch(asked));
  else setTimeout(() => begin(version, asked), PATIENCE);
  return slot.promise;
}
