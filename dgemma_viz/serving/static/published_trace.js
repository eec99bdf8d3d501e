// The page of a published trace: contents, places and other parts come from the server that sent it, as they are looked at.

import { default as startPage } from "./page.js";

const here = `${location.origin}${location.pathname}`;

// What the server says instead is told in its words.
async function fetched(path) {
  const answer = await fetch(`${here}/${path}`, { cache: "no-cache" }).catch(() => {
    throw new Error("the server cannot be reached");
  });
  if (answer.redirected) throw new Error("you are not logged in any more; reload the page");
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.message ?? `the server answered with ${answer.status}`);
}

// All are made by one process, and parts are made from all canvases: nobody waits for tokens because of them.
function hostOf({ edition, canvases }) {
  let told = null;
  const first = canvases ? new Promise((tell) => (told = tell)) : null;
  return {
    place: (canvas, sample) =>
      fetched(`places/${canvas}-${sample}?of=${edition}`).then((answer) => answer.arrayBuffer()).finally(told),
    part: async (name) => {
      await first;
      return (await fetched(`${name}?of=${edition}`)).json();
    },
  };
}

function refuse(words) {
  const title = document.createElement("h1"), reason = document.createElement("p");
  title.textContent = "This run cannot be shown";
  reason.setAttribute("role", "alert");
  reason.textContent = `${words}. The gallery lists what there is.`;
  document.getElementById("page").replaceChildren(title, reason);
}

try {
  const contents = await (await fetched("contents")).json();
  const { plotly } = document.getElementById("viewer").dataset;
  startPage(document.getElementById("page"), contents, {
    ...hostOf(contents),
    plotly: async () => (await import(new URL(plotly, document.baseURI))).default,
    footer: contents.footer,
    heading: true,
  });
} catch (error) {
  refuse(error.message);
}
