"""Check `data:` against the inputs and outputs of the recipe, before any data is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.buckets import check_bucket
from lstmgraph.compiler.checks.class_names import check_classes
from lstmgraph.compiler.checks.data_answers import check_answers
from lstmgraph.compiler.checks.data_misfits import entry_mistakes
from lstmgraph.compiler.checks.data_needs import Needs, data_needs, output_spec, target_name
from lstmgraph.compiler.checks.data_shapes import check_shapes
from lstmgraph.compiler.checks.data_splits import check_split
from lstmgraph.compiler.checks.preparation import check_preparation
from lstmgraph.compiler.checks.scaling import check_scaling
from lstmgraph.messages.wording import few, suggested

if TYPE_CHECKING:
    from collections.abc import Collection

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note, Path

COLUMN_KEYS = (
    *("series", "time", "every", "calendar", "columns", "window"),
    *("targets", "sample_weight"),
)
"""Keys that need inputs made of columns."""


def check_data(recipe: RecipeDeclaration, graph: Graph, document: Document) -> None:
    """Report where `data:` does not fit the recipe or contradicts itself."""
    data = recipe.data
    if data is None or not data.is_table:
        _check_names(recipe, graph, document)
    if data is None or not recipe.inputs:  # missing inputs are reported already
        return
    needs = data_needs(recipe, graph)
    if not data.is_table:
        _check_no_column_keys(data, document)
        _check_targets(data, needs, graph, document)
        check_classes(data, needs, document)
    elif _has_columns(data, document):
        _check_inputs(data, needs, recipe, document)
        _check_targets(data, needs, graph, document)
        _check_weights(data, needs, graph, document)
        _check_windows(data, document)
        check_shapes(data, needs, document)
        check_classes(data, needs, document)
        check_answers(data, needs, document)
        check_scaling(data, recipe, graph, document)
        check_preparation(data, needs, recipe, document)
    check_split(data, graph, document)
    check_bucket(data, needs, graph, document)


def _check_names(recipe: RecipeDeclaration, graph: Graph, document: Document) -> None:
    """Report (L795) a target whose array would have the name of another input or target."""
    for name in graph.outputs if recipe.training else ():
        array = target_name(name, graph.inputs)
        if array == name or array not in {*graph.inputs, *graph.outputs}:
            continue
        needs = data_needs(recipe, graph)
        if name in needs.targets and array in {**needs.inputs, **needs.targets}:
            what = "input" if array in needs.inputs else "output"
            document.report(
                "L795",
                graph.output_paths[name],
                f"the array `{array}` is for the target of '{name}', which is an input too, and "
                f"for the {what} '{array}'",
                hint=f"give the output '{name}' another name",
                at_key=True,
            )


def _has_columns(data: DataDeclaration, document: Document) -> bool:
    """Return whether every target names its columns; report (L852) those that do not."""
    without = [entry for entry in data.targets.values() if not entry.columns]
    for entry in without:
        message = f"the target '{entry.name}' names no columns"
        hint = "add `columns:`, such as {columns: [who], classes: [ann, bob]}"
        document.report("L852", entry.path, message, hint=hint, at_key=True)
    return not without


def _check_no_column_keys(data: DataDeclaration, document: Document) -> None:
    for key in COLUMN_KEYS:
        of_arrays = key == "targets" and not any(t.columns for t in data.targets.values())
        if key in document.data["data"] and not of_arrays:
            document.report(
                "L852",
                ("data", key),
                f"'{key}' is for data in columns, but there is no `inputs:` that names columns",
                hint="add `inputs:`, such as {history: {columns: [sales, price]}}",
                at_key=True,
            )
            return


def _check_inputs(
    data: DataDeclaration, needs: Needs, recipe: RecipeDeclaration, document: Document
) -> None:
    known = {**needs.inputs, **dict.fromkeys(recipe.broken)}
    near_names = _unknown_names(
        "inputs", list(data.inputs), list(known), list(needs.inputs), document, needed=needs.inputs
    )
    counted = {lengths: name for name, lengths in needs.lengths.items() if name in needs.inputs}
    for name in needs.inputs:
        if name not in data.inputs and name not in near_names:
            entry = f"length_of: {counted[name]}" if name in counted else "columns: [NAME]"
            document.report(
                "L852",
                ("data", "inputs"),
                f"the input '{name}' has no columns",
                hint=f"add `{name}:`, such as {{{entry}}}",
                at_key=True,
                notes=(document.note(("inputs", name), "the input is declared here"),),
            )


def _check_targets(data: DataDeclaration, needs: Needs, graph: Graph, document: Document) -> None:
    outputs = document.data.get("outputs")
    written = [name for name in outputs or () if name not in graph.outputs]
    known = [*graph.outputs, *written]
    near_names = _unknown_names(
        "targets", list(data.targets), known, known, document, needed=needs.targets
    )
    for name in data.targets:
        if output_spec(graph, name) and name not in needs.targets and name not in written:
            document.report(
                "L851",
                ("data", "targets", name),
                f"the output '{name}' has a target but no loss",
                hint="remove the target, or give the output a loss under `training:`",
                at_key=True,
                notes=_loss_notes(name, document),
            )
    path: Path = ("data", "targets") if data.targets else ("data",)
    for name in needs.targets if data.is_table else ():
        if name not in data.targets and name not in near_names:
            document.report(
                "L852",
                path,
                f"the output '{name}' has a loss but no target",
                hint=f"add `targets:` with `{name}:`, such as {{columns: [NAME]}}",
                at_key=True,
                notes=_loss_notes(name, document),
            )


def _check_weights(data: DataDeclaration, needs: Needs, graph: Graph, document: Document) -> None:
    """Report weights of outputs that there are not, or that take none."""
    written = [name for name in document.data.get("outputs") or () if name not in graph.outputs]
    names = [name for name in data.sample_weights if name]
    known = [*graph.outputs, *written]
    _unknown_names("sample_weight", names, known, known, document)
    for name, entry in data.sample_weights.items():
        batches = [output for output in needs.of_batches if name in ("", output)]
        if batches:
            document.report(
                "L769",
                entry.path,
                f"the loss of '{batches[0]}' is one number for all rows of a batch, so rows have "
                "no weights",
                hint="use a loss of rows or steps, such as categorical_crossentropy"
                + ("" if name else ", or give the other outputs weights by their names"),
                at_key=True,
                notes=_loss_notes(batches[0], document),
            )
        elif output_spec(graph, name) and name not in needs.weighed and name not in written:
            document.report(
                "L851",
                entry.path,
                f"the output '{name}' has weights but no loss",
                hint="remove them, or give the output a loss under `training:`",
                at_key=True,
                notes=_loss_notes(name, document),
            )


def _loss_notes(name: str, document: Document) -> tuple[Note, ...]:
    """Return a note on the loss of an output, or on the losses of others."""
    path: Path = ("training", "loss")
    if path not in document.values:
        return ()
    own = (*path, name) in document.values
    return (document.note((*path, name), "its loss is here" if own else "the losses are here"),)


def _unknown_names(  # noqa: PLR0913 - the names on both sides
    section: str,
    names: list[str],
    known: list[str],
    listed: list[str],
    document: Document,
    *,
    needed: Collection[str] = (),
) -> set[str | None]:
    """Report names that the recipe does not have, and return the suggested names.

    Where one name is unknown and one of the `needed` is missing, the one is to become the other.
    """
    what = "input" if section == "inputs" else "output"
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    near_names = {name: document.guesses.nearest(name, known) for name in unknown}
    left = [name for name in needed if name not in names]
    alone = len(unknown) == len(left) == 1 and near_names[unknown[0]] is None
    if alone:
        near_names = {unknown[0]: left[0]}
    for name, near in near_names.items():
        document.report(
            "L851",
            ("data", section, name),
            f"the recipe has no {what} '{name}'{suggested(None if alone else near)}",
            hint=f"rename `{name}:` to `{near}:`" if alone else f"the {what}s are: {few(listed)}",
            at_key=True,
        )
    return set(near_names.values())


def _check_windows(data: DataDeclaration, document: Document) -> None:
    window = data.window
    if window and window.history is None and not data.series:
        _report_window(
            document, ("window", "history"), "'series' makes each series one example, but there "
            "are no series", "name the column that identifies them: `series: NAME`"
        )  # fmt: skip
    if window and window.history is not None and window.min_history > window.history:
        _report_window(
            document, ("window", "min_history"), f"the shortest history, {window.min_history}, "
            f"is longer than the history, {window.history}", "write a smaller `min_history:`",
            document.note(("data", "window", "history"), "the history is set here"),
        )  # fmt: skip
    notes = [document.note(("data", "window"), "the window is set here")] if window else []
    for entry in data.all_columns:
        for key, message, hint in entry_mistakes(entry, data):
            _report_window(document, (*entry.path[1:], key), message, hint, *notes)


def _report_window(document: Document, path: Path, message: str, hint: str, *notes: Note) -> None:
    document.report("L853", ("data", *path), message, hint=hint, notes=notes)
