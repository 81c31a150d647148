"""First values of weights that are equal where they should differ, and seeds of only a part."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.subject import place, recurrence, titled
from lstmgraph.interop.auditing.suggestions import recipe_layer
from lstmgraph.interop.keras_masks import RECURRENT
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.interop.auditing.subject import Subject
    from lstmgraph.interop.keras_masks import CallMasks

KERNELS = ("kernel_initializer", "recurrent_initializer", "embeddings_initializer")


def directions(subject: Subject) -> Iterator[Finding]:
    """Find Bidirectional layers whose directions start from the same weights (A161)."""
    for each, found in subject.recurrent():
        if not found.bidirectional:
            continue
        backward = (each.layer.config.get("backward_layer") or {}).get("config")
        other: Mapping[str, Any] = found.config if backward is None else backward
        same = [
            name
            for name in KERNELS
            if _seeded(found.config.get(name)) and _key(found.config[name]) == _key(other.get(name))
        ]
        if same:
            yield Finding(
                "A161",
                place(each),
                "certain",
                f"both directions of {titled(each)} start from the same numbers: `{same[0]}` is "
                "seeded, and copied with its seed",
                "the directions start from different weights",
                _seeded_alone(found.config[same[0]]),
                _seeded_recipe(subject, each),
            )


def shared(subject: Subject) -> Iterator[Finding]:
    """Find layers that start from the same weights, by a seed or by a shared object (A161)."""
    groups: defaultdict[Any, list[CallMasks]] = defaultdict(list)
    live = _live_initializers(subject)
    for each in {id(each.layer): each for each in subject.calls}.values():
        if each.layer.is_operation:
            continue
        config = each.layer.config
        if each.layer.type in RECURRENT:
            config = recurrence(each).config
        size = _size(subject, each, config)
        for name in KERNELS:
            if _seeded(config.get(name)):
                groups[name, each.layer.type, size, _key(config[name])].append(each)
            elif (number := live.get((each.layer.name, name))) and not each.scope:
                groups[name, each.layer.type, size, number].append(each)
    for (name, _, size, _), found in groups.items():
        if len(found) < 2 or None in size:
            continue
        names = " and ".join(f"'{each.layer.name}'" for each in found)
        yield Finding(
            "A161",
            place(found[1]),
            "certain",
            f"{names} start from the same numbers: they have the same `{name}`, "
            + ("with one seed" if _seeded(_config(found[0]).get(name)) else "one object")
            + ", and it draws the same numbers for the same shape",
            "each layer starts from weights of its own",
            _seeded_alone(_config(found[1]).get(name)),
            _seeded_recipe(subject, found[1]),
        )


def _seeded_alone(initializer: Any) -> str:
    kind = initializer.get("class_name") if isinstance(initializer, dict) else "GlorotUniform"
    return f"keras.initializers.{kind}(seed=1)  # an object and a seed for each weight"


def _seeded_recipe(subject: Subject, each: CallMasks) -> str:
    return f"{recipe_layer(subject, each)}  # one `seed:` for the recipe seeds each weight"


def _config(each: CallMasks) -> Mapping[str, Any]:
    recurrent = each.layer.type in RECURRENT and not each.layer.is_operation
    return recurrence(each).config if recurrent else each.layer.config


def _size(subject: Subject, each: CallMasks, config: Mapping[str, Any]) -> tuple[Any, ...]:
    first = next(iter(subject.reads(each)), None)
    shape = subject.shape(first) if first else None
    if "input_dim" in config:
        return (config["input_dim"], config.get("output_dim"))
    return (shape[-1] if shape else None, config.get("units", config.get("filters")))


def _seeded(initializer: Any) -> bool:
    if not isinstance(initializer, dict):
        return False
    config = initializer.get("config") or {}
    return config.get("seed") is not None and _random(initializer)


def _random(initializer: Any) -> bool:
    kind = initializer.get("class_name") if isinstance(initializer, dict) else None
    definition = read_schema(KERAS_SCHEMA)["$defs"].get(f"initializer.{kind}")
    return bool(definition and definition["x-keras"].get("seeded"))


def _key(initializer: Any) -> str:
    return json.dumps(initializer, sort_keys=True, default=str)


def _live_initializers(subject: Subject) -> dict[tuple[str, str], int]:
    """Return which object initializes each weight of a live model: equal numbers, one object."""
    if subject.live is None:
        return {}
    found = {}
    for layer in subject.live.layers:
        for name in KERNELS:
            initializer = getattr(layer, name, None)
            if initializer is not None and "seed" in initializer.get_config():
                found[layer.name, name] = id(initializer)
    return found


def seeds(subject: Subject) -> Iterator[Finding]:
    """Find models in which only some weights are seeded (A162)."""
    seeded: list[CallMasks] = []
    unseeded: list[CallMasks] = []
    for each in subject.calls:
        if each.layer.is_operation:
            continue
        for name in KERNELS:
            initializer = _config(each).get(name)
            if _random(initializer):
                (seeded if _seeded(initializer) else unseeded).append(each)
    if seeded and unseeded:
        names = ", ".join(dict.fromkeys(f"'{each.layer.name}'" for each in unseeded))
        yield Finding(
            "A162",
            place(unseeded[0]),
            "possible",
            f"some weights are seeded, those of {names} are not: two runs start from different "
            "weights",
            "seeds make runs repeatable",
            "keras.utils.set_random_seed(1)  # before the model is built",
            "runtime: {seed: 1}",
        )


RULES = (directions, shared, seeds)
