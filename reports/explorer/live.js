// While a sweep runs: asks the server that the page came from what is new, and shows it without losing what is chosen.
"use strict";

const EVERY_MS = 2000;
const progress = document.getElementById("progress");
let version = null; // of the newest page that was fetched

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

/** Take what is in a newer page: everything that is made of the run. */
async function renew() {
  const newer = new DOMParser().parseFromString(await (await ask("/")).text(), "text/html");
  const text = newer.getElementById("data").textContent;
  if (text === document.getElementById("data").textContent) return;
  for (const id of ["data", "looks"]) document.getElementById(id).textContent = newer.getElementById(id).textContent;
  for (const id of ["summary", "facts", "foot"]) document.getElementById(id).replaceChildren(...newer.getElementById(id).childNodes);
  const controls = newer.getElementById("controls");
  if (controls.elements.length !== form.elements.length) form.replaceChildren(...controls.childNodes);
  gradwire.data = JSON.parse(text);
  document.getElementById("explorer").hidden = false;
  const view = location.hash && gradwire.chosen && successor(gradwire.chosen.view);
  if (view) history.replaceState(null, "", gradwire.address({ ...gradwire.chosen, view }));
  await gradwire.draw();
}

/** The newer data's view of the same cells. Once they are measured, more is said of some: of a device, what its times are. */
function successor(view) {
  const agrees = (agree) => (one) => Object.keys(view.setting).every((name) => agree(one.setting[name] ?? "", view.setting[name]));
  const { views } = gradwire.data;
  return views.find(agrees((newer, older) => newer === older)) ?? views.find(agrees((newer, older) => newer.startsWith(older)));
}

function tell(state) {
  const bar = progress.querySelector("progress");
  bar.max = Math.max(state.cells, 1);
  bar.value = state.ended;
  progress.querySelector("span").textContent = [state.text, state.trouble].filter(Boolean).join(" ");
}

async function poll() {
  try {
    const state = await (await ask("/state.json")).json();
    if (state.version !== version) await renew();
    version = state.version;
    tell(state);
  } catch {
    progress.querySelector("span").textContent = "The watch has ended: this is how the run was when it last answered.";
  }
  setTimeout(poll, EVERY_MS);
}
poll();
