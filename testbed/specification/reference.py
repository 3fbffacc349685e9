"""The reference of a file's keys, in Markdown, made of the schema that checks the file: it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from testbed.specification.choices import Strict

Schema = Mapping[str, Any]

# Where the names are that a key takes; of other keys the schema says all.
_NAMES: Final = {
    "algorithm": "[algorithms](algorithms.md)",
    "codec": "[codecs](codecs.md)",
    "graph": "[graphs](algorithms/d-psgd.md)",
    "workload": "[workloads](workloads.md)",
    "partition": "[partitions](workloads.md#who-sees-which-samples)",
    "schedule": "[changing networks](changing-networks.md)",
    "straggler": "[stragglers](changing-networks.md#stragglers)",
    "capture": "[captures](captures.md)",
    "containers": "[containers](host-lab.md)",
    "network": "[over a network](training.md#over-a-network)",
}
_TYPES: Final = {"string": "a name", "integer": "a whole number", "number": "a number", "boolean": "`true`, `false`"}
_BLOCK: Final = "Block"
_OWN_PAGE: Final = ("NetworkChoice",)  # of nearly all a sweep file's keys, which its own page tells


def reference(file: type[Strict]) -> str:
    """A table of the file's keys, then one for each mapping that a key may be."""
    schema = file.model_json_schema()
    nested = schema.get("$defs", {})
    parts = [_table(schema)]
    for name in _mappings(schema, nested):
        parts += [f"### {_title(name)}", nested[name].get("description", ""), _table(nested[name])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _mappings(schema: Schema, nested: Mapping[str, Schema]) -> list[str]:
    """The names of the mappings that have keys of their own, in the order in which keys need them."""
    found: dict[str, None] = {}

    def look(part: Schema) -> None:
        for name in re.findall(r"#/\$defs/(\w+)", str(part)):
            if name not in (_BLOCK, *_OWN_PAGE, *found):
                found[name] = None
                look(nested[name])

    look(schema.get("properties", {}))
    return list(found)


def _table(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        default = "required" if key in required else _default(value)
        told = [value.get("description", "").replace("|", "\\|"), f"see {_NAMES[key]}" if key in _NAMES else ""]
        rows.append(f"| `{key}` | {_value(value)} | {default} | {'; '.join(filter(None, told))} |")
    return "\n".join(rows)


def _value(schema: Schema) -> str:
    """What may be written, in words."""
    return " or ".join(dict.fromkeys(_alternatives(schema)))


def _alternatives(schema: Schema) -> Iterator[str]:
    choices = schema.get("anyOf", [])
    if len(choices) == 2 and choices[1].get("items") == choices[0]:  # a value, or a list of such: an axis
        yield _value(choices[0])
    elif choices:
        for choice in choices:
            if choice != {"type": "null"}:
                yield _value(choice)
    elif "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield _mapping(name)
    elif "examples" in schema:
        yield ", ".join(f"`{example}`" for example in schema["examples"])
    elif "enum" in schema or "const" in schema:
        yield ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        yield f"a list of: {_value(schema['items'])}"
    else:
        yield _TYPES.get(schema.get("type", ""), "anything") + _limits(schema)


def _mapping(name: str) -> str:
    """A link to its table, where it has one on the page."""
    if name == _BLOCK:
        return "a mapping of these keys"
    return f"a mapping of {_title(name)}" if name in _OWN_PAGE else f"a [mapping of {_title(name)}](#{_title(name)})"


def _limits(schema: Schema) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    told = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return f", {' and '.join(told)}" if told else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, Mapping):
        return _default_mapping(value)
    if value in (None, [], ""):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def _default_mapping(value: Mapping[str, Any]) -> str:
    """`star` for `{name: star}`, a size in MiB; of others what they say themselves."""
    if (size := value.get("size_bytes")) is not None:
        return f"`{size / 2**20:g} MiB`"
    if len(value) == 1:
        return f"`{next(iter(value.values()))}`"
    return "as below" if value else ""


def _title(name: str) -> str:
    """`steps` for StepsChoice."""
    return name.removesuffix("Choice").lower()
