"""What stands in a search's files, held to what a search writes: whatever is behind can trust it.

A folder may come from elsewhere, or have been edited. A `Shape` says what a value must be; it takes
a value and returns what is wrong with it, nothing where it is right.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.results import COMPLETED, FAILED, OVERSIZED, PRUNED, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Shape = Callable[[Any], str]

DEEPEST = 50
"""Lists and mappings within each other."""
LARGEST = 2**63
"""Of whole numbers; tables hold none that are larger."""
NO_SEARCH = "no search wrote this: undo the edit, or begin anew with --restart, which keeps "
NO_SEARCH += "this folder under another name"


def parsed(content: bytes | str, place: str) -> Any:
    """Return JSON as plain data.

    Raises:
        SearchError: it is none; the message begins with `place`.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SearchError(f"{place}: it is no JSON ({error}); {NO_SEARCH}") from None


def text(value: Any) -> str:
    """Accept text that can be written again; a lone surrogate, which JSON can hold, cannot."""
    if not isinstance(value, str):
        return "must be text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be text without half characters"
    return ""


def whole(value: Any) -> str:
    """Accept a whole number, 0 or more."""
    ok = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST
    return "" if ok else "must be a whole number, 0 or more"


def number(value: Any) -> str:
    """Accept a number; NaN and infinite ones are, too."""
    if isinstance(value, float):
        return ""
    ok = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    return "" if ok else "must be a number"


def amount(value: Any) -> str:
    """Accept a finite number, 0 or more, such as of seconds."""
    return "" if not number(value) and 0 <= value < LARGEST else "must be a number, 0 or more"


def plain(value: Any, depth: int = 0) -> str:
    """Accept any JSON no deeper than `DEEPEST` whose texts and numbers are as above."""
    if depth > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels"
    if isinstance(value, dict):
        parts = [*value.values(), *value]
    elif isinstance(value, list):
        parts = value
    elif isinstance(value, str):
        return text(value)
    else:
        return "" if value is None or isinstance(value, bool) else number(value)
    return next((wrong for part in parts if (wrong := plain(part, depth + 1))), "")


def optional(shape: Shape) -> Shape:
    """Accept None, or what `shape` accepts."""
    return lambda value: "" if value is None else shape(value)


def one_of(*choices: str) -> Shape:
    """Accept one of some texts."""
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}"


def list_of(shape: Shape) -> Shape:
    """Accept a list, each element as `shape` says."""

    def check(value: Any) -> str:
        if not isinstance(value, list):
            return "must be a list"
        return next((f"[{n}] {wrong}" for n, e in enumerate(value) if (wrong := shape(e))), "")

    return check


def mapping_of(shape: Shape) -> Shape:
    """Accept a mapping of names to what `shape` accepts."""

    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return "must be a mapping"
        for name, each in value.items():
            if wrong := text(name) or shape(each):
                return f"[{name!r}] {wrong}"
        return ""

    return check


def record_of(shapes: Mapping[str, Shape], *, exact: bool = False) -> Shape:
    """Accept a mapping with these keys; where not `exact`, with others too, which nobody reads."""

    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return "must be a mapping"
        if exact and (unknown := value.keys() - shapes.keys()):
            return f"has the unknown key {min(unknown)!r}"
        missing = next((key for key in shapes if key not in value), None)
        if missing is not None:
            return f"has no {missing!r}"
        for key, shape in shapes.items():
            if wrong := shape(value[key]):
                return f"{key}: {wrong}"
        return ""

    return check


OUTCOME_SHAPES: dict[str, Shape] = {
    "status": one_of(COMPLETED, PRUNED, FAILED),
    "reason": text,
    "metrics": mapping_of(number),
    "history": mapping_of(list_of(number)),
    "epochs": whole,
    "fit_seconds": amount,
    "parameters": optional(whole),
}
"""Of outcome.json; a trial that failed writes the first three alone."""
ENDED_SHAPES: dict[str, Shape] = {
    **OUTCOME_SHAPES,
    "status": one_of(COMPLETED, PRUNED, FAILED, OVERSIZED, TIMED_OUT),
    "trial": whole,
    "seconds": number,
    "peak_memory_mb": amount,
    "at": amount,
}
EVENTS: dict[str, Shape] = {
    "opened": record_of({"options": mapping_of(plain), "at": amount}),
    "started": record_of(
        {
            "trial": whole,
            "proposed": mapping_of(plain),
            "values": mapping_of(plain),
            "thresholds": list_of(number),
            "started": text,
            "at": amount,
        }
    ),
    "ended": record_of(ENDED_SHAPES),
    "idle": record_of({"at": amount}),
    "exhausted": record_of({"at": amount}),
    "closed": record_of({"because": text, "at": amount}),
}
"""The lines of a journal, by their ``event``."""

_DIMENSION = record_of(
    {
        "name": text,
        "kind": text,
        "low": optional(number),
        "high": optional(number),
        "scale": text,
        "choices": list_of(plain),
        "condition": text,
    },
    exact=True,
)
_OBJECTIVE = record_of({"metric": text, "direction": one_of("min", "max")}, exact=True)
JOB_SHAPES: dict[str, tuple[Shape, Any]] = {
    "name": (text, "a search"),
    "dimensions": (list_of(_DIMENSION), []),
    "objectives": (list_of(_OBJECTIVE), []),
    "oracle": (mapping_of(plain), {}),
    "seed": (number, 0),
    "executions_per_trial": (whole, 1),
    "folds": (optional(whole), None),
    "pruning": (optional(mapping_of(plain)), None),
}
"""What is read of job.json, and what stands for it where a report finds something else."""
