"""Check ``callbacks:``, ``shuffle:`` and ``batch_size:`` against the rest of the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.intervals import unvalidated
from lstmgraph.compiler.checks.metric_names import VALIDATION, logged_names, watchable
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import RecipeDeclaration, Training
    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Note, Path

VALIDATE = "give validation data (`--validation FILE`, or `data: {split: {validation: 0.2}}`)"


def check_callbacks(
    recipe: RecipeDeclaration,
    training: Training,
    graph: Graph,
    outputs: list[str] | None,
    document: Document,
) -> None:
    """Report watched metrics that no epoch has, and settings that contradict each other.

    Args:
        recipe: the recipe.
        training: its `training:` section.
        graph: its graph.
        outputs: the names of all outputs; None if some are wrong, so that not all are known.
        document: where mistakes are reported.
    """
    if outputs is not None:
        logged, names = logged_names(training, outputs), watchable(training, outputs)
        for callback, arguments in watching(training).items():
            _check_monitor(callback, arguments, logged, names, document)
    _check_plateau(training, document)
    _check_rows(recipe, training, graph, document)


def watching(training: Training) -> dict[str, Mapping[str, str]]:
    """Return the callbacks that monitor a metric, with their arguments."""
    return {
        name: arguments
        for name, arguments in training.callbacks.items()
        if isinstance(arguments, dict) and "monitor" in arguments
    }


def require_validation(
    training: Training | None, document: Document, objectives: Iterable[str] = ()
) -> None:
    """Refuse objectives and callbacks that watch validation data, where there is none.

    Args:
        training: of the recipe, which is trained without validation data.
        document: the recipe's.
        objectives: metrics that a search compares its trials by.

    Raises:
        RecipeError: with each of them (L764), and with intervals to calibrate (L879).
    """
    callbacks = {} if training is None else watching(training)
    watched: list[tuple[str, str, Path]] = [
        ("the search", metric, ("search", "objective")) for metric in objectives
    ]
    watched += [
        (f"`{name}`", arguments["monitor"], ("training", "callbacks", name, "monitor"))
        for name, arguments in callbacks.items()
    ]
    found = unvalidated(training, document)
    for watcher, name, path in watched:
        if name.startswith(VALIDATION):
            place, key = document.place(path), "metric" if path[0] == "search" else "monitor"
            message = f"{watcher} watches '{name}', and there is no validation data"
            hint = f"{VALIDATE}, or write `{key}: {name.removeprefix(VALIDATION)}`"
            notes = document.origins.notes(path, place)
            found.append(Diagnostic("L764", message, path, place, hint, notes=notes))
    if found:
        raise RecipeError(found, document.sources)


def _check_monitor(
    callback: str,
    arguments: Mapping[str, str],
    logged: Iterable[str],
    names: Mapping[str, str | None],
    document: Document,
) -> None:
    monitor = arguments["monitor"]
    path = ("training", "callbacks", callback, "monitor")
    if monitor not in names:
        document.report(
            "L755",
            path,
            f"training logs no metric '{monitor}'{did_you_mean(monitor, names)}",
            hint=f"write one of: {', '.join(logged)}; each of them also exists as {VALIDATION}...",
        )
    elif arguments["mode"] == "auto" and names[monitor] is None:
        document.report(
            "L756",
            path,
            f"Keras does not define whether a small or a large '{monitor}' is better",
            hint="write `mode: min` or `mode: max` next to it",
        )


def written_rates(training: Training) -> dict[Path, Any]:
    """Return the learning rates of the optimizer and of single layers, by path in `training:`."""
    rates: dict[Path, Any] = {
        ("optimizer", "learning_rate"): training.optimizer.get("learning_rate")
    }
    return rates | {
        ("learning_rates", name): rate for name, rate in training.learning_rates.items()
    }


def _check_plateau(training: Training, document: Document) -> None:
    if "reduce_lr_on_plateau" not in training.callbacks:
        return
    rates = written_rates(training)
    scheduled = next((path for path, rate in rates.items() if isinstance(rate, dict)), None)
    if scheduled is not None:
        document.report(
            "L757",
            ("training", "callbacks", "reduce_lr_on_plateau"),
            "the learning rate follows a schedule, which `reduce_lr_on_plateau` cannot change",
            hint="keep the schedule, or write the learning rate as a number",
            at_key=True,
            notes=(document.note(("training", *scheduled), "the schedule is here"),),
        )


def _check_rows(
    recipe: RecipeDeclaration, training: Training, graph: Graph, document: Document
) -> None:
    if training.shuffle and graph.carrying:
        document.report(
            "L758",
            ("training", "shuffle"),
            f"'{graph.carrying[0]}' carries its state from batch to batch, but shuffled rows do "
            "not continue each other",
            hint="leave `shuffle` out: its default is false where a state is carried",
            notes=(carried_note(graph, document),),
        )
    fixed = recipe.runtime.batch_size
    if fixed is not None and training.batch_size != fixed:
        document.report(
            "L759",
            ("training", "batch_size"),
            f"the model is built for batches of {fixed} rows (`batch_size` under `runtime:`), but "
            f"would be trained with {training.batch_size}",
            hint="leave `batch_size` under `training:` out: its default is that of `runtime:`",
            notes=(document.note(("runtime", "batch_size"), "the fixed size is set here"),),
        )


def carried_note(graph: Graph, document: Document) -> Note:
    """Return a note on the first layer that carries its state."""
    layer = graph.by_name[graph.carrying[0]].layer
    return document.note(("layers", layer, "initial_state"), "the state is carried here")
