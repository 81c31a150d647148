"""Read a ``$search`` or a ``$choose``, and report mistakes in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space.dimensions import text_of
from lstmgraph.language.space.ranges import SCALES, Range
from lstmgraph.messages.wording import did_you_mean, few, flow, plain_text, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.messages.diagnostics import Path

EXAMPLES: Mapping[str, str] = {
    "int": "{int: [32, 256], step: 32}",
    "float": "{float: [1e-4, 1e-2], scale: log}",
    "choice": "{choice: [tanh, relu]}",
    "bool": "{bool: true}",
}
"""An example of each kind of search."""

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "int": ("step", "scale", "default", "per_layer"),
    "float": ("step", "scale", "default", "per_layer"),
    "choice": ("default", "per_layer"),
    "bool": (),
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
OPTIONS = ("step", "scale", "default", "per_layer")
MOST_VALUES = 4
"""The most values of a range that a hint lists."""
MARKS = ("$search", "$choose")


@dataclass(frozen=True)
class Leaf:
    """The content of a ``$search``, without its name and place."""

    kind: str
    default: Any
    range: Range | None = None
    choices: tuple[Any, ...] = ()
    per_layer: bool = False


class FormError(Exception):
    """A mistake in a form, at the relative path `where`; `first` is the path of what it repeats."""

    def __init__(  # noqa: PLR0913 - the parts of a message
        self,
        code: str,
        where: Path,
        message: str,
        hint: str,
        *,
        at_key: bool = False,
        first: Path | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.where = where
        self.message = message
        self.hint = hint
        self.at_key = at_key
        self.first = first


def read_leaf(data: Any) -> Leaf:
    """Return the content of a ``$search``.

    Raises:
        FormError: for its first mistake, with the path relative to `data`.
    """
    kind = _kind(data)
    for key in data:
        if key != kind and key not in _OPTIONS[kind]:
            hint = f"options of '{kind}': {', '.join(_OPTIONS[kind]) or 'none'}"
            near = did_you_mean(key, _OPTIONS[kind])
            if data[key] is None:  # as YAML reads `choice: 8, 16`
                more = [each for each in data if data[each] is None]
                hint, near = f"write `{kind}: [{', '.join([plain_text(data[kind]), *more])}]`", ""
            raise FormError(
                "L822", (key,), f"'{key}' is not an option of '{kind}'{near}", hint, at_key=True
            )
    per_layer = data.get("per_layer", False)
    if not isinstance(per_layer, bool):
        message = f"'per_layer' must be true or false, not {shown(per_layer)}"
        raise FormError("L822", ("per_layer",), message, "write true or false")
    if kind == "bool":
        return _bool_leaf(data["bool"])
    if kind == "choice":
        return _choice_leaf(data, per_layer=per_layer)
    return _range_leaf(kind, data, per_layer=per_layer)


def read_alternatives(data: Any) -> dict[str, Any]:
    """Return the alternatives of a ``$choose`` by name.

    Raises:
        FormError: if `data` is not a mapping of named alternatives.
    """
    if not isinstance(data, dict) or not data:
        message = f"'$choose' must be a mapping of named alternatives, not {shown(data)}"
        hint = "write {$choose: {small: ..., large: ...}}, or {$search: {choice: [...]}} for values"
        raise FormError("L822", ("$choose",), message, hint)
    for name in data:
        if not _NAME.fullmatch(name):
            message = f"{name!r} is not a valid name for an alternative"
            hint = "use letters, digits, - and _"
            raise FormError("L822", ("$choose", name), message, hint, at_key=True)
    return data


def read_chosen(data: Mapping[str, Any], alternatives: Mapping[str, Any]) -> str:
    """Return the default alternative of a ``$choose``; the first one if it names none.

    Raises:
        FormError: if it names one that is not there.
    """
    default = data.get("default", next(iter(alternatives)))
    if isinstance(default, str) and default in alternatives:
        return default
    near = did_you_mean(default, alternatives) if isinstance(default, str) else ""
    message = f"the default {shown(default)} is not one of the alternatives{near}"
    raise FormError("L824", ("default",), message, f"write one of: {few(alternatives)}")


def read_mark(data: Mapping[str, Any]) -> str:
    """Return ``$search`` or ``$choose``, whichever key the mapping has.

    Raises:
        FormError: if it has neither, or another key next to it.
    """
    mark = bare_mark(data) or next(key for key in data if key.startswith("$"))
    if mark not in MARKS:
        message = f"'{mark}' is not a search key{did_you_mean(mark, MARKS)}"
        hint = f"write `$search`, such as {{$search: {EXAMPLES['int']}}}, or `$choose`"
        raise FormError("L822", (mark,), message, hint, at_key=True)
    allowed = {"$search"} if mark == "$search" else {"$choose", "default"}
    beside = [key for key in data if key not in allowed]
    if not beside:
        return mark
    hint = f"remove it: '{mark}' replaces the whole value"
    if mark == "$search" and beside[0] in OPTIONS:
        hint = f"write it inside: {{$search: {{..., {beside[0]}: ...}}}}"
    message = f"'{beside[0]}' cannot be next to '{mark}'"
    raise FormError("L822", (beside[0],), message, hint, at_key=True)


def bare_mark(data: Mapping[str, Any]) -> str | None:
    """Return ``search`` or ``choose`` where a mapping is a form that lacks its ``$``."""
    inner = data.get("search")
    if len(data) == 1 and isinstance(inner, dict) and inner.keys() & EXAMPLES.keys():
        return "search"
    is_choice = isinstance(data.get("choose"), dict) and data.keys() <= {"choose", "default"}
    return "choose" if is_choice else None


def _kind(data: Any) -> str:
    examples = " or ".join(f"{{$search: {example}}}" for example in EXAMPLES.values())
    if not isinstance(data, dict):
        message = f"'$search' must be a mapping, not {shown(data)}"
        if isinstance(data, list) and 1 < len(data) <= MOST_VALUES and _all_scalars(data):
            examples = f"{{$search: {{choice: {flow(data)}}}}}"
        raise FormError("L822", (), message, f"write {examples}")
    kinds = [key for key in data if key in EXAMPLES]
    if len(kinds) == 1:
        return str(kinds[0])
    if kinds:
        message = f"'$search' has {' and '.join(kinds)}, but takes only one of them"
        first = (kinds[0],)
        raise FormError("L822", (kinds[1],), message, "keep one", at_key=True, first=first)
    for key in data:
        near = did_you_mean(key, EXAMPLES) if key not in OPTIONS else ""
        if near:
            message = f"'{key}' is not a kind of search{near}"
            raise FormError("L822", (key,), message, f"write {examples}", at_key=True)
    message = "'$search' does not say what to search"
    raise FormError("L822", (), message, f"write {examples}", at_key=True)


def _all_scalars(values: list[Any]) -> bool:
    return all(isinstance(value, str | int | float) for value in values)


def _bool_leaf(value: Any) -> Leaf:
    if not isinstance(value, bool):
        message = f"'bool' must be true or false, not {shown(value)}"
        raise FormError("L822", ("bool",), message, "write the default: {bool: true}")
    return Leaf("bool", value, choices=(False, True))


def _choice_leaf(data: Mapping[str, Any], *, per_layer: bool) -> Leaf:
    choices = data["choice"]
    if not isinstance(choices, list) or not choices:
        hint = "list the values, such as {choice: [tanh, relu]}"
        problem = "is empty" if choices == [] else f"must be a list, not {shown(choices)}"
        raise FormError("L822", ("choice",), f"'choice' {problem}", hint)
    texts: dict[str, int] = {}
    for index, choice in enumerate(choices):
        if text_of(choice) in texts:
            message = f"'choice' contains {shown(choice)} more than once"
            first = ("choice", texts[text_of(choice)])
            hint = "write each choice once"
            raise FormError("L822", ("choice", index), message, hint, first=first)
        texts[text_of(choice)] = index
        _check_plain(choice, ("choice", index))
    default = data.get("default", choices[0])
    if text_of(default) not in texts:
        hint = f"write one of: {few([shown(choice) for choice in choices])}"
        message = f"the default {shown(default)} is not one of the choices"
        raise FormError("L824", ("default",), message, hint)
    return Leaf("choice", default, choices=tuple(choices), per_layer=per_layer)


def _check_plain(value: Any, where: Path) -> None:
    """Check that there is no ``$search`` or ``$choose`` inside a choice."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in MARKS:
                message = f"'{key}' cannot be used inside a choice, which must be plain data"
                hint = "write `$choose` with named alternatives, which may contain `$search`"
                raise FormError("L821", (*where, key), message, hint, at_key=True)
            _check_plain(inner, (*where, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_plain(inner, (*where, index))


def _range_leaf(kind: str, data: Mapping[str, Any], *, per_layer: bool) -> Leaf:
    bounds = data[kind]
    if not isinstance(bounds, list) or len(bounds) != 2:
        actual = f"{len(bounds)} entries" if isinstance(bounds, list) else shown(bounds)
        message = f"'{kind}' must be a list of the lowest and the highest value, not {actual}"
        raise FormError("L822", (kind,), message, f"write a range such as {EXAMPLES[kind]}")
    low, high = (_number(kind, bound, (kind, index)) for index, bound in enumerate(bounds))
    scale = data.get("scale", "linear")
    if scale not in SCALES:
        near = did_you_mean(scale, SCALES) if isinstance(scale, str) else ""
        message = f"'scale' cannot be {shown(scale)}{near}"
        raise FormError("L822", ("scale",), message, f"write one of: {', '.join(SCALES)}")
    _check_bounds(kind, low, high, scale)
    step = _step(kind, data["step"], low, high, scale) if "step" in data else None
    numbers = Range(low, high, step, scale)
    return Leaf(kind, _default(kind, data, numbers), numbers, per_layer=per_layer)


def _check_bounds(kind: str, low: float, high: float, scale: str) -> None:
    if low > high:
        message = f"the range begins at {low} and ends at {high}"
        raise FormError("L823", (kind,), message, f"write [{high}, {low}]", at_key=True)
    if scale != "linear" and low <= 0:
        message = f"a range on the {scale} scale must begin above 0, not at {low}"
        hint = "write a lowest value greater than 0, or `scale: linear`"
        raise FormError("L823", (kind, 0), message, hint)


def _step(kind: str, value: Any, low: float, high: float, scale: str) -> float:
    step = _number(kind, value, ("step",))
    if scale == "linear":
        reach, least, what = high - low, 0, "added"
    else:
        reach, least, what = high / low, 1, "multiplied"
    if step <= least:
        hint = f"write a number greater than {least}: it is {what} from one value to the next"
        message = (
            f"a step on the {scale} scale must be greater than {least}, not {plain_text(step)}"
        )
        raise FormError("L823", ("step",), message, hint)
    if step > reach * (1 + 1e-9):
        message = f"a step of {plain_text(step)} is larger than the range from {low} to {high}"
        hint = "write a smaller step, or a plain value: only one value is left to search"
        raise FormError("L823", ("step",), message, hint)
    return step


def _default(kind: str, data: Mapping[str, Any], numbers: Range) -> float:
    if "default" not in data:
        return numbers.low
    value = _number(kind, data["default"], ("default",))
    near = numbers.nearest(value)
    if near is not None:
        return near
    message = f"the default {plain_text(value)} is not one of the values searched"
    hint = f"write a number from {numbers.low} to {numbers.high}"
    if numbers.step is not None and numbers.low <= value <= numbers.high:
        values = islice(numbers.values(), MOST_VALUES + 1)
        # 0.1 + 2 * 0.1 is 0.30000000000000004; what is written may be off by a rounding error
        first = [plain_text(type(value)(f"{value:.12g}")) for value in values]
        rest = ["..."] if len(first) > MOST_VALUES else []
        hint = f"write one of: {', '.join([*first[:MOST_VALUES], *rest])}"
    raise FormError("L824", ("default",), message, hint)


def _number(kind: str, value: Any, where: Path) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole:
        return value if kind == "int" else float(value)
    name = f"'{where[0]}'" if len(where) == 1 else f"entry {int(where[1]) + 1} of '{where[0]}'"
    if kind == "int":
        message = f"{name} must be a whole number, not {shown(value)}"
        hint = "write whole numbers"
        if isinstance(value, float):
            hint = "write `float:` for a range of decimal numbers"
        raise FormError("L822", where, message, hint)
    if not isinstance(value, float):
        message = f"{name} must be a number, not {shown(value)}"
        raise FormError("L822", where, message, "write a number, such as 0.5")
    return value
