"""Check that columns with ``scale:`` can be scaled where inputs and targets read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.dtypes import is_float
from lstmgraph.keras_facts.targets import ANY, NUMBERS, reading
from lstmgraph.language.declaration.recipe import MaskByValue
from lstmgraph.language.declaration.scaling import scalings_of

if TYPE_CHECKING:
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.data import DataDeclaration
    from lstmgraph.language.declaration.recipe import RecipeDeclaration
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
    _check_inputs(data, graph, document)
    _check_losses(data, recipe, graph, document)


def _check_inputs(data: DataDeclaration, graph: Graph, document: Document) -> None:
    scalings = scalings_of(data, "inputs")
    for name, scaling in scalings.items():
        tensor = graph.inputs.get(name)
        if tensor is not None and not is_float(tensor.spec.dtype):
            document.report(
                "L861",
                scaling.path,
                f"the input '{name}' reads the column as {tensor.spec.dtype}, which is not scaled",
                hint="remove `scale:`, or give the input `dtype: float32`",
                notes=(document.note(("inputs", name), "the input is declared here"),),
            )
    scaled = {f"{name}_scaled": name for name in scalings}
    for node in graph.nodes:
        if isinstance(node.mask_form, MaskByValue) and node.inputs:
            source = scaled.get(node.inputs[0].node.rstrip("_"))
            if source is not None:
                document.report(
                    "L863",
                    (*node.path, "mask"),
                    f"'{source}' is scaled before '{node.layer}' compares it with "
                    f"{node.mask_form.value:g}",
                    hint=f"count the steps: `{{length_of: {source}}}` under `data:`, and "
                    "`mask: {lengths: ...}` here",
                    notes=(document.note(scalings[source].path, "it is scaled here"),),
                )


def _check_losses(
    data: DataDeclaration, recipe: RecipeDeclaration, graph: Graph, document: Document
) -> None:
    losses = losses_by_output(recipe.training, list(graph.outputs)) if recipe.training else {}
    for name, scaling in scalings_of(data, "targets").items():
        loss = losses.get(name)
        if loss is None:
            continue
        own = reading("loss", loss)
        if own.targets == NUMBERS and own.of == own.values == ANY:
            continue
        kind = named_class("loss", loss if isinstance(loss, str) else loss["type"])
        target = data.targets[name].path
        document.report(
            "L862",
            scaling.path,
            f"the output '{name}' forecasts the column by {kind}, which does not take scaled "
            "numbers",
            hint="remove `scale:`, or use a loss of distances, such as mse or mae",
            notes=(document.note(target, "it is a target here"),),
        )
