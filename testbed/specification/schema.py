"""The sweep file's JSON schema, for editors that check and complete while one types."""

from __future__ import annotations

import json
from typing import Any

from testbed.specification.sweep_file import SweepFile


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a sweep file."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Gradwire sweep"}
    return SweepFile.model_json_schema() | dialect


def schema_text() -> str:
    """The schema as docs/sweep.schema.json has it."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
