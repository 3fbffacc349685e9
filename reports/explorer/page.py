"""Writes report.html: everything that it shows and draws with is in it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert

from reports.counting import summary, trials
from reports.explorer import content, training_content
from reports.explorer.content import Traces
from reports.looks import PARTS
from reports.provenance import page_line, run_name
from reports.quantities import printable

COMMON = ("state.js", "charts.js", "tables.js")
SCRIPTS = {"sweep": (*COMMON, "sweep_charts.js", "sweep.js"), "training": (*COMMON, "training.js")}
SWEEP_CHARTS = (
    ("epoch", "Epoch time"),
    ("speedup", "Speed-up over allreduce fp32"),
    ("winner", "Fastest system"),
    ("parts", "Where a step's time goes"),
    ("bytes", "Bytes against time"),
    ("timeline", "Time line of a step"),
)
TRAINING_CHARTS = (("train-loss", "Training loss"), ("held-out-loss", "Held-out loss"), ("metric", "Held-out metric"))
_HERE = Path(__file__).parent
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What a worker does in a step's time line, which tells sending from waiting.
SLICES = {
    "compute": PARTS["compute"],
    "encode": PARTS["encode"],
    "send": "#2171b5",
    "wait": PARTS["communicate"],
    "decode": PARTS["decode"],
    "apply": PARTS["apply"],
}


def report_page(
    table: pd.DataFrame, provenance: Mapping[str, Any], traces: Traces | None = None, live: bool = False
) -> str:
    """The page of a sweep: HTML that needs nothing but itself. Equal input gives equal text.

    `table` has one row per cell, `provenance` is the run folder's provenance.json, `traces` gives a cell's trace by its
    id. A `live` page asks the server that it came from for what is new. UserError where the table lacks a column.
    """
    data = content.content(table, traces) | {"kind": "sweep", "parts": PARTS, "slices": SLICES}
    title = f"Run {run_name(provenance)}"
    return _render(data, provenance, title=title, summary=summary(table), charts=SWEEP_CHARTS, live=live)


def training_page(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """The page of a training, likewise; `table` has one row per epoch of a trial."""
    data = training_content.content(table) | {"kind": "training"}
    title = f"Training {run_name(provenance)}"
    return _render(data, provenance, title=title, summary=trials(table), charts=TRAINING_CHARTS, live=False)


def _render(data: Mapping[str, Any], provenance: Mapping[str, Any], *, live: bool, **values: Any) -> str:
    scripts = [_HERE / name for name in (*SCRIPTS[data["kind"]], "main.js", *(["live.js"] if live else []))]
    return _TEMPLATES.get_template("report.html.j2").render(
        facts=_facts(provenance),
        foot=page_line(provenance),
        systems=data["systems"],
        choices=data["choices"],
        options=data["options"],
        answers=data["views"][0]["answers"] if data["views"] else [],
        style=(_HERE / "report.css").read_text(encoding="utf-8"),
        library=_library(),
        scripts=[script.read_text(encoding="utf-8") for script in scripts],
        data=embedded({**data, "live": live}),
        live=live,
        **values,
    )


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that it is in, whatever text it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed, as a script."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in script
    return str(script)


def _facts(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader needs to trust a number, of the newest session; nothing of what is not recorded."""
    machine, versions = provenance.get("machine") or {}, provenance.get("versions") or {}
    changed = " with changes" if provenance.get("git_dirty") else ""
    labs = (provenance.get("labs") or {}).items()
    facts = [
        ("commit", f"{provenance['git_commit']}{changed}" if provenance.get("git_commit") else ""),
        ("newest session", provenance.get("date")),
        *(
            (f"{name} lab", f"kernel {lab.get('kernel') or 'unknown'}; {lab.get('mpi') or 'MPI unknown'}")
            for name, lab in labs
        ),
        ("machine", ", ".join(str(machine[key]) for key in ("cpu", "kernel") if machine.get(key))),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)),
    ]
    return [(label, printable(text)) for label, text in facts if text]
