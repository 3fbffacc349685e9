from __future__ import annotations

import io
import re
from collections.abc import Callable

import pandas as pd
import pytest
from rich.console import Console

from reports.comparison import Comparison, Side, compare, csv_text, frame, markdown, page, print_comparison

Make = Callable[..., Side]
HOSTILE = "<script>alert(1)</script> | @everyone `x` [a](b)"


@pytest.fixture
def comparison(side: Make) -> Comparison:
    """One cell slower, one faster, one lost for a reason that is markup."""

    def change(table: pd.DataFrame) -> None:
        table.loc[5, ["status", "reason"]] = ["failed", HOSTILE]

    b = side("runs/b", {0: 1.2, 1: 0.5}, change=change, provenance={"name": HOSTILE})
    return compare(side(), b)


def printed(comparison: Comparison, bound: float | None = None, width: int | None = None) -> str:
    file = io.StringIO()
    print_comparison(Console(file=file, width=width, force_terminal=width is not None), comparison, bound)
    return file.getvalue()


def test_the_answer_comes_first(comparison: Comparison) -> None:
    lines = printed(comparison, 0.05).splitlines()
    assert lines[:5] == [
        "1 of 5 cells became slower by more than noise, 1 faster; 3 without a change that could be told from noise.",
        "Slowed down most: 5 Mbit/s, 20 ms, allreduce fp32, by +20.0 % (+20.0 % to +20.0 %).",
        "Sped up most: 100 Mbit/s, 20 ms, allreduce fp32, by -50.0 % (-50.0 % to -50.0 %).",
        "1 cell with a valid result in A has none in B: no claim is made of it.",
        "The check fails: 1 cell slower by more than 5 % beyond noise and 1 cell without a valid result.",
    ]


def test_what_is_piped_is_plain_and_not_cut(comparison: Comparison) -> None:
    text = printed(comparison)
    assert "\x1b" not in text and "…" not in text and "─" not in text
    assert HOSTILE in text
    line = next(line for line in text.splitlines() if line.startswith("5 Mbit/s"))
    assert line.split()[-1] == "slower" or "slower" in line
    assert "The check" not in text


def test_a_terminal_gets_a_table_of_its_width(comparison: Comparison) -> None:
    text = printed(comparison, width=100)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" in text and max(map(len, plain.splitlines())) <= 100


def test_a_comment_holds_names_as_text(comparison: Comparison) -> None:
    text = markdown(comparison, 0.25)
    assert text.startswith("**1 of 5 cells became slower by more than noise, 1 faster;")
    assert "<script" not in text and "@everyone" not in text and "&lt;script&gt;" in text
    assert text.count("<details>") == text.count("</details>") == 1
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows[:4]}) == 1
    assert "The check fails: 1 cell without a valid result." in text
    assert "slower" in rows[2] and "faster" in rows[3]


def test_a_page_is_whole_and_its_names_are_text(comparison: Comparison) -> None:
    text = page(comparison, 0.05)
    assert text.startswith("<!doctype html>") and "<main>" in text and text.rstrip().endswith("</html>")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert text.count("<tr class=") == 5 and 'src="data:image/svg+xml;base64,' in text
    assert page(comparison, 0.05) == text


def test_without_a_cell_to_compare_there_is_still_an_answer(side: Make) -> None:
    def failed(table: pd.DataFrame) -> None:
        table["status"] = "failed"

    found = compare(side(), side("runs/b", change=failed))
    assert printed(found).startswith("No cell could be compared.\n6 cells with a valid result in A have none in B")
    assert "<img" not in page(found)
    assert markdown(found).startswith("**No cell could be compared")


def test_every_number_is_exported(comparison: Comparison) -> None:
    table = frame(comparison)
    assert len(table) == 6
    assert table["verdict"].tolist() == ["slower", "faster", "no change", "no change", "no change", "lost"]
    assert table["ratio"][0] == pytest.approx(1.2) and bool(table["paired"][0])
    again = pd.read_csv(io.StringIO(csv_text(comparison)))
    assert list(again.columns) == list(table.columns) and again["ratio"][0] == table["ratio"][0]


def test_equal_runs_say_so(side: Make) -> None:
    found = compare(side(), side("runs/b"))
    text = printed(found, 0.0)
    assert text.startswith("None of 6 cells became slower or faster by more than noise.\nThe check passes")
    assert "bytes" not in next(line for line in text.splitlines() if line.startswith("network"))
