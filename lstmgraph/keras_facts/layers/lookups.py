"""Rules of layers that write texts, categories and numbers as ids, or as vectors of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    is_float,
    require_positive,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STRING = "string"
LOOKUPS = frozenset({"StringLookup", "IntegerLookup", "TextVectorization"})
"""Layers with a vocabulary."""
OF_TEXTS = frozenset({"StringLookup", "TextVectorization", "Hashing"})
"""Layers that take inputs of ``dtype: string``."""
OF_VALUES = frozenset({"StringLookup", "IntegerLookup", "Hashing", "Discretization"})
"""Layers that write each value by itself, if their `output_mode` is int or one_hot."""
TENSORFLOW_ONLY = LOOKUPS | {"Hashing"}
"""Layers that run on TensorFlow alone, on the CPU, and not under XLA."""
FITTED: Mapping[str, str] = {
    **dict.fromkeys(LOOKUPS, "vocabulary"),
    "Discretization": "bin_boundaries",
    "Normalization": "mean",
}
"""Layers that training fits (Keras's ``adapt``), and the argument without which it does."""
INT = "int"


def needs_fitting(op: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether the numbers or words of a layer are still to be found in training data."""
    return op in FITTED and arguments.get(FITTED[op]) is None


def id_count(op: str, arguments: Mapping[str, Any]) -> int | None:
    """Return how many ids a layer gives, from 0 on; None if that is not known."""
    if arguments.get("output_mode", INT) != INT:
        return None
    if op == "Hashing":
        return int(arguments["num_bins"])
    if op == "Discretization":
        boundaries = arguments["bin_boundaries"]
        return int(arguments["num_bins"]) if boundaries is None else len(boundaries) + 1
    if op not in LOOKUPS:
        return None
    words = arguments["vocabulary"]
    limit: int | None = arguments["max_tokens"]
    return limit if words is None else special_count(op, arguments) + len(own_words(op, arguments))


def special_count(op: str, arguments: Mapping[str, Any]) -> int:
    """Return the number of ids before those of the vocabulary: padding and unknown values."""
    unknown = 1 if op == "TextVectorization" else int(arguments["num_oov_indices"])
    return unknown + (_mask_token(op, arguments) is not None and arguments["output_mode"] == INT)


def _mask_token(op: str, arguments: Mapping[str, Any]) -> Any:
    return "" if op == "TextVectorization" else arguments["mask_token"]


def own_words(op: str, arguments: Mapping[str, Any]) -> list[Any]:
    """Return the vocabulary without padding and unknown values, which may stand at its start."""
    words = list(arguments["vocabulary"])
    unknown = "[UNK]" if op == "TextVectorization" else arguments["oov_token"]
    specials = special_count(op, arguments)
    padding = [_mask_token(op, arguments)] if arguments["output_mode"] == INT else []
    padding = [word for word in padding if word is not None]
    leading = [*padding, *[unknown] * (specials - len(padding))]
    return words[specials:] if leading and words[:specials] == leading else words


def lookup(call: Call) -> LayerFacts:
    """StringLookup, IntegerLookup: (batch, ...) values -> int64 ids of the same shape.

    ``one_hot`` adds an axis, or replaces one of size 1; the others take (batch, values) and give
    (batch, ids). Keras declares floats there, and computes int64.
    """
    _check_vocabulary(call)
    dtype = call.input.dtype
    if call.layer == "IntegerLookup" and (dtype in (STRING, "bool") or is_float(dtype)):
        raise LayerMistake(
            f"IntegerLookup needs integers, but got {dtype}",
            input=0,
            hint="use string_lookup, or declare the input with `dtype: int64`",
        )
    if call.layer == "StringLookup":
        _require_texts(call)
    if call.arguments["output_mode"] == INT:
        return call.facts(call.input.shape, dtype="int64")
    return _encoded(call, _depth(call))


def text_vectorization(call: Call) -> LayerFacts:
    """TextVectorization: (batch,) texts -> (batch, output_sequence_length) int64 ids.

    In the other modes (batch,) -> (batch, words). Without `split`, (batch, entries) texts.
    """
    _check_vocabulary(call)
    _require_texts(call)
    spec, arguments = call.input, call.arguments
    is_ids = arguments["output_mode"] == INT
    length = arguments["output_sequence_length"]
    if is_ids and length is None:
        raise LayerMistake(
            "TextVectorization needs `output_sequence_length`: otherwise the longest text of a "
            "batch decides, and a batch of empty texts has no steps",
            argument="output_sequence_length",
            hint="write how many words a text may have, such as `output_sequence_length: 200`",
        )
    if not is_ids and length is not None:
        raise LayerMistake(
            f"`output_mode: {arguments['output_mode']}` gives one vector for a text, which has no "
            "steps",
            argument="output_sequence_length",
            hint="remove it, or write `output_mode: int`",
        )
    entries = arguments["split"] is None
    of_column = is_ids and spec.rank == 2 and spec.shape[1] == 1
    if spec.rank != 1 + entries and not of_column:
        wanted = "(batch, entries)" if entries else "(batch,)"
        shape = "[entries]" if entries else "[]"
        raise LayerMistake(
            f"TextVectorization takes {wanted} texts, but got {spec}",
            input=0,
            hint=f"declare the input with `shape: {shape}`",
        )
    if is_ids:
        return call.facts((spec.shape[0], length), dtype="int64")
    return call.facts((spec.shape[0], _depth(call)), dtype=_float_of(call))


def hashing(call: Call) -> LayerFacts:
    """Hashing: (batch, ...) texts or integers -> int64 bins of the same shape, or encoded."""
    require_positive(call, "num_bins")
    value, dtype = call.arguments["mask_value"], call.input.dtype
    if is_float(dtype) or dtype == "bool":
        raise LayerMistake(
            f"Hashing needs texts or integers, but got {dtype}",
            input=0,
            hint="declare the input with `dtype: string` or `dtype: int64`",
        )
    if value is not None and isinstance(value, str) != (dtype == STRING):
        raise LayerMistake(
            f"Hashing's `mask_value: {value!r}` is none of its inputs, which are {dtype}",
            argument="mask_value",
            hint="write a value of the same kind, or remove it",
        )
    if call.arguments["output_mode"] == INT:
        return call.facts(call.input.shape, dtype="int64")
    spec = call.input
    # Keras declares (batch, bins) for one_hot of (batch, 3), and computes (batch, 3, bins).
    if call.arguments["output_mode"] == "one_hot" and (spec.rank != 2 or spec.shape[1] != 1):
        raise LayerMistake(
            f"Hashing's one_hot takes (batch, 1), but got {spec}",
            input=0,
            hint="reshape the input to (batch, 1), or write `output_mode: int` with a "
            "category_encoding behind it",
        )
    return _encoded(call, call.arguments["num_bins"])


def discretization(call: Call) -> LayerFacts:
    """Discretization: (batch, ...) numbers -> int32 bins of the same shape, or encoded."""
    boundaries, bins = call.arguments["bin_boundaries"], call.arguments["num_bins"]
    if (boundaries is None) == (bins is None):
        raise LayerMistake(
            "Discretization needs either `bin_boundaries` or `num_bins`"
            + ("" if bins is None else ", and not both"),
            argument=None if bins is None else "num_bins",
            hint="write the boundaries, or `num_bins: 10` for boundaries that training finds",
        )
    if boundaries is not None and list(boundaries) != sorted(boundaries):
        raise LayerMistake(
            "the `bin_boundaries` do not rise",
            argument="bin_boundaries",
            hint="sort them from the lowest to the highest",
        )
    if bins is not None and bins < 2:
        raise LayerMistake(
            f"`num_bins: {bins}` tells no numbers apart",
            argument="num_bins",
            hint="write `num_bins: 2` or more",
        )
    if call.input.dtype == "bool":
        raise LayerMistake(
            "Discretization needs numbers, but got bool",
            input=0,
            hint="declare the input with `dtype: float32`",
        )
    if call.arguments["output_mode"] == INT:
        return call.facts(call.input.shape, dtype="int32")
    return _encoded(call, bins if boundaries is None else len(boundaries) + 1)


def _encoded(call: Call, depth: int) -> LayerFacts:
    spec, mode = call.input, call.arguments["output_mode"]
    if mode == "one_hot":
        is_single = spec.rank > 1 and spec.shape[-1] == 1
        shape = (*(spec.shape[:-1] if is_single else spec.shape), depth)
        return call.facts(shape, dtype=_float_of(call))
    if spec.rank != 2:
        # Keras sums (batch,) over the batch, and (batch, a, b) over another axis than it declares.
        raise LayerMistake(
            f"{call.layer}'s {mode} takes (batch, values), but got {spec}",
            input=0,
            hint="reshape the input to (batch, values), or use `output_mode: one_hot`",
        )
    return call.facts((spec.shape[0], depth), dtype=_float_of(call))


def _float_of(call: Call) -> str:
    if call.layer in LOOKUPS:
        return "float64" if call.compute_dtype == "float64" else "float32"
    return call.compute_dtype if call.layer == "Discretization" else "float32"


def _depth(call: Call) -> int:
    """Return the length of the vectors; before fitting, only `pad_to_max_tokens` says it."""
    arguments = call.arguments
    limit, words = arguments["max_tokens"], arguments["vocabulary"]
    if arguments["pad_to_max_tokens"]:
        if limit is None:
            raise LayerMistake(
                "`pad_to_max_tokens` needs `max_tokens`",
                argument="pad_to_max_tokens",
                hint="write `max_tokens:`",
            )
        return int(limit)
    if words is None:
        raise LayerMistake(
            f"the size of the vectors of `output_mode: {arguments['output_mode']}` is not known "
            "before training finds the vocabulary",
            argument="output_mode",
            hint="write `max_tokens:` and `pad_to_max_tokens: true`, or a `vocabulary:`",
        )
    return special_count(call.layer, arguments) + len(own_words(call.layer, arguments))


def _require_texts(call: Call) -> None:
    if call.input.dtype != STRING:
        other = ", or use integer_lookup" if "int" in call.input.dtype else ""
        raise LayerMistake(
            f"{call.layer} needs texts, but got {call.input.dtype}",
            input=0,
            hint=f"declare the input with `dtype: string`{other}",
        )


def _check_vocabulary(call: Call) -> None:
    """Check what Keras checks when it makes the layer, and that idf weights fit the words."""
    arguments, layer = call.arguments, call.layer
    words, weights = arguments["vocabulary"], arguments["idf_weights"]
    is_tf_idf = arguments["output_mode"] == "tf_idf"
    if weights is not None and (words is None or not is_tf_idf):
        raise LayerMistake(
            "`idf_weights` are for a given `vocabulary` with `output_mode: tf_idf`",
            argument="idf_weights",
            hint="remove them, or write both",
        )
    limit = arguments["max_tokens"]
    specials = special_count(layer, arguments)
    if limit is not None and limit <= specials:
        raise LayerMistake(
            f"`max_tokens: {limit}` leaves no id for a word, as {specials} are for padding and "
            "unknown values",
            argument="max_tokens",
            hint=f"write at least {specials + 1}",
        )
    if words is None:
        return
    own = own_words(layer, arguments)
    if not own:
        raise LayerMistake(
            "the vocabulary has no values",
            argument="vocabulary",
            hint="list them, or remove it and let training find them",
        )
    seen: set[Any] = set()
    for word in own:
        if isinstance(word, str) and word.endswith("\0"):
            raise LayerMistake(
                f"the vocabulary has {word!r}, and Keras drops NUL characters at the end of words",
                argument="vocabulary",
                hint="leave it out",
            )
        if word in seen:
            raise LayerMistake(
                f"the vocabulary has {word!r} twice",
                argument="vocabulary",
                hint="list each value once",
            )
        seen.add(word)
    padding = _mask_token(layer, arguments)
    if padding is not None and padding in seen:
        raise LayerMistake(
            f"the vocabulary has {padding!r}, which stands for padding",
            argument="vocabulary",
            hint="leave it out: its id is 0",
        )
    if limit is not None and specials + len(own) > limit:
        raise LayerMistake(
            f"the vocabulary of {len(own)} values and {specials} ids for padding and unknown ones "
            f"are more than `max_tokens: {limit}`",
            argument="max_tokens",
            hint=f"write `max_tokens: {specials + len(own)}`, or leave it out",
        )
    if is_tf_idf and (weights is None or len(weights) != len(words)):
        raise LayerMistake(
            f"tf_idf needs one of the `idf_weights` for each of the {len(words)} words"
            + ("" if weights is None else f", not {len(weights)}"),
            argument="idf_weights" if weights is not None else "vocabulary",
            hint="write both, or leave both out and let training find them",
        )
