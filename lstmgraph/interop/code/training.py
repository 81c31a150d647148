"""The compilation of a model as source, with the losses that Keras does not have."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.errors import CodeError
from lstmgraph.interop.code.layout import Text, call, called, laid_out, listed, literal, mapped
from lstmgraph.interop.code.likelihoods import LIKELIHOODS, PINBALL
from lstmgraph.interop.code.objects import is_keras_name, object_source, public_class
from lstmgraph.interop.code.scales import LOSS as SCALED_LOSS
from lstmgraph.interop.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.interop.code.layout import Source

LEFT_OUT = "is lstmgraph's own and left out"
FOREIGN = "is not one of Keras's own"
BY_HAND = "compile the model by hand"


@dataclass
class Compilation:
    """What the source of a compilation consists of."""

    lines: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def compilation(
    config: Mapping[str, Any],
    own: frozenset[str] = frozenset(),
    scaled: Mapping[str, tuple[Source, Source]] = MappingProxyType({}),
    *,
    outputs: int = 1,
) -> Compilation:
    """Return the source that compiles `model`.

    Args:
        config: what ``Model.get_compile_config`` returns, or a file holds.
        own: names of losses and metrics that are not Keras's own, but lstmgraph's.
        scaled: center and spread of the outputs whose losses are of scaled numbers.
        outputs: how many the model has; with several, a list of metrics has one item for each.
    """
    found = Compilation()
    loss = config.get("loss")
    try:
        optimizer = _optimizer(config["optimizer"])
        losses = None if loss is None else _each(loss, "keras.losses", found, own)
        if scaled and isinstance(loss, dict) and "class_name" not in loss:
            losses = _scaled(loss, losses, scaled, found)
        keywords: dict[str, Source] = {"optimizer": optimizer}
        if losses is not None:
            keywords["loss"] = losses
        if config.get("loss_weights") is not None:
            keywords["loss_weights"] = literal(config["loss_weights"])
        for key in ("metrics", "weighted_metrics"):
            if config.get(key) is not None:
                metrics = _metrics(config[key], found, own, outputs)
                if metrics is not None:
                    keywords[key] = metrics
    except (CodeError, KeyError, TypeError) as error:
        reason = error.note.message if isinstance(error, CodeError) else "it is damaged"
        return Compilation(notes=[*found.notes, Note("M303", f"no compilation: {reason}", BY_HAND)])
    for key, default in (("run_eagerly", False), ("steps_per_execution", 1)):
        if config.get(key, default) != default:
            keywords[key] = literal(config[key])
    if config.get("jit_compile") is True:
        keywords["jit_compile"] = literal(True)
    found.lines += laid_out(call("model.compile", **keywords), indent=4)
    return found


def _optimizer(value: Any) -> Source:
    if isinstance(value, str):
        if not is_keras_name(value, "keras.optimizers"):
            raise CodeError(Note("M303", f"the optimizer '{value}' {FOREIGN}", BY_HAND))
        return literal(value)
    return object_source(_cleaned(value), "keras.optimizers")


def _cleaned(value: Any, key: str = "") -> Any:
    """Return a configuration without names that Keras counts, and with short learning rates."""
    if isinstance(value, float) and key in ("learning_rate", "initial_learning_rate"):
        return _shortest(value)
    if not isinstance(value, dict):
        return value
    found = {name: _cleaned(item, name) for name, item in value.items()}
    kind, config = found.get("class_name"), found.get("config")
    if isinstance(kind, str) and isinstance(config, dict):
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
        plain = re.sub(r"_\d+$", "", str(config.get("name"))).replace("_", "")
        if plain in (snake.replace("_", ""), kind.lower()) or kind in WRAPPERS:
            found["config"] = {each: item for each, item in config.items() if each != "name"}
    return found


def _scaled(
    loss: Mapping[str, Any],
    losses: Any,
    scaled: Mapping[str, tuple[Source, Source]],
    found: Compilation,
) -> Source:
    """Return the losses by output, those of `scaled` as losses of scaled numbers."""
    _add(found, SCALED_LOSS)
    made = {}
    for name, (_, own) in zip(loss, losses.items, strict=True):
        made[str(name)] = own
        if name in scaled:
            is_object = own.flat().startswith("keras.losses.")
            function = Text(f"{own.flat()}.call") if is_object else own
            made[str(name)] = call("of_scaled", function, *scaled[name])
    return mapped(made)


WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")


def _shortest(value: float) -> float:
    """Return the shortest number that float32 rounds to `value`; `value` if float32 has it not."""
    if struct.unpack("f", struct.pack("f", value))[0] != value:
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", short))[0] == value:
            return short
    return value


def _each(value: Any, place: str, found: Compilation, own: frozenset[str]) -> Source:
    """Return losses or metrics, nested in lists and mappings."""
    if isinstance(value, dict) and "class_name" not in value:
        return mapped({str(key): _each(item, place, found, own) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return listed([_each(item, place, found, own) for item in value])
    made = _own(value, found, own) if isinstance(value, dict) else None
    if made is not None:
        return made
    if (foreign := _foreign(value, place)) is not None:
        raise CodeError(Note("M303", f"the loss '{foreign}' {FOREIGN}", BY_HAND))
    return object_source(_cleaned(value), place) if isinstance(value, dict) else literal(value)


def _foreign(value: Any, place: str) -> str | None:
    """Return the name of a loss or metric that is not one of Keras's own; None for those of Keras.

    Args:
        value: its name, or its configuration; registered functions are ``package>name`` there.
        place: the public module of Keras's own.
    """
    if isinstance(value, str):
        also = ALSO if place == "keras.metrics" else ()
        return None if value in also or is_keras_name(value, place) else value
    if not isinstance(value, dict):
        return None
    if value["class_name"] == "function":
        return _foreign(str(value.get("config")), place)
    try:
        public_class(str(value["class_name"]), value.get("module") or place)
    except CodeError:
        return str(value["class_name"])
    return None


ALSO = ("acc", "accuracy", "ce", "crossentropy")
"""Metrics that Keras chooses by the loss (``keras/src/trainers/compile_utils.py``)."""


def _own(value: Mapping[str, Any], found: Compilation, own: frozenset[str]) -> Source | None:
    """Return one of lstmgraph's losses as a function of the file; None for those of Keras."""
    name, config = value["class_name"], value["config"]
    if name not in own:
        return None
    if name == "Pinball" and config.get("reduction", "sum_over_batch_size") == SUMMED:
        _add(found, PINBALL)
        return called("pinball", [("", literal(list(config["quantiles"])))])
    if name == "NegativeLogLikelihood" and config.get("distribution") in LIKELIHOODS:
        for helper in LIKELIHOODS[config["distribution"]]:
            _add(found, helper)
        return Text(f"{config['distribution']}_likelihood")
    hint = "write it as a function of y_true and y_pred"
    raise CodeError(Note("M303", f"the loss {name} {LEFT_OUT}", hint))


SUMMED = "sum_over_batch_size"


def _add(found: Compilation, helper: str) -> None:
    if helper not in found.helpers:
        found.helpers.append(helper)


def _metrics(value: Any, found: Compilation, own: frozenset[str], outputs: int) -> Source | None:
    """Return the metrics that Keras has; None if there are none."""
    if outputs > 1 and isinstance(value, list | tuple):
        # By position: an output that loses its metrics keeps its place.
        kept = [_of_keras(item, found, own) or [] for item in value]
        kept = kept if any(kept) else []
    else:
        kept = _of_keras(value, found, own)
    return _each(kept, "keras.metrics", found, own) if kept else None


def _of_keras(value: Any, found: Compilation, own: frozenset[str]) -> Any:
    """Return metrics without those that Keras does not have, which are noted."""
    if isinstance(value, dict) and "class_name" not in value:
        named = {key: _of_keras(item, found, own) for key, item in value.items()}
        return {key: item for key, item in named.items() if item}
    if isinstance(value, list | tuple):
        inner = [_of_keras(item, found, own) for item in value]
        return [item for item in inner if item]
    if isinstance(value, dict) and value["class_name"] in own:
        message = f"the metric {value['class_name']} {LEFT_OUT}"
    elif (foreign := _foreign(value, "keras.metrics")) is not None:
        message = f"the metric '{foreign}' {FOREIGN} and left out"
    else:
        return value
    hint = "compute it from the forecasts, or write it as a function of y_true and y_pred"
    found.notes.append(Note("M304", message, hint))
    return None
