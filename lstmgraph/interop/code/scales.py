"""Columns with ``scale:`` whose center and spread a training finds: in layers and in losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.layout import Text, called, literal
from lstmgraph.keras_facts.distributions import SCALED_AS
from lstmgraph.keras_facts.targets import OF_DISTANCES
from lstmgraph.language.declaration.scaling import SCALED, UNSCALED, scalings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.interop.code.layout import Source
    from lstmgraph.interop.keras_model import KerasModel
    from lstmgraph.language.declaration.data import Column, DataDeclaration
    from lstmgraph.language.declaration.scaling import Scaling

SCALES = "scales"
"""The argument of ``build_model`` that has the numbers of columns by name."""
LOSS = '''\
def of_scaled(loss, center, spread):
    """Return a loss of targets and outputs less `center`, divided by `spread`."""

    def scaled_loss(y_true, y_pred):
        y_true = ops.cast(y_true, y_pred.dtype)
        return loss((y_true - center) / spread, (y_pred - center) / spread)

    return scaled_loss'''


def with_scales(model: KerasModel, data: DataDeclaration, names: Iterable[str]) -> KerasModel:
    """Return a model whose layers that scale take the numbers of columns from ``scales``."""
    wanted = frozenset(names)
    layers = {
        **{f"{name}_{SCALED}": each for name, each in scalings_of(data, "inputs").items()},
        **{f"{name}_{UNSCALED}": each for name, each in scalings_of(data, "targets").items()},
        **{f"{name}_{UNSCALED}_numbers": e for name, e in scalings_of(data, "targets").items()},
    }
    made = {}
    for name, layer in model.layers.items():
        scaling = layers.get(name.rstrip("_"))
        made[name] = layer
        if layer.type == "Normalization" and scaling is not None:
            of_columns = [own if own and own.name in wanted else None for own in scaling.columns]
            numbers = {
                key: _numbers(layer.config[key], of_columns, key) for key in ("mean", "variance")
            }
            made[name] = replace(layer, config={**layer.config, **numbers})
    return replace(model, layers=made)


def _numbers(given: Any, columns: list[Column | None], key: str) -> Any:
    """Return the numbers of a layer, those of `columns` as source."""
    if not isinstance(given, list | tuple):
        return _number(given, columns[0], key)
    if len(columns) == 1:  # the parameters of a distribution, some of which are scaled
        moves = next(each for each in SCALED_AS.values() if len(each) == len(given))
        taken = [move if key == "mean" else move is not None for move in moves]
        return [
            _number(number, columns[0] if take else None, key)
            for number, take in zip(given, taken, strict=True)
        ]
    return [_number(*each, key) for each in zip(given, columns, strict=True)]


def _number(given: Any, column: Column | None, key: str) -> Any:
    if column is None:
        return given
    own = f"{SCALES}[{literal(column.name).flat()}]"
    return Text(f"{own}[0]" if key == "mean" else f"{own}[1] ** 2")


def scaled_losses(
    data: DataDeclaration | None, losses: Mapping[str, str], *, is_read: bool
) -> tuple[dict[str, tuple[Source, Source]], list[str]]:
    """Return center and spread of the losses that are of scaled numbers, by output.

    Args:
        data: the recipe's section.
        losses: the class of each output's loss.
        is_read: whether the file reads the table, and finds what is not known yet.

    Returns:
        The numbers as source, and the outputs whose loss of scaled numbers is left out.
    """
    found: dict[str, tuple[Source, Source]] = {}
    left_out: list[str] = []
    for name, scaling in scalings_of(data, "targets").items() if data else ():
        if losses.get(name) not in OF_DISTANCES or not any(scaling.is_scaled):
            continue
        several = len(scaling.columns) > 1
        is_found = any(column and column.needs_fitting for column in scaling.columns)
        is_hard = scaling.rows is not None or any(scaling.has_log) or (is_found and not is_read)
        if is_hard or (several and losses[name] == "Pinball"):
            left_out.append(name)
        else:
            found[name] = _of_columns(scaling, 0), _of_columns(scaling, 1)
    return found, left_out


def _of_columns(scaling: Scaling, index: int) -> Source:
    own = scaling.centers if index == 0 else scaling.spreads
    numbers = [
        f"{SCALES}[{literal(column.name).flat()}][{index}]"
        if column is not None and column.needs_fitting
        else repr(number)
        for column, number in zip(scaling.columns, own, strict=True)
    ]
    if len(numbers) == 1:
        return Text(numbers[0])
    return called("np.array", [("", Text(f"[{', '.join(numbers)}]")), ("", literal("float32"))])


def defaults(names: Iterable[str]) -> Source:
    """Return the numbers of columns that no training has found yet."""
    return Text("{" + ", ".join(f"{literal(name).flat()}: (0.0, 1.0)" for name in names) + "}")
