from __future__ import annotations

from pathlib import Path

import pytest

from testbed import marked_text
from testbed.specification.schema import schema, schema_text

SHIPPED = Path(__file__).parents[3] / "docs" / "sweep.schema.json"


def test_the_shipped_schema_is_up_to_date() -> None:
    assert SHIPPED.read_text() == schema_text(), "run `gradwire schema > docs/sweep.schema.json`"


def test_a_key_is_a_value_or_a_list_and_others_are_refused() -> None:
    made = schema()
    value, values = made["properties"]["bandwidth"]["anyOf"]
    assert values["items"] == value and values["minItems"] == 1
    assert made["additionalProperties"] is False
    assert {"bandwidth", "latency", "algorithm"} == set(made["required"])


@pytest.mark.parametrize(("kind", "page"), [("sweep", "sweep-file.md"), ("training", "training-file.md")])
def test_the_reference_of_a_files_keys_is_up_to_date(kind: str, page: str) -> None:
    text = SHIPPED.with_name(page).read_text()
    assert marked_text.between("keys", schema_text(kind, "markdown")) in text, "run `make schema`"


@pytest.mark.parametrize("kind", ["sweep", "training"])
def test_the_reference_has_every_key_with_its_meaning(kind: str) -> None:
    whole = schema(kind)
    text = schema_text(kind, "markdown")
    for key in whole["properties"]:
        (row,) = [line for line in text.partition("###")[0].splitlines() if line.startswith(f"| `{key}` |")]
        assert row.split("|")[4].strip(), f"{key} has no description"
    nameless = [line for line in text.splitlines() if line.startswith("|") and line.endswith("|  |")]
    assert not nameless
    assert "### steps" in text if kind == "sweep" else "### rate" in text


def test_the_reference_says_defaults_and_limits() -> None:
    text = schema_text("sweep", "markdown")
    assert "| `queue` | `16 MiB`, `64 KiB`, `50 ms` | `16 MiB` |" in text
    assert "| `bandwidth` | `5 Mbit/s`, `1.4 Gbit/s`, `10gbit` | required |" in text
    assert "| `measured` | a whole number, at least 10 | `10` |" in text
