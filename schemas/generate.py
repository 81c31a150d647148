"""Write the catalogue of Keras's layers, initializers, optimizers, ... as a JSON Schema.

Names, arguments and defaults are read from the signatures of the installed Keras; the values that
an argument takes are in catalogue_types.py and catalogue_arguments.py, and what is said of it in
catalogue_texts.py and catalogue_classes.py. Then write the schema that editors read, of this one
and of recipe-1.schema.json. Run it after any of these changes:

    python schemas/generate.py            # writes keras-3 and recipe-1.editor .schema.json
    python schemas/generate.py --check    # writes nothing; exit code 1 if a file is out of date
"""

import argparse
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import catalogue_arguments as table
import keras
from catalogue_types import VALUES, Schema
from describe import argument_texts, class_sentence, examples

from lstmgraph.models.building import forecasting

TARGET = Path(__file__).with_name("keras-3.schema.json")
EDITORS = Path(__file__).with_name("recipe-1.editor.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECIPE = "recipe-1.schema.json#/$defs/"
KINDS: dict[str, ModuleType] = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "learning_rate_schedule": keras.optimizers.schedules,
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "metric": keras.metrics,
}
OWN: dict[str, dict[str, type]] = {"loss": forecasting.LOSSES, "metric": forecasting.METRICS}
"""Classes of lstmgraph's own beside Keras's, by kind."""
REQUIRED = inspect.Parameter.empty


def public_classes(module: ModuleType) -> dict[str, type]:
    """Find the classes of a module, one name for each: its own, or the first that is public."""
    named = [(name, obj) for name, obj in inspect.getmembers(module) if inspect.isclass(obj)]
    own = {obj: name for name, obj in reversed(named)}
    own |= {obj: name for name, obj in named if name == obj.__name__}
    return {name: obj for obj, name in sorted(own.items(), key=lambda item: item[1])}


def snake_case(name: str) -> str:
    """Spell a class's name as Keras does, as in `conv1d` and `global_average_pooling1d`."""
    if name in table.SNAKE_CASE:
        return table.SNAKE_CASE[name]
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def defaults(cls: type, kind: str, name: str) -> dict[str, Any]:
    """Read a class's arguments and their defaults; REQUIRED stands for none."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = {p.name: p.default for p in parameters if p.kind in named}
    if kind == "layer":
        found |= table.THROUGH_KWARGS.get(name, {})
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            found["trainable"] = True
        in_call = inspect.signature(cls.call).parameters  # type: ignore[attr-defined]
        found |= {name: in_call[name].default for name in table.IN_CALL if name in in_call}
        found |= dict.fromkeys(table.REQUIRED_OF.get(name, ()), REQUIRED)
    left_out = table.LEFT_OUT | table.LEFT_OUT_OF.get(name, set())
    if kind == "metric":
        left_out = left_out - {"name"}
    return {argument: value for argument, value in found.items() if argument not in left_out}


def value_names(kind: str) -> dict[str, str]:
    """Turn a table of value name -> arguments around: argument -> value name."""
    by_value = table.LAYER_ARGUMENTS if kind == "layer" else table.OBJECT_ARGUMENTS[kind]
    return {argument: value for value, text in by_value.items() for argument in text.split()}


def argument_schema(kind: str, name: str, argument: str, default: Any) -> Schema:
    """Describe one argument: which values it takes, null where that is its default, the default."""
    values = value_names(kind)
    value = values.get(f"{name}.{argument}", values.get(argument, ""))
    rank = re.search(r"([123])D", name)
    value = value.replace("{rank}", rank[1] if rank else "")
    if isinstance(default, bool) or value == "boolean":
        schema: Schema = {"type": "boolean" if default is not None else ["boolean", "null"]}
    elif not value:
        sys.exit(f"{kind} {name}.{argument}: say in catalogue_arguments.py which values it takes")
    elif default is None:
        schema = {"$ref": f"#/$defs/{value}_or_null"}
    else:
        schema = {"$ref": f"#/$defs/{value}"}
    if default is not REQUIRED:
        schema["default"] = plain(default)
    return {**argument_texts(kind, name, argument), **schema, **examples(argument, schema)}


def plain(default: Any) -> Any:
    """Turn a default into JSON's types: a tuple is a list."""
    return json.loads(json.dumps(default))


def definition(kind: str, name: str, cls: type, spellings: list[str]) -> Schema:
    """Describe the mapping form of a class: its type, its arguments, and no others."""
    arguments = defaults(cls, kind, name)
    properties: dict[str, Schema] = {"type": chosen_type(spellings)}
    if kind == "layer":
        own = ("embeddings",) if name in ("Embedding", "ReversibleEmbedding") else ()
        keys = ("input", "mask", "dtype_policy", *own)
        properties |= {key: {"$ref": RECIPE + key} for key in keys}
    for argument, default in arguments.items():
        properties[argument] = argument_schema(kind, name, argument, default)
    module = KINDS[kind].__name__ if kind in KINDS else "keras.layers"
    whose = "lstmgraph's own." if name in OWN.get(kind, {}) else f"Keras's {module}.{name}."
    return {
        "title": name,
        "description": f"{class_sentence(kind, name)} {whose}",
        "type": "object",
        "properties": properties,
        "required": [argument for argument, default in arguments.items() if default is REQUIRED],
        "additionalProperties": False,
        "x-keras": layer_facts(name, cls) if kind == "layer" else object_facts(kind, name, cls),
    }


def chosen_type(spellings: list[str]) -> Schema:
    """Describe the key that says which class is meant."""
    text = "The class, in Keras's spelling or in lower case; it decides which other keys there are."
    return {"title": "Type", "description": text, "enum": spellings}


def object_facts(kind: str, name: str, cls: type) -> Schema:
    """Note what a reader without Keras has to know of a class: is it drawn from a seed?"""
    facts: Schema = {"class": name}
    if kind == "initializer":
        facts["seeded"] = "seed" in defaults(cls, kind, name)
    return facts


def layer_facts(name: str, cls: type) -> Schema:
    """Note how a layer is called and what it does with masks."""
    arguments = list(inspect.signature(cls.call).parameters)[1:]  # type: ignore[attr-defined]
    not_tensors = {
        "training",
        "return_attention_scores",
        "initial_state",
        "count_weights",
        "reverse",
    }
    not_masks = {"attention_mask", "use_causal_mask"}
    masks = [a for a in arguments if a.split("_")[-1] == "mask" and a not in not_masks]
    merge = keras.layers.Add.__base__
    return {
        "class": name,
        "call": [a for a in arguments if a not in {*not_tensors, *not_masks, *masks}],
        "masks": masks,
        "supports_masking": bool(sample(name, cls).supports_masking),
        "overrides_compute_mask": cls.compute_mask is not keras.layers.Layer.compute_mask,  # type: ignore[attr-defined]
        "multiple_inputs": issubclass(cls, (merge, keras.layers.Attention)),
    }


def sample(name: str, cls: type) -> Any:
    """Build a layer with the arguments that it must have, to look at it."""
    given = dict(table.SAMPLES, layer=keras.layers.Dense(1))
    needed = [a for a, default in defaults(cls, "layer", name).items() if default is REQUIRED]
    needed += table.ONE_OF.get(name, ())
    return cls(**{argument: given.get(argument, 1) for argument in needed})


def dispatch(references: dict[str, list[str]]) -> list[Schema]:
    """Write one if/then for each definition, on `type`: messages then name the argument."""
    return [
        {
            "if": {"properties": {"type": {"enum": spellings}}, "required": ["type"]},
            "then": {"$ref": f"#/$defs/{target}"},
        }
        for target, spellings in references.items()
    ]


def layer_definitions(spellings: dict[str, list[str]]) -> dict[str, Schema]:
    """Describe every layer class, and the choice among them by `type`."""
    found = public_classes(keras.layers)
    general = {name: names for name, names in spellings.items() if name not in table.RECURRENT}
    typed = {"type": chosen_type(sorted(by_spelling(general)))}
    inner = {
        "type": {"$ref": "#/$defs/layer/properties/type"},
        "input": {"not": {}},
        "mask": {"not": {}},
        "dtype_policy": {
            "description": "write it on the wrapper: both layers have one policy",
            "not": {},
        },
    }
    return {
        "layer": {
            "description": "A layer of the catalogue, its arguments checked by its type.",
            "type": "object",
            "required": ["type", "input"],
            "properties": typed,
            "$ref": "#/$defs/arguments_by_type",
        },
        "inner_layer": {
            "description": "The layer inside of a wrapper; the wrapper has the input.",
            "type": "object",
            "required": ["type"],
            "properties": inner,
            "$ref": "#/$defs/arguments_by_type",
        },
        "steps_layer": {"$ref": RECIPE + "steps_layer"},
        "arguments_by_type": {"allOf": dispatch(general)},
        **{name: definition("layer", name, found[name], spellings[name]) for name in spellings},
    }


def object_spellings(kind: str) -> dict[str, list[str]]:
    """Find every spelling of each class: its name, and the names that Keras's `get` knows."""
    module = KINDS[kind]
    found = public_classes(module)
    for name in table.CLASSES_LEFT_OUT[kind]:
        del found[name]
    if kind == "learning_rate_schedule":
        return {name: [name, snake_case(name)] for name in found}
    own = {
        name: sorted({name, snake_case(name), *table.SHORT_NAMES.get(name, ())})
        for name in OWN.get(kind, {})
    }
    by_function = {snake_case(name): name for name in found}
    spellings = {name: {name} for name in found}
    known = vars(sys.modules[module.get.__module__])["ALL_OBJECTS_DICT"]
    for spelling, obj in known.items():
        name = obj.__name__ if inspect.isclass(obj) else by_function.get(obj.__name__, "")
        if name in spellings:
            spellings[name].add(spelling)
    return dict(sorted({**{name: sorted(own) for name, own in spellings.items()}, **own}.items()))


def object_definitions(kind: str, spellings: dict[str, list[str]]) -> dict[str, Schema]:
    """Describe a kind of object: a name, or a mapping with a `type` and that type's arguments."""
    found = {**public_classes(KINDS[kind]), **OWN.get(kind, {})}
    classes = {
        f"{kind}.{name}": definition(kind, name, found[name], names)
        for name, names in spellings.items()
    }
    by_name = [
        spelling
        for name, names in spellings.items()
        if not classes[f"{kind}.{name}"]["required"]
        and name not in table.MAPPING_ONLY.get(kind, set())
        for spelling in names
    ]
    mapping = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": chosen_type(sorted(by_spelling(spellings)))},
        "allOf": dispatch({f"{kind}.{name}": names for name, names in spellings.items()}),
    }
    text = f"A Keras {kind.replace('_', ' ')}"
    if kind == "learning_rate_schedule":
        return {kind: {"description": f"{text}: a mapping with a type.", **mapping}, **classes}
    named = {"if": {"type": "string"}, "then": {"enum": sorted(by_name)}, "else": mapping}
    return {kind: {"description": f"{text}: a name, or a mapping with a type.", **named}, **classes}


def value_definitions() -> dict[str, Schema]:
    """Describe the values that arguments share."""
    plain_values = {name: {"description": d, **schema} for name, (d, schema) in VALUES.items()}
    known = {name for name, value in inspect.getmembers(keras.activations, inspect.isfunction)}
    known -= {"get", "serialize", "deserialize", *table.REFUSED_ACTIVATIONS}
    return {
        **plain_values,
        "activation": {"description": "A Keras activation, by name.", "enum": sorted(known)},
        "learning_rate": {
            "description": "A number above 0, or a schedule.",
            "if": {"type": "object"},
            "then": {"$ref": "#/$defs/learning_rate_schedule"},
            "else": {"$ref": "#/$defs/positive"},
        },
    }


def with_nulls(found: dict[str, Schema]) -> dict[str, Schema]:
    """Add NAME_or_null for each value that some argument refers to under that name."""
    used = set(re.findall(r"#/\$defs/(\w+)_or_null", json.dumps(found)))
    nullable = {
        f"{name}_or_null": {"if": {"type": "null"}, "else": {"$ref": f"#/$defs/{name}"}}
        for name in sorted(used)
    }
    return found | nullable


def catalogue() -> Schema:
    """Put the whole catalogue together."""
    layers = public_classes(keras.layers)
    kept = [name for name in layers if name not in table.REFUSED_LAYERS]
    layer_names = {name: sorted({name, snake_case(name)}) for name in kept}
    objects = {kind: object_spellings(kind) for kind in KINDS}
    found = layer_definitions(layer_names) | value_definitions()
    for kind, spellings in objects.items():
        found |= object_definitions(kind, spellings)
    return {
        "$schema": DIALECT,
        "title": "Keras for recipes",
        "description": "Keras's layers and their arguments. Names, arguments and defaults are read"
        " from Keras; what is said of them is not. Written by generate.py; not by hand.",
        "x-keras-version": ".".join(keras.__version__.split(".")[:2]),
        "x-recurrent-layers": list(table.RECURRENT),
        "x-refused-layers": dict(sorted(table.REFUSED_LAYERS.items())),
        "x-refused-activations": dict(sorted(table.REFUSED_ACTIVATIONS.items())),
        "x-layer-names": by_spelling(layer_names),
        "x-names": {kind: by_spelling(spellings) for kind, spellings in objects.items()},
        "$defs": with_nulls(found),
    }


def by_spelling(spellings: dict[str, list[str]]) -> dict[str, str]:
    """Turn class -> spellings around."""
    return dict(sorted((s, name) for name, names in spellings.items() for s in names))


def published() -> str:
    """Put the schema for editors together, one line for each definition."""
    from lstmgraph.authoring.editor_schema import published_schema

    schema = published_schema()
    head = json.dumps({key: value for key, value in schema.items() if key != "$defs"}, indent=1)
    lines = [f"{json.dumps(name)}: {json.dumps(d)}" for name, d in schema["$defs"].items()]
    return head[:-2] + ',\n "$defs": {\n' + ",\n".join(lines) + "\n }\n}\n"


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    only_compare = parser.parse_args().check
    text = json.dumps(catalogue(), indent=2) + "\n"
    # With the file's name in it, a reference means the same wherever it is read from.
    keep(TARGET, text.replace('"$ref": "#/', f'"$ref": "{TARGET.name}#/'), only_compare)
    keep(EDITORS, published(), only_compare)  # which reads what was just written


def keep(target: Path, text: str, only_compare: bool) -> None:
    """Write a file, or stop where it is not what it should be."""
    if not only_compare:
        target.write_text(text, encoding="ascii")
    elif not target.exists() or target.read_text(encoding="ascii") != text:
        sys.exit(f"{target.name} is out of date: run python schemas/generate.py and commit it")


if __name__ == "__main__":
    main()
