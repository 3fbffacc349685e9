from __future__ import annotations

from pathlib import Path

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
