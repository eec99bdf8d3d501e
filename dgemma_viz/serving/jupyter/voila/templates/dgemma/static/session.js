// Watches the page's session: asks the server now and then how it stands, and says on the page what happened to it.

const EVERY = 4000; // ms
const PATIENCE = 2; // failed questions in a row before the page speaks of the server

const said = (minutes) => ({
  died: "The Python process behind this page has ended unexpectedly; it may have run out of memory.",
  idle: `This session has ended because nothing was done in it for ${minutes} minutes, to make room for others.`,
  memory: "This session has ended because it needed more memory than one visitor may use here.",
  unknown: "This session is gone: the server was restarted, or ended it.",
});
const REMEDY = "What you saved to your computer is safe. Reload to begin a new session.";
const AWAY = "The server cannot be reached. The page goes on by itself when it is back.";

function banner() {
  let box = document.getElementById("dgv-session");
  if (box) return box;
  box = document.createElement("div");
  box.id = "dgv-session";
  box.setAttribute("role", "alert");
  document.body.prepend(box);
  return box;
}

function say(text, ended) {
  const box = banner();
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  if (!ended) return;
  const reload = Object.assign(document.createElement("button"), { type: "button", textContent: "Reload" });
  reload.addEventListener("click", () => location.reload());
  box.append(reload);
}

async function stateOf(address) {
  try {
    const answer = await fetch(address, { cache: "no-store" });
    return answer.ok ? (await answer.json()).state : "away";
  } catch {
    return "away";
  }
}

function watch() {
  const { baseUrl, kernelId } = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const { idleMinutes } = document.body.dataset;
  const sentences = said(idleMinutes);
  let failures = 0;
  const ask = async () => {
    const state = await stateOf(`${baseUrl}sessions/${kernelId}`);
    failures = state === "away" ? failures + 1 : 0;
    if (sentences[state]) return say(`${sentences[state]} ${REMEDY}`, true); // it will not come back: ask no more
    if (state === "running") document.getElementById("dgv-session")?.remove();
    else if (failures >= PATIENCE) say(AWAY, false);
    setTimeout(ask, EVERY);
  };
  setTimeout(ask, EVERY);
}

watch();
