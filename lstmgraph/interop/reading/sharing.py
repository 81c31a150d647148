"""Nested models that are one object in several places, as Keras marks them in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.reading.known import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED = "shared_object_id"


def mark_shared(config: Mapping[str, Any]) -> None:
    """Give the first place of a shared model the number that Keras gives the others.

    Keras 3 writes the whole model at every place, and the number of the object into each but some
    first ones, of which it had made a copy. Those are told by their configuration.
    """
    found = list(_models(config))
    numbers = {_text(each): each[SHARED] for each in found if isinstance(each.get(SHARED), int)}
    for each in found if numbers else ():
        number = numbers.get(_text(each))
        if number is not None:
            each[SHARED] = number


def _models(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the configurations of nested models."""
    waiting = list(value.values()) if isinstance(value, dict) else []
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if each.get("class_name") in MODELS and isinstance(each.get("config"), dict):
                yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _text(model: Mapping[str, Any]) -> str:
    """Return what a model is, without how often it is called and the numbers of objects."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if key != SHARED}
        return [plain(each) for each in value] if isinstance(value, list) else value

    return json.dumps([model["class_name"], plain(model["config"])], sort_keys=True)
