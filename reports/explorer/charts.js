// What the charts have in common. Colours are the page's own variables, so that a theme is a matter of style.
"use strict";

const SECONDS = "datum.value >= 100 ? format(datum.value, ',.0f') + ' s' : format(datum.value, '.3~r') + ' s'";
const RATIO = "format(datum.value, '.3~r') + '\\u00d7'";
const CONFIG = {
  aria: false, background: "transparent", font: "system-ui, 'Liberation Sans', Arial, sans-serif",
  view: { stroke: "var(--line)" },
  axis: { labelColor: "var(--text)", titleColor: "var(--text)", gridColor: "var(--line)", domainColor: "var(--quiet)",
          tickColor: "var(--quiet)", labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", gridOpacity: 0.6 },
  legend: { labelColor: "var(--text)", titleColor: "var(--text)", labelFontSize: 11, labelLimit: 260, orient: "bottom",
            columns: 2, title: null, symbolSize: 70, symbolOpacity: 1 },
  text: { color: "var(--text)" },
  mark: { aria: false }, // the whole chart is one image, which has a name
};
const HEIGHT = 280;
const FIT = { type: "fit-x", contains: "padding" }; // of charts whose height is that of their rows

function scales(view) {
  const systems = view.systems.map((number) => ({ ...gradwire.data.systems[number], number }));
  const domain = systems.map((system) => system.label);
  return {
    color: { field: "name", type: "nominal", scale: { domain, range: systems.map((s) => `var(--s${s.number})`) } },
    shape: { field: "name", type: "nominal", scale: { domain, range: systems.map((s) => s.shape) } },
    strokeDash: { field: "name", type: "nominal",
                  scale: { domain, range: systems.map((s) => (s.dash.length ? s.dash : [1, 0])) } },
  };
}

/**
 * A chart of lines over `x`: rows of {name, value, low, high, mark}, and what `x` and the tooltip name. Marks: "whole" is filled,
 * "hollow" is not, "none" is a cross at the foot; rows without a value have no line.
 */
gradwire.lines = ({ view, rows, x, y, tooltip, rule }) => {
  const { color, shape, strokeDash } = scales(view);
  const upwards = { field: "value", type: "quantitative", ...y };
  const point = (mark, look) => ({
    transform: [measured, { filter: `datum.mark == '${mark}'` }], encoding: { x, y: upwards, color, shape, tooltip },
    mark: { type: "point", size: 65, opacity: 1, ...look },
  });
  const measured = { filter: "isValid(datum.value)" };
  const layer = [
    { transform: [measured], mark: { type: "area", opacity: 0.18 },
      encoding: { x, y: { ...upwards, field: "low" }, y2: { field: "high" }, color } },
    { transform: [measured], mark: { type: "line", strokeWidth: 1.8 }, encoding: { x, y: upwards, color, strokeDash } },
    point("whole", { filled: true }),
    point("hollow", { filled: false, fill: "var(--page)", strokeWidth: 1.8 }),
    { transform: [{ filter: "datum.mark == 'none'" }], mark: { type: "text", text: "\u2715", fontWeight: "bold", fontSize: 13 },
      encoding: { x, y: { value: HEIGHT - 10 }, color, tooltip } },
  ];
  if (rule !== undefined) layer.unshift({ mark: { type: "rule", color: "var(--quiet)" }, encoding: { y: { datum: rule, type: "quantitative" } } });
  return { data: { values: rows }, width: "container", height: HEIGHT, layer, config: CONFIG };
};
