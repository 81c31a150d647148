"""Axes that are not what they seem: time, direction, and what is broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.subject import place, recurrence, shape_of, titled
from lstmgraph.interop.auditing.suggestions import input_names, listed_names
from lstmgraph.interop.execution import flat
from lstmgraph.interop.keras_masks import RECURRENT, is_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmgraph.interop.auditing.finding import Sure
    from lstmgraph.interop.auditing.subject import Key, Subject
    from lstmgraph.interop.keras_masks import CallMasks

REPEATS = frozenset({"RepeatVector", "BroadcastTo", "Repeat", "Tile", "Reshape", "ExpandDims"})
"""What gives a static vector a time axis."""
SEQUENCES = frozenset({"Embedding", "Masking", "Conv1D", "TimeDistributed"})


def on_time(subject: Subject) -> Iterator[Finding]:
    """Find static features that are joined along time (A131)."""
    for each in subject.calls:
        if each.layer.type != "Concatenate":
            continue
        keys = subject.reads(each)
        shapes = [subject.shape(key) for key in keys]
        ranks = {len(shape) for shape in shapes if shape}
        axis = _axis(each)
        if ranks != {3} or axis % 3 != 1:
            continue
        static = [key for key in keys if _is_static(subject, key)]
        if not static or len(static) == len(keys):
            continue
        steps = {(subject.shape(key) or (None, None))[1] for key in static}
        sure: Sure = "possible" if steps == {1} else "likely"
        names = " and ".join(f"'{key[1].layer}'" for key in static)
        yield Finding(
            "A131",
            place(each),
            sure,
            f"{titled(each)} puts the static features of {names} behind or before the sequence as "
            "further time steps (axis 1), where the sizes happen to match",
            "the features are joined to those of every step",
            f"x = keras.layers.Concatenate(axis=-1)({input_names(subject, each)})",
            f"input: {input_names(subject, each)}  # on the layer that reads '{each.layer.name}'",
        )


def _axis(each: CallMasks) -> int:
    value = each.layer.config.get("axis", -1)
    if each.layer.is_operation:
        value = each.call.keywords.get("axis", value)
        if len(each.call.arguments) > 1:
            value = each.call.arguments[1]
    return value if isinstance(value, int) else -1


def _is_static(subject: Subject, key: Key) -> bool:
    """Return whether a tensor of rank 3 is a vector of each row that got a time axis."""
    for _ in range(4):
        maker = subject.maker(key)
        if maker is None:
            return False
        before = subject.reads(maker)
        if maker.layer.type in REPEATS:
            shape = subject.shape(before[0]) if before else None
            return shape is not None and len(shape) == 2 and not _of_steps(subject, before[0])
        if len(before) != 1:
            return False
        key = before[0]
    return False


def _of_steps(subject: Subject, key: Key) -> bool:
    """Return whether a vector is one of the results of a recurrent layer, such as a last output."""
    maker = subject.maker(key)
    return maker is not None and maker.layer.type in RECURRENT


def broadcasts(subject: Subject) -> Iterator[Finding]:
    """Find additions that Keras takes for a bias, and ranks that do not align (A132)."""
    for each in subject.calls:
        shapes = _operands(subject, each)
        if shapes is None:
            continue
        first, second = shapes
        found = _bias(first, second)
        if found and each.layer.type == "Add":
            sure, where = found
            yield _added(subject, each, sure, f"{_shown(first)} + {_shown(second)} {where}")
        elif each.layer.is_operation and {len(first), len(second)} == {2, 3}:
            flat_, deep = sorted((first, second), key=len)
            if flat_[0] is None and flat_[-1] in (deep[-1], 1) and deep[1] != 1:
                yield _added(
                    subject,
                    each,
                    "certain",
                    f"{_shown(flat_)} is aligned with {_shown(deep)} from the right: rows of the "
                    "batch with time steps; it runs where their numbers are equal",
                )


def _added(subject: Subject, each: CallMasks, sure: Sure, what: str) -> Finding:
    return Finding(
        "A132",
        place(each),
        sure,
        f"{titled(each)} computes something other than it shows: {what}",
        "each row is combined with its own values",
        "y = x + keras.ops.repeat(static[:, None], keras.ops.shape(x)[1], axis=1)",
        f"input: {listed_names(subject.reads(each))}  # on the layer that reads "
        f"'{each.layer.name}'",
    )


def _operands(
    subject: Subject, each: CallMasks
) -> tuple[tuple[int | None, ...], tuple[int | None, ...]] | None:
    if each.layer.type not in {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}:
        return None
    if not each.layer.is_operation and each.layer.type != "Add":
        return None
    operands = [
        value for value in flat((each.call.arguments, dict(each.call.keywords))) if is_tensor(value)
    ]
    if len(operands) != 2:
        return None
    first, second = (shape_of(subject, each, value) for value in operands)
    return (first, second) if first is not None and second is not None else None


def _bias(first: tuple[int | None, ...], second: tuple[int | None, ...]) -> tuple[Sure, str] | None:
    """Return how sure it is that ``keras.ops.add`` takes `second` for a bias, and where it goes.

    The rule is that of ``add`` in ``keras.src.backend.tensorflow.numpy``: what is left of the
    second shape without ones is one number, which is the size of axis 1 or the last of the first.
    """
    if len(first) < 2 or not second:
        return None
    rest = [(axis, size) for axis, size in enumerate(second) if size is None or size > 1]
    if len(rest) != 1:
        return None
    axis, size = rest[0]
    aligned = axis - len(second) + len(first)
    if axis == 0 and len(second) == len(first):  # one number for each row
        sizes = {first[1], first[-1]} - {1}
        if size is None:
            if all(each is None for each in sizes):
                return None
            numbers = " or ".join(sorted(str(n) for n in sizes if n is not None))
            return "possible", f"is taken for a bias of features in a batch of {numbers} rows"
        return ("certain", "is taken for a bias of features") if size in sizes else None
    if size in (first[1], first[-1]) and size is not None:
        goes = len(first) - 1 if first[-1] == size else 1
        if goes != aligned:
            return "certain", f"is taken for a bias along axis {goes}"
    return None


def _shown(shape: tuple[int | None, ...]) -> str:
    return (
        "("
        + ", ".join("batch" if i == 0 and n is None else str(n) for i, n in enumerate(shape))
        + ")"
    )


def last_step(subject: Subject) -> Iterator[Finding]:
    """Find the last step of a Bidirectional, which is not its backward final state (A133)."""
    for each in subject.calls:
        if each.layer.type != "GetItem" or not _takes_last(each):
            continue
        keys = subject.reads(each)
        maker = subject.maker(keys[0]) if keys else None
        if maker is None or maker.layer.type not in RECURRENT or keys[0][1].output:
            continue
        found = recurrence(maker)
        if not found.config.get("return_sequences"):
            continue
        if found.bidirectional and maker.layer.config.get("merge_mode") is not None:
            yield Finding(
                "A133",
                place(each),
                "certain",
                f"the last step of {titled(maker)} is not the final state of its backward "
                "direction: that one has read a single step there"
                + ("; in padded rows both directions are zeros there" if maker.used else ""),
                "both directions have read the whole sequence",
                f"y = keras.layers.Bidirectional(keras.layers.{found.type}("
                f"{found.config.get('units')}))({input_names(subject, maker)})",
                f"input: {maker.layer.name}.last  # on the layer that reads '{each.layer.name}'",
            )
        elif found.bidirectional or found.config.get("go_backwards") or not maker.used:
            continue
        else:
            yield Finding(
                "A172",
                place(each),
                "likely",
                f"the last step of {titled(maker)} is its last output that counts on a CPU and "
                "zeros with cuDNN, in rows that end in padding",
                "the output of the last step that counts",
                f"y = keras.layers.{found.type}({found.config.get('units')})"
                f"({input_names(subject, maker)})  # without return_sequences",
                f"input: {maker.layer.name}.last  # on the layer that reads '{each.layer.name}'",
            )


def _takes_last(each: CallMasks) -> bool:
    """Return whether an index takes step -1 of every row."""
    value: Any = each.call.arguments[1:] or tuple(each.call.keywords.values())
    index = value[0] if value else None
    return isinstance(index, (list, tuple)) and len(index) > 1 and index[1] == -1


RULES = (on_time, broadcasts, last_step)
