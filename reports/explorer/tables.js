// The table of the cells shown, which says what the charts say to those who cannot see them.
"use strict";

const COLUMNS = ["system", "bandwidth", "latency", "epoch", "speed-up", "sent per step", "probe: latency", "probe: goodput", "state", "cell"];

function texts(point) {
  return { system: gradwire.data.systems[point.system].label, ...point.text };
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

gradwire.tabulate = (table, points) => {
  const head = document.createElement("tr");
  head.append(...COLUMNS.map((column) => Object.assign(element("th", column), { scope: "col" })));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...points.map((point) => {
    const row = document.createElement("tr");
    if (point.state !== "measured") row.dataset.state = point.state;
    const of = texts(point);
    row.append(...COLUMNS.map((column) => element("td", of[column] ?? "", column)));
    return row;
  }));
};

/** The same with plain numbers in SI units, as a file. */
gradwire.csv = (points) => {
  const parts = Object.keys(gradwire.data.parts);
  const head = ["system", "bandwidth_bit_per_s", "latency_s", "epoch_s", "epoch_low_s", "epoch_high_s", "speedup", "speedup_low",
                "speedup_high", "declared_bytes_per_step", ...parts.map((part) => `${part}_s`), "state", "cell"];
  const rows = points.map((point) => [
    gradwire.data.systems[point.system].label, point.bandwidth, point.latency, ...(point.epoch ?? ["", "", ""]), ...(point.speedup ?? ["", "", ""]),
    point.bytes ?? "", ...parts.map((part) => point.parts[part] ?? ""), point.text.state, point.text.cell]);
  // A spreadsheet takes what begins like a formula for one, unless an apostrophe stands before it
  const field = (value) => `"${String(value).replace(/"/g, '""').replace(/^(?=[=+@\-][^0-9.])/, "'")}"`;
  return [head, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
};
