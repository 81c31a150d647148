"""Writes schema-reference.md and keras-reference.md from the JSON Schemas.

It is run as ``python docs/generate.py [--check]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SCHEMAS = DOCS.parent / "schemas"
PAGE = DOCS / "schema-reference.md"
KERAS_PAGE = DOCS / "keras-reference.md"

SECTIONS = [
    "input_tensor",
    "recurrent",
    "call",
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

Written by `python docs/generate.py` from `schemas/recipe-1.schema.json`; not by hand. Layers of
Keras, optimizers, losses and the like have [a page of their own](keras-reference.md).
"""

KERAS_HEAD = """# Keras reference

Written by `python docs/generate.py` from `schemas/keras-3.schema.json`; not by hand. Names,
arguments and defaults are those of Keras {version}; [keras.io](https://keras.io/api/) says more.

Every layer also takes `input`, `mask` and `dtype_policy`, as the
[schema reference](schema-reference.md) says. An optimizer, a loss and the like is written by its
name, or as a mapping with a `type` and the arguments below.
"""

FAMILIES = {
    "optimizer": "Optimizers",
    "learning_rate_schedule": "Learning rate schedules",
    "loss": "Losses",
    "metric": "Metrics",
    "initializer": "Initializers",
    "regularizer": "Regularizers",
    "constraint": "Constraints",
}
SHORT = 13
"""With more, the words of a choice are not listed."""
ELSEWHERE = ("type", "input", "mask", "dtype_policy")


def _schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    files = ("recipe-1.schema.json", "keras-3.schema.json")
    recipe, keras = (json.loads((SCHEMAS / file).read_text("utf-8")) for file in files)
    return recipe, keras


def reference() -> str:
    """The page of a recipe's own keys."""
    schema, keras = _schemas()
    lookup = _Lookup(schema["$defs"], keras["$defs"])
    parts = [HEAD, _section("Recipe", schema, lookup)]
    for name in SECTIONS:
        parts.append(_section(schema["$defs"][name]["title"], schema["$defs"][name], lookup))
    layers = sorted(name for name in keras["$defs"] if name[0].isupper())
    links = (f"[`{name}`](keras-reference.md#{name.lower()})" for name in layers)
    parts.append("## Keras layers\n\n" + ",\n".join(links) + ".\n")
    refused = keras["x-refused-layers"].items()
    rows = "\n".join(f"| `{name}` | {reason} |" for name, reason in sorted(refused))
    parts.append(
        f"## Layers that are refused\n\n| layer | why, and what to do |\n| --- | --- |\n{rows}\n"
    )
    return "\n".join(parts)


def keras_reference() -> str:
    """The page of Keras's layers and of what else has a Keras name."""
    schema, keras = _schemas()
    lookup = _Lookup(schema["$defs"], keras["$defs"])
    parts = [KERAS_HEAD.format(version=keras["x-keras-version"]), "## Layers\n"]
    names = {name: name for name in keras["$defs"] if name[0].isupper()}
    parts += [_class(name, keras["$defs"][key], lookup) for name, key in sorted(names.items())]
    for family, heading in FAMILIES.items():
        parts.append(f"## {heading}\n")
        own = sorted(key for key in keras["$defs"] if key.startswith(f"{family}."))
        parts += [_class(key.partition(".")[2], keras["$defs"][key], lookup) for key in own]
    return "\n".join(parts)


def _class(name: str, schema: dict[str, Any], lookup: _Lookup) -> str:
    spellings = ", ".join(f"`{each}`" for each in schema["properties"]["type"]["enum"])
    own = {key: raw for key, raw in schema["properties"].items() if key not in ELSEWHERE}
    sentence = schema["description"].partition(" Keras's ")[0]
    table = _table(own, schema["required"], lookup) if own else "It has no arguments.\n"
    return f"### {name}\n\n{sentence} Written {spellings}.\n\n{table}"


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

    def kind(self, schema: dict[str, Any]) -> str:
        """What may be written: of values that arguments of Keras share, in words."""
        file, _, name = schema.get("$ref", "").partition("#/$defs/")
        if file.startswith("keras") and "/" not in name and name[0].islower():
            plain = name.removesuffix("_or_null")
            or_null = "; null" if plain != name else ""
            if len(self.keras[plain].get("enum", range(99))) <= SHORT:
                return _kind(self.keras[plain]) + or_null
            words = self.resolved(self.keras[plain])["description"].rstrip(".")
            return words[0].lower() + words[1:] + or_null
        if file.startswith("keras"):
            inner: Any = self.keras
            for part in name.split("/"):
                inner = inner[part]
            return self.kind(inner)
        return _kind(self.resolved(schema))


def _section(title: str, schema: dict[str, Any], lookup: _Lookup) -> str:
    required = schema.get("required") or schema.get("else", {}).get("required", [])
    table = _table(schema["properties"], required, lookup)
    return f"## {title}\n\n{schema['description']}\n\n{table}"


def _table(keys: dict[str, Any], required: list[str], lookup: _Lookup) -> str:
    rows = []
    for key, raw in keys.items():
        field = lookup.resolved(raw)
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        if key in required:
            default = "required"
        meaning = f"{field['description']}{_examples(field)}".replace("|", "\\|")
        rows.append(f"| `{key}` | {lookup.kind(raw)} | {default} | {meaning} |")
    table = "\n".join(rows)
    return f"| key | value | default | meaning |\n| --- | --- | --- | --- |\n{table}\n"


def _examples(field: dict[str, Any]) -> str:
    """Two of them at most: each is a value of its own kind."""
    shown = " or ".join(f"`{_flow(each)}`" for each in field.get("examples", [])[:2])
    return f" Such as {shown}." if shown else ""


def _flow(value: Any) -> str:
    """A value as a recipe holds it, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _kind(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field and len(field["enum"]) <= SHORT:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kinds = field.get("type", "any value")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def main() -> None:
    """Write the pages, or with ``--check`` fail where one is not current."""
    for target, text in ((PAGE, reference()), (KERAS_PAGE, keras_reference())):
        if "--check" not in sys.argv:
            target.write_text(text, "utf-8")
        elif not target.exists() or target.read_text("utf-8") != text:
            sys.exit(f"docs/{target.name} is out of date: run python docs/generate.py")


if __name__ == "__main__":
    main()
