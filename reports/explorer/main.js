// Draws what is chosen, again whenever that changes.
"use strict";

const form = document.getElementById("controls");
const page = document.documentElement;
let changed = null; // the choice made last
let drawing = 0;
let shown = null; // what the charts and the table have

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
  shown = gradwire.kinds[gradwire.data.kind](chosen);
  gradwire.tabulate(document.getElementById("cells"), shown.columns, shown.rows);
  for (const [name, [reading, specification]] of Object.entries(shown.charts)) {
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
  svg.setAttribute("aria-label", `${heading}. ${reading} The table below the charts has the same numbers.`);
  gradwire.charts[name] = embedded;
  embedded.view.addEventListener("click", (event, item) => item?.datum && choose(item.datum));
}

/** Go to the network that was clicked on. */
function choose(datum) {
  const text = (axis) => datum.text?.[axis] ?? datum[axis];
  const [bandwidth, latency] = [text("bandwidth"), text("latency")];
  if (typeof bandwidth !== "string" || typeof latency !== "string") return; // not of a network
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
  link.href = URL.createObjectURL(new Blob([gradwire.csv(shown.numbers)], { type: "text/csv" }));
  link.download = `${gradwire.data.kind}.csv`;
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
