"""What a file may say, for editors that check and complete while one types, and for its reference."""

from __future__ import annotations

import json
from typing import Any

from testbed.specification.choices import Strict
from testbed.specification.reference import reference
from testbed.specification.sweep_file import SweepFile


def schema(kind: str = "sweep") -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a sweep file, or of a training file."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Gradwire {kind}"}
    return _file(kind).model_json_schema() | dialect


def schema_text(kind: str = "sweep", form: str = "json") -> str:
    """The schema as docs/sweep.schema.json has it, or as the table of keys that docs/sweep-file.md has."""
    if form == "markdown":
        return reference(_file(kind))
    return json.dumps(schema(kind), indent=2, sort_keys=True) + "\n"


def _file(kind: str) -> type[Strict]:
    if kind == "sweep":
        return SweepFile
    from testbed.training.training_file import TrainingFile  # which itself needs what a sweep file has

    return TrainingFile
