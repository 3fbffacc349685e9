// The charts of a sweep.
"use strict";

const KEYS = ["epoch", "speed-up", "sent per step", "probe: latency", "probe: goodput", "state", "cell"];

gradwire.tooltip = [
  { field: "name", title: "system" }, { field: "network", title: "network" },
  ...KEYS.map((key) => ({ field: key.replace(/[^a-z]/g, ""), title: key })),
];

/** A point as charts and the table have it: flat, with its texts. */
gradwire.flat = (view, point) => ({
  ...point, name: gradwire.data.systems[point.system].label, number: point.system,
  network: `${point.text.bandwidth}, ${point.text.latency}`,
  ...Object.fromEntries(KEYS.map((key) => [key.replace(/[^a-z]/g, ""), point.text[key]])),
});

function axisOf(view, along) {
  const { label, values } = view.axes[along];
  const texts = Object.fromEntries(values.map((value) => [value.place, value.text]));
  const places = values.map((value) => value.place);
  const margin = places.length > 1 ? (places.at(-1) / places[0]) ** 0.04 : 1.5;
  return {
    field: "place", type: "quantitative", title: label,
    scale: { type: "log", domain: [places[0] / margin, places.at(-1) * margin], nice: false },
    axis: { values: places, labelExpr: `${JSON.stringify(texts)}['' + datum.value]`, labelOverlap: "greedy", grid: false },
  };
}

/** A quantity (epoch, speedup) against bandwidth or latency. */
gradwire.curves = (chosen, points, quantity) => {
  const { view, along } = chosen;
  const place = Object.fromEntries(view.axes[along].values.map((value) => [value.value, value.place]));
  const faithful = (point) => (quantity === "speedup" ? point.speedup_faithful : point.state !== "unfaithful");
  const rows = points.map((point) => ({
    ...gradwire.flat(view, point), place: place[point[along]],
    value: point[quantity]?.[0], low: point[quantity]?.[1], high: point[quantity]?.[2],
    mark: point.epoch === null ? "none" : faithful(point) ? "whole" : "hollow",
  }));
  const [title, labelExpr] = quantity === "epoch" ? ["epoch time", SECONDS] : ["speed-up", RATIO];
  const y = { scale: { type: "log", nice: false, padding: 12 }, title, axis: { labelExpr, tickCount: 6 } };
  return gradwire.lines({ view, rows, x: axisOf(view, along), y, tooltip: gradwire.tooltip, rule: quantity === "speedup" ? 1 : undefined });
};

/** The fastest system of every network. */
gradwire.winners = ({ view }) => {
  const texts = (axis) => Object.fromEntries(view.axes[axis].values.map((value) => [value.value, value.text]));
  const [bandwidths, latencies] = [texts("bandwidth"), texts("latency")];
  const { color } = scales(view);
  const rows = view.winners.map((one) => ({
    ...one, bandwidth: bandwidths[one.bandwidth], latency: latencies[one.latency],
    name: one.system === null ? null : gradwire.data.systems[one.system].label, text: one.text ?? "failed",
    ink: one.system === null ? "var(--text)" : `var(--i${one.system})`,
    small: one.system === null ? "" : [one.ties.length ? `or ${one.ties.length} more` : "",
                                       one.faithful ? "" : "unfaithful"].filter(Boolean).join("; "),
    ties: one.system === null || !one.ties.length ? "none" : one.ties.join(", "),
  }));
  const order = (axis) => view.axes[axis].values.map((value) => value.text);
  const x = { field: "bandwidth", type: "ordinal", sort: order("bandwidth"), title: view.axes.bandwidth.label, axis: { labelAngle: 0, labelOverlap: "greedy" } };
  const y = { field: "latency", type: "ordinal", sort: order("latency").reverse(), title: "latency" };
  const tooltip = [{ field: "name", title: "fastest" }, { field: "bandwidth" }, { field: "latency" },
                   { field: "text", title: "speed-up over allreduce fp32" }, { field: "ties", title: "may be as fast" }];
  const ink = { field: "ink", type: "nominal", scale: null };
  return {
    data: { values: rows }, width: "container", height: HEIGHT, config: CONFIG, encoding: { x, y, tooltip },
    layer: [
      { mark: { type: "rect", strokeWidth: 2 },
        encoding: { color: { ...color, condition: { test: "datum.name == null", value: "var(--failed)" } },
                    stroke: { condition: { test: "datum.faithful === false", value: "var(--ring)" }, value: "var(--page)" } } },
      { mark: { type: "text", fontWeight: "bold", fontSize: 13, dy: -4 }, encoding: { text: { field: "text" }, color: ink } },
      { mark: { type: "text", fontSize: 9, dy: 11, limit: 90 }, encoding: { text: { field: "small" }, color: ink } },
    ],
  };
};

/** A bar for each system on one network, of a step's parts. */
gradwire.parts = ({ view }, points) => {
  const names = Object.keys(gradwire.data.parts);
  const rows = points.filter((point) => point.epoch !== null).flatMap((point) => names.map((part, order) => ({
    name: gradwire.data.systems[point.system].label, part, order, seconds: point.parts[part], of: point.text.epoch })));
  return {
    data: { values: rows }, width: "container", height: 26 * new Set(rows.map((row) => row.name)).size, autosize: FIT, config: CONFIG, mark: "bar",
    encoding: {
      x: { field: "seconds", type: "quantitative", stack: true, title: "a step, mean over workers", axis: { labelExpr: SECONDS } },
      y: { field: "name", type: "nominal", sort: view.systems.map((n) => gradwire.data.systems[n].label), title: null, axis: { labelLimit: 220 } },
      color: { field: "part", type: "nominal", scale: { domain: names, range: Object.values(gradwire.data.parts) }, legend: { columns: 3 } },
      order: { field: "order" },
      tooltip: [{ field: "name", title: "system" }, { field: "part" }, { field: "seconds", format: ".4~r", title: "seconds" }, { field: "of", title: "epoch" }],
    },
  };
};

/** What a system sends against how long its epoch takes, on one network. */
gradwire.bytes = ({ view }, points) => {
  const { color, shape } = scales(view);
  const rows = points.filter((point) => point.epoch !== null).map((point) => ({ ...gradwire.flat(view, point), seconds: point.epoch[0] }));
  return {
    data: { values: rows }, width: "container", height: HEIGHT, config: CONFIG,
    mark: { type: "point", filled: true, size: 110, opacity: 1 },
    encoding: {
      x: { field: "bytes", type: "quantitative", scale: { type: "log", nice: false, padding: 20 }, title: "sent by all workers in a step", axis: { labelExpr: "format(datum.value, '.3~s') + 'B'", tickCount: 5 } },
      y: { field: "seconds", type: "quantitative", scale: { type: "log", nice: false, padding: 20 }, title: "epoch time", axis: { labelExpr: SECONDS, tickCount: 5 } },
      color, shape, tooltip: gradwire.tooltip,
    },
  };
};

/** What each worker of one cell did in its last step. */
gradwire.timeLine = (point) => {
  const names = Object.keys(gradwire.data.slices);
  const rows = point.time_line.map(([worker, part, begin, end]) => ({ worker, part, begin, end, seconds: end - begin }));
  return {
    data: { values: rows }, width: "container", height: 24 * new Set(rows.map((row) => row.worker)).size, autosize: FIT, config: CONFIG, mark: { type: "bar", height: 16 },
    encoding: {
      x: { field: "begin", type: "quantitative", title: "since the step began", axis: { labelExpr: SECONDS, tickCount: 6 } }, x2: { field: "end" },
      y: { field: "worker", type: "ordinal", title: "worker" },
      color: { field: "part", type: "nominal", scale: { domain: names, range: Object.values(gradwire.data.slices) }, legend: { columns: 3 } },
      tooltip: [{ field: "worker" }, { field: "part" }, { field: "seconds", format: ".4~r" }],
    },
  };
};
