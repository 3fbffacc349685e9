// What the page of a training shows of the trials that are chosen.
"use strict";
gradwire.kinds ??= {};

gradwire.kinds.training = (chosen) => {
  const { view, along } = chosen;
  const placed = view.points.filter((point) => point.x[along] !== undefined);
  const quantities = { train_loss: "training loss", held_out_loss: "held-out loss", metric: `held-out ${view.metric}` };
  const band = "Line: mean over seeds, band: all of them; \u2715: a seed diverged in that epoch.";
  const chart = (quantity) => [`Against ${along}. ${band}`,
    placed.some((point) => point[quantity] !== null) && courses(chosen, placed, quantity, quantities[quantity])];
  return {
    charts: Object.fromEntries(Object.keys(quantities).map((quantity) => [quantity.replaceAll("_", "-"), chart(quantity)])),
    ...trainingTable(placed, along, quantities),
  };
};

function courses(chosen, placed, quantity, title) {
  const { view, along } = chosen;
  const rows = placed.flatMap((point) => {
    const row = {
      name: gradwire.data.systems[point.system].label, place: point.x[along][0], epoch: point.epoch, where: point.x[along][1],
      value: point[quantity]?.[0], low: point[quantity]?.[1], high: point[quantity]?.[2], mark: "whole",
    };
    return [...(point[quantity] ? [row] : []), ...(point.state === "diverged" ? [{ ...row, value: null, mark: "none" }] : [])];
  });
  const x = { field: "place", type: "quantitative", title: along, scale: { nice: false, zero: true },
              axis: { tickCount: 6, ...(along === "epochs" ? { tickMinStep: 1 } : {}), labelExpr: along === "epochs" ? "format(datum.value, 'd')" : along.startsWith("time") ? SECONDS : "format(datum.value, '.3~s') + 'B'" } };
  const y = { title, scale: { type: quantity === "metric" ? "linear" : "log", zero: false, nice: false, padding: 12 },
              axis: { labelExpr: "format(datum.value, '.4~r')", tickCount: 6 } };
  if (quantity !== "metric") delete y.scale.zero;
  const tooltip = [{ field: "name", title: "system" }, { field: "epoch" }, { field: "where", title: along },
                   { field: "value", title, format: ".4~r" }, { field: "low", title: "least", format: ".4~r" }, { field: "high", title: "largest", format: ".4~r" }];
  return gradwire.lines({ view, rows, x, y, tooltip });
}

function trainingTable(placed, along, quantities) {
  const name = (point) => gradwire.data.systems[point.system].label;
  const text = (band) => (band ? `${digits(band[0])} (${digits(band[1])} to ${digits(band[2])})` : "");
  const digits = (value) => String(Number(value.toPrecision(4)));
  const columns = ["system", "epoch", ...(along === "epochs" ? [] : [along]), ...Object.values(quantities), "state"];
  const ends = (quantity) => [quantity, `${quantity}_least`, `${quantity}_largest`];
  return {
    columns,
    rows: placed.map((point) => ({
      state: point.state === "trained" ? "" : point.state,
      texts: { system: name(point), epoch: point.x.epochs[1], [along]: point.x[along][1], state: point.state,
               ...Object.fromEntries(Object.entries(quantities).map(([quantity, title]) => [title, text(point[quantity])])) },
    })),
    numbers: [["system", "epoch", along, ...Object.keys(quantities).flatMap(ends), "state"], ...placed.map((point) => [
      name(point), point.epoch, point.x[along][0], ...Object.keys(quantities).flatMap((quantity) => point[quantity] ?? ["", "", ""]), point.state])],
  };
}
