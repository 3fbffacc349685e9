// What the page of a sweep shows of the cells that are chosen.
"use strict";
gradwire.kinds ??= {};

gradwire.kinds.sweep = (chosen) => {
  const { view, along } = chosen;
  const at = (axis) => view.axes[axis].values.find((value) => value.text === chosen[axis]).value;
  const [bandwidth, latency] = [at("bandwidth"), at("latency")];
  const shown = view.points.filter((point) => (along === "bandwidth" ? point.latency === latency : point.bandwidth === bandwidth));
  const here = view.points.filter((point) => point.latency === latency && point.bandwidth === bandwidth);
  return { charts: sweepCharts(chosen, shown, here), ...sweepTable(shown) };
};

function sweepCharts(chosen, shown, here) {
  const { view } = chosen;
  const where = chosen.along === "bandwidth" ? `latency ${chosen.latency}` : `bandwidth ${chosen.bandwidth}`;
  const network = `${chosen.bandwidth}, ${chosen.latency}`;
  const marks = "Hollow: the network's probe was off, the cell is unfaithful; \u2715: no result.";
  const measured = (points) => points.some((point) => point.epoch !== null);
  const line = here.find((point) => gradwire.data.systems[point.system].label === chosen.system);
  const others = shown.filter((point) => point.system !== view.baseline);
  return {
    epoch: [`At ${where}; ${view.band}. Lower is faster. ${marks}`, measured(shown) && gradwire.curves(chosen, shown, "epoch")],
    speedup: [`At ${where}. Above 1 a system's epoch is shorter than allreduce's. ${marks}`,
              others.some((point) => point.speedup !== null) && gradwire.curves(chosen, others, "speedup")],
    winner: ["Colour: the system with the shortest epoch; number: its speed-up over allreduce fp32; \u201cor\u201d: intervals overlap. " +
             "Click on a network to see it in the other charts.", gradwire.winners(chosen)],
    parts: [`At ${network}; waiting for other workers is in communicate.`, measured(here) && gradwire.parts(chosen, here)],
    bytes: [`At ${network}. Further left sends less, lower is faster. Bytes against loss are in a training's report.`,
            here.some((point) => point.epoch !== null && point.bytes) && gradwire.bytes(chosen, here)],
    timeline: [`${chosen.system} at ${network}, the last step that was measured.`, line?.time_line.length && gradwire.timeLine(line)],
  };
}

function sweepTable(shown) {
  const name = (point) => gradwire.data.systems[point.system].label;
  const columns = ["system", "bandwidth", "latency", "epoch", "speed-up", "sent per step", "probe: latency", "probe: goodput", "state", "cell"];
  const parts = Object.keys(gradwire.data.parts);
  const head = ["system", "bandwidth_bit_per_s", "latency_s", "epoch_s", "epoch_low_s", "epoch_high_s", "speedup", "speedup_low",
                "speedup_high", "declared_bytes_per_step", ...parts.map((part) => `${part}_s`), "state", "cell"];
  return {
    columns,
    rows: shown.map((point) => ({ texts: { system: name(point), ...point.text }, state: point.state === "measured" ? "" : point.state })),
    numbers: [head, ...shown.map((point) => [
      name(point), point.bandwidth, point.latency, ...(point.epoch ?? ["", "", ""]), ...(point.speedup ?? ["", "", ""]), point.bytes ?? "",
      ...parts.map((part) => point.parts[part] ?? ""), point.text.state, point.text.cell])],
  };
}
