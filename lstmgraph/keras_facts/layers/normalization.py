"""Rules of normalization layers."""

from typing import Any

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Weight,
    positive_axis,
    require_float,
    static_dim,
)


def batch_normalization(call: Call) -> LayerFacts:
    """BatchNormalization: any shape; two moving statistics, or five with ``renorm``."""
    size = _axis_size(call)
    moving = 5 if call.arguments["renorm"] else 2
    weights = [*_gamma_beta(call, size), *[Weight((size,), trainable=False)] * moving]
    return call.facts(call.input.shape, weights=weights)


def layer_normalization(call: Call) -> LayerFacts:
    """LayerNormalization: floats of any shape (means of integers would be rounded)."""
    require_float(call)
    sizes = [static_dim(call, axis, argument="axis") for axis in _axes(call)]
    return call.facts(call.input.shape, weights=_gamma_beta(call, *sizes))


def group_normalization(call: Call) -> LayerFacts:
    """GroupNormalization: floats of any shape (means of integers would be rounded).

    The channels must be divisible by ``groups`` (-1: one group per channel).
    """
    require_float(call)
    size = _axis_size(call)
    groups = call.arguments["groups"]
    if groups == 0 or groups < -1:
        raise LayerMistake(
            f"GroupNormalization's `groups` must be positive or -1, not {groups}",
            argument="groups",
            hint="write a number that divides the channels, or -1",
        )
    if groups != -1 and size % groups:
        raise LayerMistake(
            f"GroupNormalization's {groups} groups do not divide the {size} channels of "
            f"{call.input}",
            argument="groups",
            hint=f"write a number that divides {size}, or -1 for one group per channel",
        )
    return call.facts(call.input.shape, weights=_gamma_beta(call, size))


def rms_normalization(call: Call) -> LayerFacts:
    """RMSNormalization: any shape of floats (integers would be rounded), over its last axes."""
    require_float(call)
    axes, rank = _axes(call), call.input.rank
    if axes != tuple(range(rank - len(axes), rank)):
        raise LayerMistake(
            f"RMSNormalization scales only the last axes of {call.input}, not axis "
            f"{call.arguments['axis']}",
            argument="axis",
            hint="write -1, or list the last axes in order; Permute can move another axis there",
        )
    sizes = tuple(static_dim(call, axis, argument="axis") for axis in axes)
    return call.facts(call.input.shape, weights=[Weight(sizes)])


def unit_normalization(call: Call) -> LayerFacts:
    """UnitNormalization: any shape of floats, no parameters."""
    _axes(call)
    require_float(call)
    return call.facts(call.input.shape)


def normalization(call: Call) -> LayerFacts:
    """Normalization: any shape; without ``mean``, it stores mean, variance and their count."""
    axis = call.arguments["axis"]
    axes = () if axis is None else _axes(call)
    sizes = [static_dim(call, one, argument="axis") for one in sorted(axes)]
    given = {name: call.arguments[name] for name in ("mean", "variance")}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 2:
        moments = (tuple(sizes), tuple(sizes), ())
        weights = [Weight(shape, trainable=False) for shape in moments]
        return call.facts(call.input.shape, weights=weights)
    if missing:
        raise LayerMistake(
            "Normalization needs both `mean` and `variance`, or neither",
            argument="mean" if missing == ["variance"] else "variance",
            hint=f"add `{missing[0]}:`",
        )
    shapes = {name: _nested_shape(value) for name, value in given.items()}
    if shapes["mean"] != shapes["variance"]:
        raise LayerMistake(
            f"Normalization's `mean` has shape {shapes['mean']}, but its `variance` has "
            f"{shapes['variance']}",
            argument="variance",
            hint="write as many variances as means",
        )
    _check_broadcast(call, shapes["mean"], sizes)
    return call.facts(call.input.shape)


def _gamma_beta(call: Call, *sizes: int) -> list[Weight]:
    return [Weight(sizes) for name in ("scale", "center") if call.arguments[name]]


def _check_broadcast(call: Call, shape: tuple[int, ...], sizes: list[int]) -> None:
    ends = sizes[len(sizes) - len(shape) :]
    fits = len(shape) <= len(sizes) and all(
        one in (1, size) for one, size in zip(shape, ends, strict=True)
    )
    if not fits:
        raise LayerMistake(
            f"Normalization's `mean` of shape {shape} does not fit the sizes {tuple(sizes)} of "
            f"its axes in {call.input}",
            argument="mean",
            hint="write one number, or one for each element along `axis`",
        )


def _nested_shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return (len(value), *(_nested_shape(value[0]) if value else ()))


def _axes(call: Call) -> tuple[int, ...]:
    """Return the axes counted from 0, in Keras's order, which has negative ones first."""
    axis = call.arguments["axis"]
    axes = sorted(axis) if isinstance(axis, list | tuple) else [axis]
    positive = tuple(positive_axis(call, one, call.input.rank) for one in axes)
    if len(set(positive)) < len(positive):
        raise LayerMistake(
            f"{call.layer}'s `axis` {list(axes)} lists an axis of {call.input} twice",
            argument="axis",
            hint="list every axis once",
        )
    return positive


def _axis_size(call: Call) -> int:
    axis = positive_axis(call, call.arguments["axis"], call.input.rank)
    return static_dim(call, axis, argument="axis")
