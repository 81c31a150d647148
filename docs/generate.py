"""Writes schema-reference.md from the JSON Schema: ``python docs/generate.py [--check]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SCHEMAS = DOCS.parent / "schemas"
TARGET = DOCS / "schema-reference.md"

SECTIONS = [
    "input_tensor",
    "recurrent",
    "mask_by_value",
    "mask_by_lengths",
    "mask_by_input",
    "mask_from",
    "rnn",
    "cell",
    "state_constant",
    "state_inputs",
    "state_static",
    "state_from",
    "state_split",
    "model_written",
    "model_derived",
    "runtime",
    "training",
    "callbacks",
    "early_stopping",
    "reduce_lr_on_plateau",
    "checkpoint",
    "tensorboard",
    "search",
    "objective",
    "search_values",
    "chosen",
    "data",
    "window",
    "data_columns",
    "data_lengths",
    "data_target",
    "split",
]

HEAD = """# Schema reference

Written by `python docs/generate.py` from `schemas/recipe-1.schema.json`; not by hand. Arguments of
Keras layers are Keras's own: `schemas/keras-3.schema.json` lists them, and
[keras.io](https://keras.io/api/layers/) says what they do.
"""


def reference() -> str:
    """The whole page."""
    schema = json.loads((SCHEMAS / "recipe-1.schema.json").read_text("utf-8"))
    keras = json.loads((SCHEMAS / "keras-3.schema.json").read_text("utf-8"))
    lookup = _Lookup(schema["$defs"], keras["$defs"])
    parts = [HEAD, _section("Recipe", schema, lookup)]
    for name in SECTIONS:
        parts.append(_section(schema["$defs"][name]["title"], schema["$defs"][name], lookup))
    layers = sorted(name for name in keras["$defs"] if name[0].isupper())
    parts.append("## Keras layers\n\n" + ", ".join(f"`{name}`" for name in layers) + ".\n")
    refused = keras["x-refused-layers"].items()
    rows = "\n".join(f"| `{name}` | {reason} |" for name, reason in sorted(refused))
    parts.append(
        f"## Layers that are refused\n\n| layer | why, and what to do |\n| --- | --- |\n{rows}\n"
    )
    return "\n".join(parts)


class _Lookup:
    def __init__(self, recipe: dict[str, Any], keras: dict[str, Any]) -> None:
        self.recipe = recipe
        self.keras = keras

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`schema` with what it refers to filled in below its own keys."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        file, _, pointer = reference.partition("#/$defs/")
        name, *rest = pointer.split("/")
        target = (self.keras if file.startswith("keras") else self.recipe).get(name)
        target = self.keras[name] if target is None else target
        for part in rest:
            target = target[part]
        inner = self.resolved(target)
        return {**inner, **{key: value for key, value in schema.items() if key != "$ref"}}


def _section(title: str, schema: dict[str, Any], lookup: _Lookup) -> str:
    required = schema.get("required") or schema.get("else", {}).get("required", [])
    rows = []
    for key, raw in schema["properties"].items():
        field = lookup.resolved(raw)
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        if key in required:
            default = "required"
        description = (field.get("description") or f"Keras's `{key}`.").replace("|", "\\|")
        rows.append(f"| `{key}` | {_kind(field)} | {default} | {description} |")
    table = "\n".join(rows)
    return (
        f"## {title}\n\n{schema['description']}\n\n"
        f"| key | value | default | meaning |\n| --- | --- | --- | --- |\n{table}\n"
    )


def _kind(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field and len(field["enum"]) <= 13:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kinds = field.get("type", "name or mapping")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def main() -> None:
    """Write the page, or with ``--check`` fail where it is not current."""
    text = reference()
    if "--check" not in sys.argv:
        TARGET.write_text(text, "utf-8")
    elif not TARGET.exists() or TARGET.read_text("utf-8") != text:
        sys.exit("docs/schema-reference.md is out of date: run python docs/generate.py")


if __name__ == "__main__":
    main()
