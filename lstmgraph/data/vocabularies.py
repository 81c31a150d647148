"""Ids of texts and categories in plain NumPy, equal to those of Keras's layers.

ONNX and LiteRT hold no texts. Their files begin behind the lookups, and what these need is written
beside the file, as JSON. ``ids_of`` reads it and makes the file's inputs from the recipe's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.problems import DataError, DataProblem
from lstmgraph.data.texts import each_text
from lstmgraph.files import read_regular_file
from lstmgraph.keras_facts.layers.lookups import INT, LOOKUPS, own_words, special_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.data.values import Array

VERSION = 1
MOST_VALUES, MOST_BYTES = 50_000, 2 << 20
"""The most words and numbers that a layer learns, and the bytes of all its words. They are part of
the recipe then, whose text has limits (20,000 words take two seconds to load)."""
PUNCTUATION = re.compile(r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']")
"""What Keras strips: ASCII's punctuation alone."""
SPACES = re.compile("[ \t\n\v\f\r]+")
"""What TensorFlow splits at: ASCII's white space alone."""
UPPER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
"""TensorFlow lowers ASCII letters alone."""


@dataclass(frozen=True)
class Lookup:
    """A layer with a vocabulary: its class in Keras, and all its arguments."""

    op: str
    arguments: Mapping[str, Any]

    def of(self, values: Array) -> Array:
        """Return what the layer gives for `values`: texts, or whole numbers for IntegerLookup.

        Shapes and dtypes are those of the layer: int64 ids, float32 for the other modes.
        """
        mode = self.arguments["output_mode"]
        if self.op == "TextVectorization":
            rows = [self._ids(entries) for entries in self._entries(values)]
            if mode == INT:
                return _padded(rows, self.arguments["output_sequence_length"])
            return self._encoded(rows)
        given = list(each_text(values)) if self.op == "StringLookup" else values.reshape(-1)
        ids = self._ids(given).reshape(values.shape)
        if mode == INT:
            return ids
        if mode != "one_hot":
            return self._encoded(list(ids))
        is_single = ids.ndim > 1 and ids.shape[-1] == 1
        ids = ids.reshape(ids.shape[:-1]) if is_single else ids
        found: Array = (ids[..., None] == np.arange(self._depth)).astype("float32")
        return found

    def _entries(self, values: Array) -> Iterator[Sequence[str]]:
        """Yield the words, characters or n-grams of each text."""
        split, widths = self.arguments["split"], self.arguments["ngrams"]
        rows = len(values)
        texts = [self._standardized(text) for text in each_text(values)]
        if split is None:
            size = len(texts) // max(1, rows)
            entries: list[list[str]] = [texts[i * size : (i + 1) * size] for i in range(rows)]
        elif split == "character":
            entries = [list(text) for text in texts]
        else:
            entries = [[word for word in SPACES.split(text) if word] for text in texts]
        if widths is None:
            yield from entries
            return
        widths = range(1, widths + 1) if isinstance(widths, int) else widths
        for words in entries:
            starts = ((width, at) for width in widths for at in range(len(words) - width + 1))
            yield [" ".join(words[at : at + width]) for width, at in starts]

    def _standardized(self, text: str) -> str:
        how = self.arguments["standardize"] or ""
        if "lower" in how:
            text = text.translate(UPPER)
        return PUNCTUATION.sub("", text) if "punctuation" in how else text

    def _ids(self, values: Sequence[Any] | Array) -> Array:
        """Return the ids of values, (values,) int64."""
        table, unknown = self._table, self._unknown
        return np.array([table.get(v, unknown(v)) for v in _plain(values)], np.int64)

    @property
    def _table(self) -> dict[Any, int]:
        words = own_words(self.op, self.arguments)
        first = special_count(self.op, self.arguments)
        table = {word: number for number, word in enumerate(words, start=first)}
        mask = "" if self.op == "TextVectorization" else self.arguments["mask_token"]
        if mask is not None:  # other modes leave padding out
            table[mask] = 0 if self.arguments["output_mode"] == INT else -1
        return table

    def _unknown(self, value: Any) -> int:
        count = int(self.arguments.get("num_oov_indices", 1))
        first = special_count(self.op, self.arguments) - count
        if not count:
            raise ValueError(f"{value!r} is not in the vocabulary, which has no id for others")
        return first if count == 1 else first + int(value) % count

    @property
    def _depth(self) -> int:
        if self.arguments["pad_to_max_tokens"]:
            return int(self.arguments["max_tokens"])
        own = own_words(self.op, self.arguments)
        return special_count(self.op, self.arguments) + len(own)

    def _encoded(self, rows: Sequence[Array]) -> Array:
        """Return how often each id occurs in each row, (rows, ids), as the mode writes it."""
        counts = np.zeros((len(rows), self._depth), "float32")
        for row, ids in enumerate(rows):
            np.add.at(counts[row], ids[ids >= 0], 1)
        mode = self.arguments["output_mode"]
        if mode == "multi_hot":
            return np.minimum(counts, 1)
        return counts * self._idf if mode == "tf_idf" else counts

    @property
    def _idf(self) -> Array:
        """Return the weight of each id; unknown words have the mean weight, as in Keras."""
        given = np.array(self.arguments["idf_weights"], "float32")
        first = special_count(self.op, self.arguments)
        weights = np.zeros(self._depth, "float32")
        if len(given) == len(own_words(self.op, self.arguments)):
            weights[:first] = np.average(given)
            weights[first : first + len(given)] = given
        else:  # the vocabulary is listed with its unknown value
            weights[: len(given)] = given
        return weights


def _plain(values: Sequence[Any] | Array) -> Sequence[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _padded(rows: Sequence[Array], length: int) -> Array:
    found = np.zeros((len(rows), length), np.int64)
    for row, ids in enumerate(rows):
        found[row, : len(ids)] = ids[:length]
    return found


@dataclass(frozen=True)
class Prepared:
    """What makes an input of a file: the recipe's input, and the layers that it goes through."""

    source: str
    lookups: tuple[Lookup, ...]

    def of(self, values: Array) -> Array:
        """Return the values of the file's input for those of the recipe's."""
        for lookup in self.lookups:
            values = lookup.of(values)
        return values


def prepared(inputs: Mapping[str, Any], makers: Mapping[str, Prepared]) -> dict[str, Any]:
    """Return the inputs of a file for those of the recipe, by name.

    Args:
        inputs: arrays by the recipe's names, (rows, ...) each.
        makers: what makes the file's inputs that are not the recipe's.
    """
    sources = {maker.source for maker in makers.values()}
    own = {name: array for name, array in inputs.items() if name not in sources}
    return own | {
        name: maker.of(np.asarray(inputs[maker.source])) for name, maker in makers.items()
    }


def ids_of(file: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of an ONNX or LiteRT file for those of its recipe, by name.

    Args:
        file: the JSON file beside it, which ``lstmgraph export`` wrote.
        inputs: arrays by the recipe's names, texts among them.

    Raises:
        ValueError: `file` is not such a file.
        OSError: it cannot be read.
    """
    return prepared(inputs, read_vocabularies(file))


def read_vocabularies(file: Path) -> dict[str, Prepared]:
    """Return what a file beside a model says of the model's inputs.

    Raises:
        ValueError: it is not such a file.
        OSError: it cannot be read.
    """
    try:
        given = json.loads(read_regular_file(file))
        if given["vocabularies"] != VERSION:
            raise ValueError("it has another version")
        return {
            name: Prepared(
                entry["input"],
                tuple(Lookup(each["type"], each["arguments"]) for each in entry["layers"]),
            )
            for name, entry in given["inputs"].items()
        }
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise ValueError(f"{file} does not hold vocabularies: {error}") from None


def vocabularies_json(makers: Mapping[str, Prepared]) -> str:
    """Return the text of the file that ``read_vocabularies`` reads."""
    inputs = {
        name: {
            "input": maker.source,
            "layers": [{"type": each.op, "arguments": each.arguments} for each in maker.lookups],
        }
        for name, maker in makers.items()
    }
    return json.dumps({"vocabularies": VERSION, "inputs": inputs}, ensure_ascii=False, indent=1)


def makers_of(graph: Graph) -> dict[str, Prepared]:
    """Return, for each lookup that another layer or an output reads, what makes its values.

    Raises:
        LookupError: the node, its argument ``node``, cannot be computed outside of TensorFlow.
    """
    chains: dict[str, Prepared] = {}
    for node in graph.nodes:
        if node.op in LOOKUPS:
            chains[node.name] = _chained(node, graph, chains)
    used = graph.used_ports()
    inside = {
        port.node
        for node in graph.nodes
        if node.op in LOOKUPS
        for port in node.inputs
        if port.node in chains
    }
    read = {port.node for node in graph.nodes if node.op not in LOOKUPS for port in node.inputs}
    read |= {port.node for port in graph.outputs.values()}
    names = {port.node for port in used} & chains.keys()
    return {
        name: chains[name]
        for name in chains
        if name in names and (name not in inside or name in read)
    }


def _chained(node: Node, graph: Graph, chains: Mapping[str, Prepared]) -> Prepared:
    source = node.inputs[0].node
    own = Lookup(node.op, node.arguments)
    if source in graph.inputs:
        return Prepared(source, (own,))
    if source in chains:
        return Prepared(chains[source].source, (*chains[source].lookups, own))
    raise LookupError(node)


def nothing_found(layer: str, what: str) -> DataError:
    """Return the error of a layer that finds nothing to learn in the training part."""
    hint = "check the column, or how the data is split"
    problem = DataProblem("D413", f"'{layer}' finds {what}", "the training part", hint)
    return DataError([problem])


def refuse_too_many(layer: str, found: Mapping[str, Any]) -> None:
    """Check that what a layer has learned fits into a recipe.

    Raises:
        DataError: it does not (D417).
    """
    words = found.get("vocabulary", [])
    size = sum(len(str(word).encode()) for word in words)
    if len(words) + len(found.get("idf_weights", [])) > MOST_VALUES or size > MOST_BYTES:
        message = f"'{layer}' finds {len(words):,} values of {size:,} bytes"
        hint = f"write `max_tokens:`, so that at most {MOST_VALUES:,} values are learned"
        raise DataError([DataProblem("D417", message, "the training part", hint)])
