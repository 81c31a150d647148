"""Named arrays to examples, with dtypes, shapes, counts and values checked against the recipe."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import Limit, Need, Needs, fitted
from lstmgraph.data.class_names import LabelReader
from lstmgraph.data.columns import ColumnError
from lstmgraph.data.examples import ExampleSource, example_source
from lstmgraph.data.fields import Coded, Field, Rows
from lstmgraph.data.labels import check_labels
from lstmgraph.data.named import NamedArrays, weights_of
from lstmgraph.data.texts import CODE, Labels, TextArray, each_text, holds_texts, numbered
from lstmgraph.data.values import Scan, scanned, storage_dtype
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.keras_facts.tensors import names_in, with_sizes

if TYPE_CHECKING:
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.texts import Texts
    from lstmgraph.data.values import Array
    from lstmgraph.keras_facts.tensors import Dim

NUMERIC = "biuf"
KINDS = {"O": "Python objects", "U": "text", "S": "bytes", "M": "dates", "m": "spans of time"}
KINDS |= {"c": "complex numbers", "V": "records"}
BY_TARGET = "or weights by target, as `NAME_sample_weight` or a dictionary"
WEIGHT_LIMITS = (Limit(0, None, "a weight cannot be negative"),)


def examples_of_arrays(
    arrays: NamedArrays, needs: Needs, problems: Problems
) -> tuple[ExampleSource, int] | None:
    """Return the examples and their number, or None if a problem was reported."""
    checks = _Checks(needs, problems)
    inputs = {n: checks.field(a, needs.inputs[n], "input") for n, a in arrays.inputs.items()}
    targets = {n: checks.field(a, needs.targets[n], "target") for n, a in arrays.targets.items()}
    weights = {n: checks.weights(a, n, targets) for n, a in arrays.sample_weights.items()}
    checks.scan()
    checks.labels(arrays)
    count = checks.count()
    if problems.errors:
        return None
    input_fields = {n: field for n, field in inputs.items() if field}
    target_fields = {n: field for n, field in targets.items() if field}
    weight_fields = {n: field for n, field in weights.items() if field}
    source = example_source(needs, input_fields, target_fields, weight_fields, checks.labels_of)
    return source, count


class _Checks:
    """Checks the arrays of one part: equal numbers of rows, and one size for each named axis."""

    def __init__(self, needs: Needs, problems: Problems) -> None:
        self.needs, self.problems = needs, problems
        self.counts: dict[str, int] = {}
        self.sizes: dict[str, tuple[int, str]] = {}
        self.sound: list[tuple[Array, Need]] = []
        self.labels_of: dict[str, Labels] = {}

    def field(self, array: Array, need: Need, role: str) -> Field | None:
        """Return the array as a tensor of the model; None if its dtype or shape does not fit."""
        texts: Texts | None = None
        is_mapped = need.dtype == STRING and array.dtype.kind == "U"  # read as it is needed
        if need.dtype == STRING and not is_mapped:
            texts, array = self._as_texts(array, need.name)
        elif role == "target" and need.named and holds_texts(array):
            array = self._as_ids(array, need)
        if texts is None and not is_mapped and not self._is_numeric(array, need.name):
            return None
        self.counts[need.name] = len(array)
        given = array.shape[1:]
        shape = given if need.shape is None else fitted(given, need.shape)
        if shape is None:
            wanted = ", ".join(str(dim) for dim in ("batch", *(need.shape or ())))
            self.problems.add(
                "D203",
                f"'{need.name}' has shape {array.shape}, but the {role} takes ({wanted})",
                self._shape_hint(array, need, role),
            )
            return None
        sizes = tuple(size or 0 for size in shape)
        if role == "input":
            self._bind(need, sizes)
        elif not self._has_known_sizes(array, need):
            return None
        if texts is not None:
            return Coded(Rows(array, sizes, CODE), texts)
        if is_mapped:
            return Rows(array, sizes, storage_dtype(STRING))
        self.sound.append((array, need))
        return Rows(array, sizes, storage_dtype(need.dtype))

    def _as_texts(self, array: Any, name: str) -> tuple[Texts | None, Array]:
        """Return the texts of an array and their numbers in its shape; None if it holds others."""
        if isinstance(array, TextArray):
            return array.texts, array.codes
        try:
            codes, texts = numbered(each_text(array), array.size)
        except (TypeError, UnicodeError) as error:
            kind = KINDS.get(array.dtype.kind, str(array.dtype))
            reason = str(error) if isinstance(error, TypeError) else "holds text that is not UTF-8"
            self.problems.add(
                "D202",
                f"'{name}' {reason if array.dtype.kind in 'OSUT' else f'holds {kind}, not texts'}",
                "give an array of texts",
            )
            return None, np.zeros(0, object)
        return texts, codes.reshape(array.shape)

    def _as_ids(self, array: Any, need: Need) -> Array:
        """Return the ids of the classes that an array of texts names; as given if it cannot."""
        texts, codes = self._as_texts(array, need.name)
        reader, flat = LabelReader(need), codes.reshape(-1)
        if texts is None:
            return codes
        words = [str(word) for word in texts.of(np.arange(len(texts.ends)))]
        try:
            found = reader.read(words, flat.astype(np.int64), 0)
        except ColumnError as error:
            row = (error.row or 0) // max(1, flat.size // max(1, len(codes)))
            self.problems.add("D414", f"'{need.name}', row {row + 1} {error}", error.hint)
            return np.zeros(codes.shape)
        if not need.classes:
            labels = reader.labels()
            steps = max(1, flat.size // max(1, len(codes)))
            rows = tuple((row - 1) // steps + 1 for row in labels.rows)
            self.labels_of[need.name] = Labels(labels.names, rows)
        return found.reshape(codes.shape)

    def weights(self, array: Array, of: str, targets: dict[str, Field | None]) -> Field | None:
        """Return sample weights as a tensor: one for each example or for each of its steps.

        Args:
            array: the weights as given.
            of: the target that they are for, or "" for all.
            targets: the tensors of all targets.
        """
        need = Need(weights_of(of), None, "float32", WEIGHT_LIMITS)
        if not of and self.needs.of_batches:
            output = next(iter(self.needs.of_batches))
            self.problems.add(
                "D205",
                f"'{need.name}' weighs rows, but the loss of '{output}' is one number for a batch",
                "use a loss of rows or steps, or give weights to the other outputs by their names",
            )
        if not self._is_numeric(array, need.name):
            return None
        self.counts[need.name] = len(array)
        self.sound.append((array, need))
        shape = fitted(array.shape[1:], ())
        if shape is not None:
            return Rows(array, (), storage_dtype(need.dtype))
        for name, weighed in self.needs.weighed.items():
            if of not in ("", name):
                continue
            dims, field = weighed or (), targets.get(name)
            if field and array.shape[1:] != field.shape[: len(dims)]:
                wanted = ", ".join(str(size) for size in ("batch", *field.shape[: len(dims)]))
                self.problems.add(
                    "D203",
                    f"'{need.name}' has shape {array.shape}, but the loss of '{name}' takes "
                    f"({wanted})",
                    f"give one weight for each example{', or one for each time step' * bool(dims)}"
                    + ("" if of or len(self.needs.weighed) < 2 else f", {BY_TARGET}"),
                )
        return Rows(array, array.shape[1:], storage_dtype(need.dtype))

    def _is_numeric(self, array: Array, name: str) -> bool:
        if array.dtype.kind not in NUMERIC:
            kind = KINDS.get(array.dtype.kind, str(array.dtype))
            hint = "convert it to numbers"
            if kind == "text":
                hint += ", or declare the input with `dtype: string`"
            self.problems.add("D202", f"'{name}' holds {kind}, not numbers", hint)
        elif array.ndim == 0:
            self.problems.add(
                "D203",
                f"'{name}' is a single number",
                "give an array with one row for each example",
            )
        else:
            return True
        return False

    def _bind(self, need: Need, shape: tuple[int, ...]) -> None:
        for dim, size in zip(need.shape or (), shape, strict=True):
            if not isinstance(dim, str):
                continue
            known, other = self.sizes.setdefault(dim, (size, need.name))
            if known != size:
                self.problems.add(
                    "D203",
                    f"'{dim}' is {size} in '{need.name}' and {known} in '{other}'",
                    "axes with the same name in the recipe's shapes must have the same size",
                )

    def _has_known_sizes(self, array: Array, need: Need) -> bool:
        """Return whether a target has the sizes that its output has with these inputs."""
        if need.shape is None:
            return True
        known = {dim: size for dim, (size, _) in self.sizes.items()}
        wanted = with_sizes(need.shape, known)
        if fitted(array.shape[1:], wanted) is not None:
            return True
        name = next(name for dim in need.shape for name in sorted(names_in(dim)) if name in known)
        self.problems.add(
            "D203",
            f"'{need.name}' has shape {array.shape}, but the output has "
            f"({', '.join(str(dim) for dim in ('batch', *wanted))}) with these inputs",
            f"'{name}' is {known[name]} in '{self.sizes[name][1]}'; give the target the steps of "
            "its output, or the input those of the target",
        )
        return False

    def _shape_hint(self, array: Array, need: Need, role: str) -> str:
        rank = 1 + len(need.shape or ())
        if role == "target" and need.dtype != "int32" and array.dtype.kind in "iu":
            return "if these are class ids, use `loss: sparse_categorical_crossentropy`"
        if role == "target" and need.dtype == "int32" and array.ndim == rank + 1:
            return "if these are one-hot classes, use `loss: categorical_crossentropy`"
        if need.time_major:
            return "put examples on the first axis; each batch is transposed for a time-major input"
        return _axes_hint(array.shape[1:], need.shape or ())

    def scan(self) -> None:
        """Check every value of the arrays that have the right shape, and report the wrong ones."""
        sizes = {dim: size for dim, (size, _) in self.sizes.items()}
        for array, need in self.sound:
            limits = need.limits_with(sizes)
            scan = scanned(array, Scan(storage_dtype(need.dtype), limits))
            scan.report(self.problems, f"'{need.name}'", partial(_place, need.name))

    def labels(self, arrays: NamedArrays) -> None:
        """Report rows with fewer steps than CTC needs for their labels, if all else is right."""
        if self.problems.errors:
            return
        for name, labels in arrays.targets.items():
            steps = self.needs.targets[name].steps
            size = self.sizes.get(steps, (None,))[0] if isinstance(steps, str) else steps
            lengths = arrays.inputs.get(self.needs.lengths.get(name, ""))
            if labels.ndim == 2 and steps is not None:
                if lengths is not None and len(lengths) == len(labels):
                    check_labels(name, labels, np.reshape(lengths, -1), self.problems)
                elif size is not None:
                    check_labels(name, labels, np.array([size]), self.problems)

    def count(self) -> int:
        """Return the number of examples; report arrays of different lengths, and no examples."""
        if not self.counts:
            return 0
        first, count = next(iter(self.counts.items()))
        for name, other in self.counts.items():
            if other != count:
                self.problems.add(
                    "D204",
                    f"'{name}' has {other:,} examples, but '{first}' has {count:,}",
                    "all arrays must have the same number of rows, one for each example",
                )
        if not count:
            self.problems.add(
                "D106", "there are no examples", "give data with at least one example"
            )
        return count


def _axes_hint(given: tuple[int, ...], shape: tuple[Dim, ...]) -> str:
    """Return which axis does not fit, of an array of `given` apart from its examples."""
    if len(given) == len(shape):
        if len(given) > 1 and fitted((*given[:-2], given[-1], given[-2]), shape) is not None:
            return "the last two axes look swapped: transpose them"
        odd = [i for i, dim in enumerate(shape) if isinstance(dim, int) and dim != given[i]]
        if len(odd) == 1:
            axis, dim = odd[0], shape[odd[0]]
            here = (
                f"{given[axis]} features" if axis + 1 == len(shape) else f"a size of {given[axis]}"
            )
            return f"axis {axis + 1} has {here}, the recipe has {dim}: change the data or the shape"
    return "the first axis is the examples; axes of size 1 may be left out"


def _place(name: str, place: tuple[int, ...]) -> str:
    return f"{name}{list(place)}"
