"""Tang et al. 2018, figure 4a: algorithms 1 and 2 on 16 workers at 8 bits beside allreduce."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule
from reports.convergence import AS_FAST, content, ratio, require
from reports.pages import Content, PageKind
from reports.training import Training

BITS, WORKERS = 8, 16
NOTES = [
    "A ring of 16 brings models together slowly: its second eigenvalue is 0.95. The training loss is that of the "
    "workers' own models, which differ while the rate is high; held-out numbers are those of their mean. d-psgd, which "
    "the paper does not show here, has no compression: its line tells what is due to the ring from what is due to the "
    "bits.",
    "The noise of ecd-psgd's codec follows what is sent, x + (t/2) (x' - x), which grows with t: assumption 2 of the "
    "paper supposes that it does not.",
]
NUMBERS = {"dcd-psgd": 1, "ecd-psgd": 2}  # of the paper's algorithms


def _as_fast(algorithm: str, training: Training) -> Iterator[Finding]:
    yield ratio(training, require(training, algorithm, bits=BITS), require(training, "allreduce"), AS_FAST)


RULES = tuple(
    Rule(
        part="4a",
        claim=f"On {WORKERS} workers {algorithm}, algorithm {number}, converges as allreduce does",
        paper="Alg. 1 and Alg. 2 on 16 nodes can still achieve basically same convergence rate as allreduce, which "
        "shows the scalability of our algorithms.",
        target=f"last training loss of {algorithm}, {BITS} bits, over that of allreduce {AS_FAST.text}",
        findings=partial(_as_fast, algorithm),
    )
    for algorithm, number in NUMBERS.items()
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems, or on fewer workers."""
    systems = [("allreduce", None), ("d-psgd", None), *((algorithm, "qsgd") for algorithm in NUMBERS)]
    enough = table[table["workers"] == WORKERS] if "workers" in table.columns else table
    return content(enough, systems, RULES, "Tang 2018, figure 4a", notes=NOTES)


TRAINING_PAGE = PageKind(
    name="tang2018-figure4a",
    title="8 bits on 16 workers",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 5.4, figure 4a",
    build=build,
)
