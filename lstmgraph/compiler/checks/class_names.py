"""Check the names of classes: which targets have classes, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmgraph.compiler.checks.data_needs import Need, Needs
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.text.document import Document


def check_classes(data: DataDeclaration, needs: Needs, document: Document) -> None:
    """Report (L886) names of classes for what has none, or for another number of classes."""
    for entry in data.all_columns:
        if not entry.classes:
            continue
        need = needs.targets.get(entry.name) if entry.path[1] == "targets" else None
        if entry.path[1] == "targets" and need is None:
            continue  # it is reported that there is no such output, or no loss
        message, hint = "weights have no classes", "remove them"
        if need is not None:
            message, hint = _mistake(need, len(entry.classes))
        if message:
            document.report("L886", (*entry.path, "classes"), message, hint=hint, at_key=True)


def class_count(need: Need) -> int | None:
    """Return the number of classes of a target; None if the output does not say."""
    high = need.limits[0].high if need.limits else None
    return high + 1 if isinstance(high, int) else None


def _mistake(need: Need, names: int) -> tuple[str, str]:
    if not need.named:
        hint = "use `loss: sparse_categorical_crossentropy`, or remove them"
        return f"the loss of '{need.name}' takes numbers, not ids of classes", hint
    units = class_count(need)
    if units is None or names == units:
        return "", ""
    of_one = need.shape is not None and need.shape[-1:] == (1,) and need.dtype != "int32"
    what = "one unit, which is a yes or no of 2 classes" if of_one else f"{units} units"
    hint = f"list {units} names" if of_one else f"list {units} names, or write `units: {names}`"
    return f"{names} classes are listed, but '{need.name}' has {what}", hint
