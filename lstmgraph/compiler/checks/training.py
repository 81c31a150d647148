"""Check `training:` against the outputs of the recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.callbacks import check_callbacks, written_rates
from lstmgraph.compiler.checks.class_weights import check_class_weight, weights_of_outputs
from lstmgraph.compiler.checks.data_needs import names_of
from lstmgraph.compiler.checks.fitting import check_fitting
from lstmgraph.compiler.checks.intervals import check_intervals
from lstmgraph.compiler.checks.metric_names import losses_by_output
from lstmgraph.compiler.checks.trained import check_frozen, check_learning_rates
from lstmgraph.keras_facts.targets import is_by_output
from lstmgraph.messages.wording import few, listed, suggested

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

CLIPPINGS = ("clipnorm", "clipvalue", "global_clipnorm")


def check_training(
    recipe: RecipeDeclaration, graph: Graph, document: Document
) -> RecipeDeclaration:
    """Report losses and metrics of unknown outputs, and settings that Keras refuses.

    Returns:
        The recipe with the outputs that misspelt names mean, for the checks that follow.
    """
    if recipe.training is None:
        return recipe
    outputs = output_names(graph, document)
    training, all_known = _with_known_outputs(recipe.training, outputs, document)
    if all_known:
        _check_weights(training, outputs, document)
        refused = check_fitting(replace(recipe, training=training), graph, document)
        check_intervals(recipe, training, graph, document)
        check_class_weight(training, graph, document, refused, names_of(recipe))
    _check_clipping(training.optimizer, document)
    for path, rate in written_rates(training).items():
        _check_schedule(rate, ("training", *path), document)
    check_learning_rates(recipe, training, graph, document)
    check_frozen(graph, document)
    sound = all_known and outputs == list(graph.outputs)
    check_callbacks(recipe, training, graph, outputs if sound and outputs else None, document)
    return replace(recipe, training=training)


def _with_known_outputs(
    training: Training, outputs: list[str], document: Document
) -> tuple[Training, bool]:
    """Report names of no output, and return `training` with the names that they may mean.

    Returns:
        `training`, and whether all names are outputs now.
    """
    by_output = {
        "loss": training.loss if is_by_output(training.loss) else None,
        "metrics": training.metrics if isinstance(training.metrics, dict) else None,
        "weighted_metrics": (
            training.weighted_metrics if isinstance(training.weighted_metrics, dict) else None
        ),
        "class_weight": weights_of_outputs(training),
        "loss_weights": training.loss_weights,
        "intervals": training.intervals if isinstance(training.intervals, dict) else None,
    }
    meant: dict[str, Any] = {}
    all_known = True
    for section, entries in by_output.items():
        known = set(outputs)
        unknown = [name for name in entries or () if outputs and name not in known]
        nearest = {}
        for name in unknown:
            near = document.guesses.nearest(name, outputs)
            all_known &= near is not None
            document.report(
                "L751",
                ("training", section, name),
                f"there is no output '{name}'{suggested(near)}",
                hint=f"the outputs are: {few(outputs)}",
                at_key=True,
            )
            nearest[name] = near or name
        if nearest:
            meant[section] = {nearest.get(key, key): v for key, v in (entries or {}).items()}
    return replace(training, **meant), all_known


def _check_weights(training: Training, outputs: list[str], document: Document) -> None:
    """Report loss weights without a loss (L753), and those with which nothing is trained (L793)."""
    losses, weights = losses_by_output(training, outputs), training.loss_weights or {}
    if losses and not any(weights.get(name, 1) for name in losses):
        document.report(
            "L793",
            ("training", "loss_weights"),
            "no output with a loss counts: each has the weight 0, so that nothing is trained",
            hint="give an output a weight above 0",
            at_key=True,
        )
    if not is_by_output(training.loss):
        return
    for name in training.loss_weights or {}:
        if name in outputs and name not in training.loss:
            document.report(
                "L753",
                ("training", "loss_weights", name),
                f"the output '{name}' has a loss weight but no loss",
                hint=f"add a loss, or remove the weight; outputs with a loss: {few(training.loss)}",
                at_key=True,
                notes=(document.note(("training", "loss"), "the losses are here"),),
            )


def _check_schedule(schedule: Any, path: Path, document: Document) -> None:
    """Report a piecewise constant rate that does not have one value more than boundaries."""
    if not isinstance(schedule, dict) or "boundaries" not in schedule:
        return
    values, boundaries = len(schedule["values"]), len(schedule["boundaries"])
    if values != boundaries + 1:
        document.report(
            "L754",
            (*path, "values"),
            f"{boundaries} boundaries need {boundaries + 1} values, but {values} are listed",
            hint="list one value more than boundaries",
            notes=(document.note((*path, "boundaries"), "the boundaries are here"),),
        )


def output_names(graph: Graph, document: Document) -> list[str]:
    """Return the names of the model's outputs, including those of outputs with mistakes.

    An output that is a layer's whole state gives one name per state: `state_h`, `state_c`.
    """
    written = document.data.get("outputs")
    sound = {path[-1] for path in graph.output_paths.values()}
    broken = [name for name in written if name not in sound] if isinstance(written, dict) else []
    return [*graph.outputs, *broken]


def _check_clipping(optimizer: Mapping[str, Any], document: Document) -> None:
    clippings = [name for name in CLIPPINGS if optimizer.get(name) is not None]
    if len(clippings) > 1:
        given = listed([f"`{name}`" for name in clippings])
        document.report(
            "L752",
            ("training", "optimizer", clippings[1]),
            f"Keras clips gradients in only one way, but {given} are given",
            hint="keep one",
            at_key=True,
            notes=(
                document.note(
                    ("training", "optimizer", clippings[0]), "the first is here", at_key=True
                ),
            ),
        )
