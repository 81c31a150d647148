"""Titles, sentences and examples for what `generate.py` writes, from the tables beside it."""

import re
import sys
from typing import Any

import catalogue_texts as texts
from catalogue_classes import LAYERS, OBJECTS
from catalogue_types import Schema


def title(argument: str) -> str:
    """Turn `kernel_size` into `Kernel size`."""
    words = [texts.TITLE_WORDS.get(word, word) for word in argument.split("_")]
    return words[0][0].upper() + " ".join(words)[1:]


def class_sentence(kind: str, name: str) -> str:
    """Say what a class is for."""
    known = LAYERS if kind == "layer" else OBJECTS[kind]
    if name not in known:
        sys.exit(f"{kind} {name}: say in catalogue_classes.py what it is for")
    return known[name]


def argument_texts(kind: str, name: str, argument: str) -> Schema:
    """Give the title and the description of one argument."""
    known = texts.LAYER_ARGUMENTS if kind == "layer" else texts.OBJECT_ARGUMENTS[kind]
    sentence = known.get(f"{name}.{argument}", known.get(argument)) or _of_weight(argument)
    if sentence is None:
        sys.exit(f"{kind} {name}.{argument}: say in catalogue_texts.py what it does")
    return {"title": title(argument), "description": sentence}


def _of_weight(argument: str) -> str | None:
    weight, _, what = argument.rpartition("_")
    if what not in texts.OF_WEIGHTS or weight not in texts.WEIGHTS:
        return None
    return texts.OF_WEIGHTS[what].format(weight=texts.WEIGHTS[weight])


def examples(argument: str, schema: Schema) -> Schema:
    """Give examples of an argument, where its default does not show a value already."""
    if schema.get("default") is not None or schema.get("type") == "boolean":
        return {}
    value = re.sub(r"_or_null$", "", schema.get("$ref", "").rpartition("/")[2])
    found: list[Any] = texts.ARGUMENT_EXAMPLES.get(argument) or texts.VALUE_EXAMPLES.get(value, [])
    return {"examples": found} if found else {}
