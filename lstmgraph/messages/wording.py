"""Words of messages: names that are near, values as a recipe shows them, and how to write them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import PurePath

    from lstmgraph.messages.diagnostics import Path

KERAS_KEYS_SAID_OTHERWISE: Mapping[str, str] = {
    "use_cudnn": "write `kernel:` under `runtime:`; `explain` says which kernel a layer can run on",
    "return_state": "name a state where it is wanted, such as `NAME.state.h`; it is then returned",
    "zero_output_for_mask": "write `padded_output: zero` or `padded_output: hold`",
    "stateful": "write `initial_state: carried`, and `batch_size:` under `runtime:`",
    "name": "the layer's name is the key above it",
    "dtype": "write `dtype_policy:`",
    "implementation": "`kernel:` under `runtime:` chooses the implementation",
    "time_major": "write `time_major: true` on the input",
    "zoneout": "Keras has no zoneout without custom code, which a saved model could not load; "
    "`recurrent_dropout` is the nearest",
    "peephole": "Keras has no peepholes without custom code, which a saved model could not load",
    "use_peepholes": "Keras has no peepholes without custom code, which a saved model could not "
    "load",
    "proj_size": "Keras has no projections inside an LSTM; put a dense layer after it",
    "inputs": "write `input:`",
    "cells": "write `type: rnn`, which has cells",
    "batch_first": "the batch comes first; of an input whose time does, write `time_major: true`",
}
"""Keras arguments that a recipe says in its own words, and how."""


KEY_MEANT: Mapping[str, str] = {"inputs": "input", "units": "cells"}
"""The recipe's key that a key of Keras stands for."""


EXCLUDED_BY: Mapping[str, str] = {
    "depth": "units",
    "steps": "static",
    "horizon": "history",
    "stride": "history",
    "validation": "folds",
}
"""Keys that have no meaning beside another, and the other."""


_USUAL_WORDS: Mapping[str, str] = {
    "int": "int32",
    "integer": "int32",
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "boolean": "bool",
    "lr": "learning_rate",
    "hidden_size": "units",
    "linear": "dense",
    "cross_entropy": "sparse_categorical_crossentropy",
    "num_layers": "depth",
}
"""Words of other tools, and the recipe's."""


WORDS_OF_YAML_1_1 = {"yes", "no", "on", "off", "y", "n"}


_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Forms:
    """Mappings that say one thing in several ways, told apart by a key."""

    what: str
    keys: tuple[str, ...]
    ways: str


_STATE_WAYS = "{inputs: [NAME, NAME]}, {static: [NAME]}, {from: LAYER}"


FORMS: Mapping[str, Forms] = {
    "Mask of another layer": Forms(
        "which steps count",
        ("value", "lengths", "input", "from"),
        "{value: 0.0}, {lengths: NAME}, {input: NAME}, {from: LAYER}",
    ),
    "State from another layer": Forms(
        "where a state comes from", ("inputs", "static", "from"), _STATE_WAYS
    ),
    "h and c apart": Forms(
        "where a state comes from",
        ("inputs", "static", "from", "h", "c"),
        f"{_STATE_WAYS}, {{h: NAME, c: NAME}}",
    ),
}
"""By the title of the form that the schema tries last."""


KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


_KIND_EXAMPLES = {
    "object": "`key: value`, indented below",
    "array": "a list in brackets",
    "string": "a word",
    "integer": "a whole number, such as 64",
    "number": "a number, such as 0.5",
    "boolean": "true or false",
    "null": "null",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?``, or nothing where no known word is near."""
    return suggested(nearest(word, known))


def suggested(near: str | PurePath | None) -> str:
    """``; did you mean 'units'?``, or nothing where nothing is near."""
    return f"; did you mean '{near}'?" if near else ""


MOST_GUESSES = 100
"""Unknown names of one recipe or file for which a near one is looked for: that takes its time."""
MOST_COMPARED = 1000
"""Known words that a word is compared with: of more, those that begin alike."""


@dataclass
class Guesses:
    """``did_you_mean`` for the first unknown names; of the rest, none are guessed."""

    left: int = MOST_GUESSES

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """See the function of this name."""
        self.left -= 1
        return nearest(word, known) if self.left >= 0 else None

    def did_you_mean(self, word: str, known: Iterable[str]) -> str:
        """See the function of this name."""
        return suggested(self.nearest(word, known))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is probably meant to be."""
    words = {each.lower(): each for each in known}
    if len(words) > MOST_COMPARED:
        start, size = word[:1].lower(), len(word)
        alike = ((k, v) for k, v in words.items() if k[:1] == start and abs(len(k) - size) < 3)
        words = dict(islice(alike, MOST_COMPARED))
    meant = _USUAL_WORDS.get(word.lower())
    if meant in words:
        return words[meant]
    # The one word that ends in this one: `float16` means `mixed_float16`.
    longer = [each for each in words if each.endswith(f"_{word.lower()}")]
    near = longer if len(longer) == 1 else get_close_matches(word.lower(), words, n=1)
    return words[near[0]] if near else None


def type_hint(value: Any, kinds: list[str], schema: Any) -> str | None:
    """How the value is written in the type that is wanted."""
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return f"write {int(value)}"
    if isinstance(value, str) and {"integer", "number"} & set(kinds):
        plain = value.strip().replace("_", "")
        if _NUMBER.fullmatch(plain):
            return f"write {plain}, without quotes or underscores"
    if isinstance(value, str) and "boolean" in kinds:
        if value.lower() in WORDS_OF_YAML_1_1:
            return boolean_hint(value)
        return "write true or false, without quotes"
    if "array" in kinds and "integer" not in kinds and isinstance(value, str | int | float):
        return f"write a list: [{plain_text(value)}]"
    names = schema.get("properties", {}).get("type", {}).get("enum")
    if kinds == ["object"] and names:
        if "l2" in names:
            return "write a name, such as l2, or {type: l2, l2: 0.01}"
        return f"write a name, such as {names[-1]}, or {{type: {names[-1]}, ...}}"
    if kinds == ["object"] and isinstance(value, list):
        return "write `key: value` pairs, without dashes or brackets"
    if kinds == ["object"] and schema.get("required"):
        return f"write keys below it, such as `{schema['required'][0]}:`"
    if schema.get("examples"):
        return f"write it like {' or '.join(flow(example) for example in schema['examples'])}"
    return f"write {' or '.join(_KIND_EXAMPLES[kind] for kind in kinds)}"


def boolean_hint(word: str) -> str:
    """What to write instead of ``yes`` or ``off``."""
    return f"YAML 1.2 reads {word} as text; write true or false"


def named(path: Path) -> str:
    """``'units'`` for the last key; an element of a list is named with its list."""
    if not path:
        return "the recipe"
    keys = [part for part in path if isinstance(part, str)]
    if isinstance(path[-1], int) and keys:
        return f"entry {path[-1] + 1} of '{keys[-1]}'"
    return f"'{path[-1]}'"


def shown(value: Any) -> str:
    """``'64'`` for text, ``64`` for a number, ``a list`` for what is too long to show."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return f"'{text}'"
    return plain_text(value)


def flow(value: Any) -> str:
    """A value as it stands in a recipe, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def plain_text(value: Any) -> str:
    """A scalar as YAML has it: ``true``, ``null``."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def counted(number: int, one: str, several: str = "") -> str:
    """``1 input is``, ``2 inputs are``; without `several`, `one` with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters: the middle is left out, as names differ at either end."""
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]}…{text[head + 1 - longest :]}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


MOST_NAMES = 30
"""Names that a message lists: a recipe, or a file of data, can have thousands."""


def few(names: Collection[str]) -> str:
    """``a, b, c``: the first 30 names, and how many more there are."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(islice(names, MOST_NAMES))} and {len(names) - MOST_NAMES:,} more"


_WITH_SECTIONS = ("data", "models")
"""Sections with `inputs` and `outputs` of their own."""


def section_with(key: str, recipe: Mapping[str, Any]) -> str | None:
    """The section that a missing one has slipped into, by its indentation."""
    sections = {k: v for k, v in recipe.items() if k not in _WITH_SECTIONS and isinstance(v, dict)}
    return next((name for name, section in sections.items() if key in section), None)
