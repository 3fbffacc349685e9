// Draws what is chosen, again whenever that changes.
"use strict";

const form = document.getElementById("controls");
const page = document.documentElement;
let changed = null; // the choice made last
let drawing = 0;
let shown = []; // points of the table

gradwire.isDark = () => page.dataset.theme === "dark" ||
  (page.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

gradwire.draw = async () => {
  const turn = ++drawing;
  delete page.dataset.ready;
  if (!gradwire.data.views.length) {
    document.getElementById("explorer").hidden = true;
    page.dataset.ready = "yes";
    return;
  }
  const chosen = gradwire.resolve(gradwire.asked(), changed);
  gradwire.chosen = chosen;
  changed = null;
  gradwire.show(form, chosen);
  say(document.getElementById("message"), chosen.messages.join(" "));
  say(document.getElementById("origin"), chosen.view.origin.join("; ") + ".");
  document.getElementById("answers").replaceChildren(...chosen.view.answers.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  const at = (axis, text) => chosen.view.axes[axis].values.find((value) => value.text === text).value;
  const [bandwidth, latency] = [at("bandwidth", chosen.bandwidth), at("latency", chosen.latency)];
  const { points } = chosen.view;
  shown = points.filter((point) => (chosen.along === "bandwidth" ? point.latency === latency : point.bandwidth === bandwidth));
  const here = points.filter((point) => point.latency === latency && point.bandwidth === bandwidth);
  gradwire.tabulate(document.getElementById("cells"), shown);
  const where = chosen.along === "bandwidth" ? `latency ${chosen.latency}` : `bandwidth ${chosen.bandwidth}`;
  const network = `${chosen.bandwidth}, ${chosen.latency}`;
  const marks = "Hollow: the network's probe was off, the cell is unfaithful; ✕: no result.";
  const measured = (of) => of.some((point) => point.epoch !== null);
  const line = here.find((point) => gradwire.data.systems[point.system].label === chosen.system);
  const charts = [
    ["epoch", `At ${where}; ${chosen.view.band}. Lower is faster. ${marks}`, measured(shown) && gradwire.curves(chosen, shown, "epoch")],
    ["speedup", `At ${where}. Above 1 a system's epoch is shorter than allreduce's. ${marks}`,
     shown.some((point) => point.speedup !== null) && gradwire.curves(chosen, shown.filter((p) => p.system !== chosen.view.baseline), "speedup")],
    ["winner", "Colour: the system with the shortest epoch; number: its speed-up over allreduce fp32; “or”: intervals overlap. Click on a network to see it in the other charts.", gradwire.winners(chosen)],
    ["parts", `At ${network}; waiting for other workers is in communicate.`, measured(here) && gradwire.parts(chosen, here)],
    ["bytes", `At ${network}. Further left sends less, lower is faster. Losses against bytes are in a training's report.`,
     here.some((point) => point.epoch !== null && point.bytes) && gradwire.bytes(chosen, here)],
    ["timeline", `${chosen.system} at ${network}, the last step that was measured.`, line && line.time_line.length && gradwire.timeLine(line)],
  ];
  for (const [name, reading, specification] of charts) {
    if (turn !== drawing) return; // something else was chosen meanwhile
    await draw(name, reading, specification);
  }
  page.dataset.ready = "yes";
};

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function draw(name, reading, specification) {
  const figure = document.getElementById(`chart-${name}`);
  const place = figure.querySelector(".chart");
  figure.querySelector(".reading").textContent = reading;
  gradwire.charts ??= {};
  gradwire.charts[name]?.finalize();
  delete gradwire.charts[name];
  if (!specification) {
    place.replaceChildren(Object.assign(document.createElement("p"), { textContent: "There is nothing of it in these cells." }));
    return;
  }
  const heading = figure.querySelector("h3").textContent;
  const embedded = await vegaEmbed(place, specification, { actions: false, renderer: "svg", ast: true, logLevel: 1, tooltip: { theme: "custom" } });
  const svg = place.querySelector("svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${heading}. ${reading} The table of the cells shown has the same numbers.`);
  gradwire.charts[name] = embedded;
  embedded.view.addEventListener("click", (event, item) => item?.datum && choose(item.datum));
}

/** Go to the network that was clicked on. */
function choose(datum) {
  const text = (axis) => datum.text?.[axis] ?? datum[axis];
  const [bandwidth, latency] = [text("bandwidth"), text("latency")];
  if (typeof bandwidth !== "string" || typeof latency !== "string") return;
  location.hash = gradwire.address({ ...gradwire.chosen, bandwidth, latency });
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  changed = event.target.name;
  const asked = { ...Object.fromEntries(new URLSearchParams(gradwire.address(gradwire.chosen).slice(1))), [changed]: event.target.value };
  location.hash = "#" + new URLSearchParams(asked);
});
window.addEventListener("hashchange", () => gradwire.draw());

document.getElementById("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([gradwire.csv(shown)], { type: "text/csv" }));
  link.download = "cells.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});

const theme = document.getElementById("theme");
function nameTheme() {
  theme.textContent = gradwire.isDark() ? "Light page" : "Dark page";
}
theme.addEventListener("click", () => {
  page.dataset.theme = gradwire.isDark() ? "light" : "dark";
  nameTheme();
  gradwire.draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { nameTheme(); gradwire.draw(); });
nameTheme();
gradwire.draw();
