"""Check that columns with ``scale:`` can be scaled where inputs and targets read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.compiler.checks.scaled_rows import check_rows
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.distributions import distribution_of
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.targets import ANY, NUMBERS, VALUES, reading
from lstmgraph.language.declaration.data import HORIZON, PER_SERIES, Columns
from lstmgraph.language.declaration.recipe import MaskByValue
from lstmgraph.language.declaration.scaling import CLIPPED, SCALED, scalings_of, seasons_of
from lstmgraph.messages.wording import listed

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
    from lstmgraph.language.declaration.scaling import Scaling
    from lstmgraph.language.text.document import Document


def check_scaling(
    data: DataDeclaration, recipe: RecipeDeclaration, graph: Graph, document: Document
) -> None:
    """Report columns that an input or a loss takes as they are, and numbers that fit nothing."""
    for column in data.columns.values():
        if column.fitted and not column.scale:
            document.report(
                "L864",
                (*column.path, "fitted"),
                f"the numbers of '{column.name}' are for a scale, and it has none",
                hint="add `scale:`, such as `scale: standard`, or remove `fitted:`",
                at_key=True,
            )
        elif column.fitted and column.fitted[1] <= 0:
            document.report(
                "L864",
                (*column.path, "fitted", 1),
                "the second number, the distance from the first that becomes 1, must be more "
                "than 0",
                hint="remove `fitted:`; `lstmgraph train` finds the numbers",
            )
        if column.fitted_series and (column.per != PER_SERIES or not column.fitted):
            document.report(
                "L864",
                (*column.path, "fitted_series"),
                f"the numbers of the series of '{column.name}' need `per: series`, and `fitted:` "
                "with those of any other series",
                hint="remove `fitted_series:`; `lstmgraph train` finds the numbers",
                at_key=True,
            )
        elif column.fitted_series and _are_wrong(document.data["data"]["columns"][column.name]):
            document.report(
                "L864",
                (*column.path, "fitted_series"),
                "each name needs one center, and one spread of more than 0",
                hint="remove `fitted_series:`; `lstmgraph train` finds the numbers",
                at_key=True,
            )
    check_rows(data, graph, document)
    for target in data.targets.values():
        mistake = _season_mistake(target, data, graph) if target.difference else None
        if mistake:
            message, hint = mistake
            document.report("L865", (*target.path, "difference"), message, hint=hint, at_key=True)
    _check_inputs(data, graph, document)
    _check_losses(data, recipe, graph, document)


def _are_wrong(column: dict[str, Any]) -> bool:
    found = column["fitted_series"]
    names, spreads = found["names"], found["spread"]
    is_even = len(names) == len(set(names)) == len(found["center"]) == len(spreads)
    return not is_even or min(spreads) <= 0


def _season_mistake(target: Columns, data: DataDeclaration, graph: Graph) -> tuple[str, str] | None:
    """Return message and hint where the values to forecast the difference from are not known."""
    window = data.window
    if window is None or window.history is None or target.steps != HORIZON:
        hint = "remove it, or forecast the steps ahead: `window: {history: 48, horizon: 24}`"
        return "only targets of the horizon have values before them", hint
    season = seasons_of(data).get(target.name)
    columns = listed(target.columns)
    if season is None:
        hint = f"add {columns} to the columns of an input with `steps: history`"
        return f"no input has the history of {columns}", hint
    if season.period > window.min_history:
        message = f"a history can have {window.min_history} steps, fewer than {season.period}"
        return message, f"write `min_history: {season.period}`, or a smaller difference"
    if season.lengths is None and window.min_history < window.history:
        hint = f"add an input `lengths: {{length_of: {season.history}}}`, or remove `min_history:`"
        return f"where the last steps of '{season.history}' are is not known", hint
    tensor = graph.inputs.get(season.history)
    if tensor is not None and tensor.time_major:
        hint = f"remove `time_major:` of '{season.history}'"
        return f"'{season.history}' has its steps on the first axis", hint
    return None


def _check_inputs(data: DataDeclaration, graph: Graph, document: Document) -> None:
    scalings = scalings_of(data, "inputs")
    for name, scaling in scalings.items():
        tensor = graph.inputs.get(name)
        if scaling.stages == (CLIPPED,):
            continue
        if tensor is not None and not is_float(tensor.spec.dtype):
            document.report(
                "L861",
                scaling.path,
                f"the input '{name}' reads the column as {tensor.spec.dtype}, which is not "
                f"{'scaled' if scaling.path[-1] == 'scale' else 'subtracted'}",
                hint=f"remove `{scaling.path[-1]}:`, or give the input `dtype: float32`",
                notes=(document.note(("inputs", name), "the input is declared here"),),
            )
    scaled = {f"{name}_{scaling.stages[-1]}": name for name, scaling in scalings.items()}
    for node in graph.nodes:
        if isinstance(node.mask_form, MaskByValue) and node.inputs:
            source = scaled.get(node.inputs[0].node.rstrip("_"))
            if source is not None and not _keeps(scalings[source], node.mask_form.value):
                what = SCALED if SCALED in scalings[source].stages else CLIPPED
                document.report(
                    "L863",
                    (*node.path, "mask"),
                    f"'{source}' is {what} before '{node.layer}' compares it with "
                    f"{node.mask_form.value:g}",
                    hint=f"count the steps: `{{length_of: {source}}}` under `data:`, and "
                    "`mask: {lengths: ...}` here",
                    notes=(document.note(scalings[source].path, f"it is {what} here"),),
                )


def _keeps(scaling: Scaling, value: float) -> bool:
    """Return whether an input is only clipped, and a value is within all of the limits."""
    low, high = scaling.limits
    return scaling.stages == (CLIPPED,) and max(low) <= value <= min(high)


def _refused_by_distributions(scaling: Scaling) -> tuple[str, str] | None:
    """Return why the parameters of a distribution cannot be given a scale's units, and the fix."""
    if any(scaling.has_log):
        fix = "write `scale: standard`, or use a loss of quantiles, `type: pinball`"
        return "takes no logarithms here", fix
    if scaling.is_shared:
        fix = "give each column an output and a target of its own, or remove `scale:`"
        return f"takes one scaled column for each output, not {len(scaling.columns)}", fix
    return None


def _check_losses(
    data: DataDeclaration, recipe: RecipeDeclaration, graph: Graph, document: Document
) -> None:
    losses = losses_by_output(recipe.training, list(graph.outputs)) if recipe.training else {}
    read = {
        c for entry in data.inputs.values() if isinstance(entry, Columns) for c in entry.columns
    }
    counts = {
        name: losses.get(name)
        for name, entry in data.targets.items()
        if read.intersection(entry.columns)
    }
    # Counts stay counts where the column is scaled for an input.
    scalings = scalings_of(data, "targets", counts)
    paths = {name: scaling.path for name, scaling in scalings.items()}
    paths = {**{name: season.path for name, season in seasons_of(data).items()}, **paths}
    for name, path in paths.items():
        loss = losses.get(name)
        if loss is None:
            continue
        own = reading("loss", loss)
        scaling = scalings.get(name) if distribution_of(loss) else None
        refusal = None if scaling is None else _refused_by_distributions(scaling)
        fits = own.targets in (NUMBERS, VALUES) and own.of == own.values == ANY
        if fits and refusal is None:
            continue
        kind = named_class("loss", loss if isinstance(loss, str) else loss["type"])
        target = data.targets[name].path
        what, hint = (fits and refusal) or (
            "takes neither scaled numbers nor differences",
            f"remove `{path[-1]}:`, or use a loss of distances, such as mse or mae",
        )
        document.report(
            "L862",
            path,
            f"the output '{name}' is trained by {kind}, which {what}",
            hint=hint,
            notes=(document.note(target, "it is a target here"),),
        )
