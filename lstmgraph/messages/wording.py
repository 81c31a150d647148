"""Wording of messages: suggested names, values as a recipe shows them, and how to write them."""

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

BEGINNING = "begin with `recipe: 1`; `lstmgraph schema` prints what may follow"
"""The help for a text that is no recipe at all."""

KERAS_KEY_HINTS: Mapping[str, str] = {
    "use_cudnn": "write `kernel:` under `runtime:`; `explain` says which kernel a layer can run on",
    "return_state": "refer to a state where it is needed, such as `NAME.state.h`",
    "return_attention_scores": "refer to the scores where they are needed: `NAME.scores`",
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
    "learning_rate": "write `learning_rates: {NAME: 1e-4}` under `training:`",
    "class_weight": "write it under `training:`",
    "weights": "`embeddings: {from: vectors.npy}` begins an `embedding` with a file, "
    "`lstmgraph train --weights FILE` a model",
    "cells": "write `type: rnn`, which has cells",
    "batch_first": "the batch comes first; if time comes first in an input, write "
    "`time_major: true` there",
}
"""Keras arguments that a recipe writes in another way, and how."""


_WITH_DATA = (
    "sample weights come with the data: an array `sample_weight`, or that key under `data:`"
)
_CALLBACK = "write it under `callbacks:`"
TRAINING_KEY_HINTS: Mapping[str, str] = {
    "sample_weight": _WITH_DATA,
    "sample_weights": _WITH_DATA,
    "weights": "name a file of weights with `lstmgraph train --weights FILE`",
    "freeze": "write `trainable: false` in each layer",
    "frozen": "write `trainable: false` in each layer",
    "trainable": "write it in each layer",
    "validation_split": "write `split: {validation: 0.2}` under `data:`",
    "validation_data": "name the data with `lstmgraph train --validation DATA`",
    "learning_rate": "write it in `optimizer:`, such as `{type: adam, learning_rate: 1e-3}`; "
    "`learning_rates:` is for single layers",
    "early_stopping": _CALLBACK,
    "reduce_lr_on_plateau": _CALLBACK,
    "checkpoint": _CALLBACK,
    "tensorboard": _CALLBACK,
}
"""What people write under `training:`, and how a recipe says it."""


KEY_MEANT: Mapping[str, str] = {"inputs": "input", "units": "cells", "loop": "input"}
"""The key that a layer needs where an unknown one stands: Keras's name of it, or a loop's."""


EXCLUDED_BY: Mapping[str, str] = {
    "depth": "units",
    "steps": "static",
    "horizon": "history",
    "stride": "history",
    "validation": "folds",
}
"""Keys that have no meaning next to another key, and that other key."""


_USUAL_WORDS: Mapping[str, str] = {
    "int32": "int integer",
    "float32": "float",
    "float64": "double",
    "float16": "half",
    "bool": "boolean",
    "learning_rate": "lr",
    "units": "hiddensize",
    "validation": "val valid dev",
    "depth": "numlayers",
    "sparse_categorical_crossentropy": "ce scce nll crossentropy softmaxcrossentropy",
    "categorical_crossentropy": "cce",
    "binary_crossentropy": "binaryce logloss sigmoidcrossentropy bcewithlogits",
    "binary_focal_crossentropy": "focal",
    "root_mean_squared_error": "rmse",
    "mae": "l1",
    "mse": "l2 rmse",
    "huber": "smoothl1",
    "kl_divergence": "kl kld kldiv",
    "poisson": "poissonnll",
    "cosine_similarity": "cosine",
    "accuracy": "acc",
    "auc": "auroc aucroc rocauc",
    "f1_score": "f1 dice",
    "f_beta_score": "fbeta",
    "io_u": "jaccard",
    "mean_io_u": "miou",
    "recall": "sensitivity tpr",
    "specificity_at_sensitivity": "specificity tnr",
    "true_positives": "tp",
    "true_negatives": "tn",
    "false_positives": "fp",
    "false_negatives": "fn",
    "r2_score": "r2",
    "pearson_correlation": "pearson pearsonr",
    "concordance_correlation": "ccc",
    "top_k_categorical_accuracy": "topk top5 top5accuracy",
    "dense": "linear fc fullyconnected mlp",
    "conv1d": "conv conv1",
    "conv2d": "conv2",
    "conv3d": "conv3",
    "max_pooling1d": "maxpool maxpool1d",
    "max_pooling2d": "maxpool2d",
    "average_pooling1d": "avgpool avgpool1d",
    "average_pooling2d": "avgpool2d",
    "global_average_pooling1d": "gap globalavgpool globalaveragepooling",
    "global_max_pooling1d": "gmp globalmaxpool globalmaxpooling",
    "up_sampling1d": "upsample upsampling",
    "concatenate": "concat cat",
    "add": "sum",
    "multi_head_attention": "mha selfattention",
    "additive_attention": "bahdanau bahdanauattention",
    "attention": "luong luongattention",
    "embedding": "embed",
    "batch_normalization": "bn batchnorm",
    "layer_normalization": "ln layernorm",
    "lstm": "bilstm blstm",
    "gru": "bigru",
    "simple_rnn": "birnn elman",
    "leaky_relu": "lrelu",
    "sigmoid": "logistic",
    "linear": "none identity",
    "glorot_uniform": "xavier xavieruniform glorot",
    "glorot_normal": "xaviernormal",
    "he_uniform": "he kaiming kaiminguniform",
    "he_normal": "kaimingnormal",
    "random_normal": "gaussian",
    "l1": "lasso",
    "l2": "ridge weightdecay",
    "l1l2": "elasticnet",
    "sgd": "sgdm momentum nesterov",
    "cosine_decay": "cosine cosineannealing",
    "piecewise_constant_decay": "step steplr",
}
"""Words of other tools, without underscores, by the recipe's word."""


WORDS_OF_YAML_1_1 = {"yes", "no", "on", "off", "y", "n"}


_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Forms:
    """The forms of a mapping, one for each of several keys, that define the same thing."""

    what: str
    """What the mapping defines: ``which steps count``."""
    keys: tuple[str, ...]
    """The keys that tell the forms apart."""
    ways: str
    """The forms as a message lists them."""


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
"""The alternative forms of a value, by the title of the form that the schema tries last."""


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


LONGEST_REPEATED = 60
"""The longest text of a recipe that a help repeats: a value can have megabytes."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'units'?`` for the nearest known word, "" if none is near."""
    return suggested(nearest(word, known))


def suggested(near: str | PurePath | None) -> str:
    """Return ``; did you mean 'units'?`` for `near`, "" for None."""
    return f"; did you mean '{near}'?" if near else ""


def not_among(what: str, name: str, known: Collection[str]) -> str:
    """Return ``there is no model 'stpe'; did you mean 'step'? There are: step, encoder``."""
    near = did_you_mean(name, known)
    return f"there is no {what} '{name}'{f'{near} There' if near else '; there'} are: {few(known)}"


MOST_GUESSES = 100
"""The most unknown names of one recipe or file that get a suggestion, which is slow to find."""
MOST_COMPARED = 1000
"""The most known words to compare a word with; of more, those with the same first letter."""


@dataclass
class Guesses:
    """Suggestions for the first unknown names of a recipe; the rest get none."""

    left: int = MOST_GUESSES

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """Return what the function ``nearest`` returns, or None after the first names."""
        self.left -= 1
        return nearest(word, known) if self.left >= 0 else None

    def did_you_mean(self, word: str, known: Iterable[str]) -> str:
        """Return what the function ``did_you_mean`` returns, or "" after the first names."""
        return suggested(self.nearest(word, known))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is probably a misspelling of; None if none is near."""
    words = {name.lower(): name for name in known}
    if len(words) > MOST_COMPARED:
        start, size = word[:1].lower(), len(word)
        similar = ((k, v) for k, v in words.items() if k[:1] == start and abs(len(k) - size) < 3)
        words = dict(islice(similar, MOST_COMPARED))
    near = _same_word(word, words) or _longer(word, words)
    if near is None:
        near = next(iter(get_close_matches(word.lower(), words, n=1)), None)
    return words[near] if near else None


def _same_word(word: str, words: Iterable[str]) -> str | None:
    """Return the known word that is `word` but for underscores and case, or of another tool."""
    squashed = {_squashed(name): name for name in words}
    whole = _squashed(word)
    keys = (whole, *(whole.removesuffix(end) for end in ("loss", "score", "layer")))
    same = next((squashed[key] for key in keys if key in squashed), None)
    return same or next((n for key in keys for n in _usual(key) if n in squashed.values()), None)


def _usual(word: str) -> list[str]:
    """Return the recipe's words for a word of another tool."""
    return [name for name, others in _USUAL_WORDS.items() if word in others.split()]


def _longer(word: str, words: Iterable[str]) -> str | None:
    """Return the shortest known word that has all parts of `word`, in its order.

    That is ``sparse_categorical_accuracy`` for ``sparse_accuracy`` or ``sparse_acc``. A word of one
    part, such as ``float16``, must be the end of only one known word, such as ``mixed_float16``.
    """
    *parts, last = word.lower().split("_")
    if not parts:
        ending = [name for name in words if name.endswith(f"_{last}")]
        return ending[0] if len(ending) == 1 else None
    for end in (last, *_usual(last)):
        wanted = [*parts, *end.split("_")]
        longer = [name for name in words if _has_in_order(name.split("_"), wanted)]
        if longer:
            return min(longer, key=len)
    return None


def _has_in_order(several: Iterable[str], parts: Iterable[str]) -> bool:
    rest = iter(several)
    return all(part in rest for part in parts)


def _squashed(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Return metrics on one line: ``loss 0.5123, mae 0.2``."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def type_hint(value: Any, kinds: list[str], schema: Any) -> str | None:
    """Return how to write `value` in one of the expected types."""
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return f"write {int(value)}"
    if isinstance(value, str) and len(value) > LONGEST_REPEATED:
        value = "..."
    if isinstance(value, str) and {"integer", "number"} & set(kinds):
        plain = value.strip().replace("_", "")
        if _NUMBER.fullmatch(plain):
            return f"write {plain}, without quotes or underscores"
    if isinstance(value, str) and "boolean" in kinds:
        if value.lower() in WORDS_OF_YAML_1_1:
            return boolean_hint(value)
        return "write true or false, without quotes"
    takes_lists = "array" in kinds and not {"integer", "object"} & set(kinds)
    if takes_lists and isinstance(value, str | int | float):
        return f"write a list: [{plain_text(value)}]"
    hint = _mapping_hint(value, schema) if kinds == ["object"] else None
    if isinstance(value, str) and {"array", "object"} <= set(kinds):
        hint = _in_example(value, schema.get("examples", []))
    if hint:
        return hint
    if schema.get("examples"):
        return (
            f"write a value such as {' or '.join(flow(example) for example in schema['examples'])}"
        )
    return f"write {' or '.join(_KIND_EXAMPLES[kind] for kind in kinds)}"


def _in_example(value: str, examples: Sequence[Any]) -> str | None:
    """Return how to write `value` as the list or the mapping that an example is."""
    for example in examples:
        if isinstance(example, list) and isinstance(example[0], str):
            return f"write [{value}]"
        if isinstance(example, dict) and isinstance(next(iter(example.values())), str):
            return f"write {{{next(iter(example))}: {value}}}"
    return None


def _mapping_hint(value: Any, schema: Any) -> str | None:
    """Return how to write `value` as the mapping of `schema`."""
    names = schema.get("properties", {}).get("type", {}).get("enum")
    required = schema.get("required")
    if names and isinstance(value, str):
        return f"write {{type: {value if value in names else names[-1]}}}"
    if names and "l2" in names:
        return "write a name, such as l2, or {type: l2, l2: 0.01}"
    if names:
        return f"write a name, such as {names[-1]}, or {{type: {names[-1]}, ...}}"
    if isinstance(value, list):
        return "write `key: value` pairs, without dashes or brackets"
    if required and isinstance(value, str):
        others = "".join(f", {key}: ..." for key in required[1:])
        return f"write {{{required[0]}: {value}{others}}}"
    return f"write keys below it, such as `{required[0]}:`" if required else None


def boolean_hint(word: str) -> str:
    """Return what to write instead of ``yes`` or ``off``."""
    return f"YAML 1.2 reads {word} as text; write true or false"


def named(path: Path) -> str:
    """Return the last key of a path, as in ``'units'`` or ``entry 1 of 'units'``."""
    if not path:
        return "the recipe"
    keys = [part for part in path if isinstance(part, str)]
    if isinstance(path[-1], int) and keys:
        return f"entry {path[-1] + 1} of '{keys[-1]}'"
    return f"'{path[-1]}'"


def shown(value: Any) -> str:
    """Return a value as a message shows it: ``'64'`` for text, ``64`` for a number, ``a list``."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return f"'{text}'"
    return plain_text(value)


def flow(value: Any) -> str:
    """Return a value as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def plain_text(value: Any) -> str:
    """Return a scalar as YAML writes it: ``true``, ``null``."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def counted(number: int, one: str, several: str = "") -> str:
    """Return ``1 input`` or ``2 inputs``; `several` is the plural, by default `one` with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def with_article(name: str) -> str:
    """Return a name with its article, as it is spoken: ``an int``, ``an LSTM``, ``a GRU``."""
    is_spelled = name[:2].isupper()
    vowels = "AEFHILMNORSX" if is_spelled else "AEIOaeio"
    return f"{'an' if name[:1] in vowels else 'a'} {name}"


def shortened(text: str, longest: int) -> str:
    """Return `text` cut in the middle to `longest` characters, as names differ at the ends."""
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]}…{text[head + 1 - longest :]}"


def listed(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, or ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


MOST_NAMES = 30
"""The most names that a message lists: a recipe or a data file can have thousands."""


def few(names: Collection[str]) -> str:
    """Return ``a, b, c``: the first 30 names, and the number of the rest."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(islice(names, MOST_NAMES))} and {len(names) - MOST_NAMES:,} more"


_WITH_SECTIONS = ("data", "models")
"""The sections that have `inputs` and `outputs` of their own."""


def section_with(key: str, recipe: Mapping[str, Any]) -> str | None:
    """Return the section that holds the missing section `key` because of wrong indentation."""
    sections = {k: v for k, v in recipe.items() if k not in _WITH_SECTIONS and isinstance(v, dict)}
    return next((name for name, section in sections.items() if key in section), None)
