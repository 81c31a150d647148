"""A recipe as a Python file: its models, what it says of them, and its training."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from lstmgraph.compiler.checks.embeddings import tables
from lstmgraph.compiler.checks.metric_names import all_metrics_by_output, losses_by_output
from lstmgraph.interop.code.layout import (
    Text,
    call,
    called,
    laid_out,
    listed,
    literal,
    mapped,
    tupled,
)
from lstmgraph.interop.code.masks import without_repeated_masks
from lstmgraph.interop.code.printer import Remarks, comment_lines
from lstmgraph.interop.code.scales import defaults, scaled_losses, with_scales
from lstmgraph.interop.code.source_file import Additions, Code, model_source
from lstmgraph.interop.code.tables import TableCode, reason_against, table_code
from lstmgraph.interop.code.training import Compilation, compilation
from lstmgraph.interop.notes import Note
from lstmgraph.keras_facts.catalogue import named_class
from lstmgraph.keras_facts.targets import STEP, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph, Node
    from lstmgraph.interop.code.layout import Source

COUNT_PADDING = frozenset(
    {"AUC", "BinaryIoU", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "IoU"}
    | {"MeanIoU", "OneHotIoU", "OneHotMeanIoU", "Precision", "PrecisionAtRecall", "R2Score"}
    | {"Recall", "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity"}
    | {"SpecificityAtSensitivity", "TrueNegatives", "TruePositives"}
)
"""Metrics of Keras that do not leave padded steps out."""
SETTINGS = ("device", "threads", "memory_growth", "memory_limit_mb")
"""Settings of ``runtime:`` that the file does not make."""


def recipe_code(compiled: CompiledRecipe) -> Code:
    """Return a recipe as plain Keras code that builds the same models.

    Args:
        compiled: the recipe; layers with vocabularies must have them.

    Raises:
        RecipeError: the models cannot be built.
        CodeError: plain Keras code cannot make a part of the model.
    """
    from lstmgraph.interop.reading import read_model  # noqa: PLC0415 - reads Keras's objects
    from lstmgraph.models.building import build_models  # noqa: PLC0415 - imports TensorFlow

    graphs = {name: model.graph for name, model in compiled.models.items()}
    main, others = build_models(compiled, graphs)
    table = _table(compiled)
    training, notes = _compilation(main, compiled)
    notes = [*training.notes, *_notes(compiled), *notes]
    weights, of_weights = _weights(main, compiled)
    after = [*weights, *training.lines]
    functions: list[str] = []
    model, scales = without_repeated_masks(read_model(main)), None
    if training.lines:
        functions, more = _main(compiled, main, table)
        notes = [*notes, *more]
        if table is not None and table.scaled:
            model, scales = with_scales(model, table.data, table.scaled), defaults(table.scaled)
    notes += of_weights
    additions = Additions(
        title=compiled.declaration.name,
        description=compiled.declaration.description or "",
        remarks=Remarks(dict(_comments(compiled.graph))),
        further={n: without_repeated_masks(read_model(each)) for n, each in others.items()},
        after=after,
        functions=functions,
        helpers=training.helpers,
        notes=tuple(notes),
        scales=scales,
    )
    return Code(model_source(model, additions), tuple(notes))


def _table(compiled: CompiledRecipe) -> TableCode | None:
    """Return the functions that read the table of `data:`; None where they are left out."""
    data = compiled.declaration.data
    if data is None or not data.is_table or reason_against(compiled, data) is not None:
        return None
    return table_code(compiled, data)


def _compilation(model: keras.Model, compiled: CompiledRecipe) -> tuple[Compilation, list[Note]]:
    import keras  # noqa: PLC0415 - imports TensorFlow

    from lstmgraph.models.building import forecasting  # noqa: PLC0415 - as above

    training, data = compiled.declaration.training, compiled.declaration.data
    if training is None:
        return Compilation(), []
    losses = losses_by_output(training, list(compiled.graph.outputs))
    kinds = {name: _kind("loss", loss) for name, loss in losses.items()}
    is_read = data is not None and reason_against(compiled, data) is None
    scaled, left_out = scaled_losses(data, kinds, is_read=is_read)
    notes = []
    if left_out:
        hint = "scale the targets where you load them, or compile with weights for the losses"
        message = (
            f"the loss of {', '.join(left_out)} is of the targets' own units, not of scaled ones"
        )
        notes.append(Note("M308", message, hint))
    # The method of the class: for losses of lstmgraph's own the model itself gives nothing.
    config = keras.Model.get_compile_config(model)
    own = frozenset({*forecasting.LOSSES, *forecasting.METRICS})
    return compilation(config, own, scaled), notes


def _comments(graph: Graph) -> Iterator[tuple[tuple[str, int], list[str]]]:
    """Yield what the recipe says of each call: where states come from, and how it is masked."""
    calls: dict[str, int] = {}
    for node in graph.nodes:
        if not node.is_layer:
            continue
        index = calls.get(node.keras_name, 0)
        calls[node.keras_name] = index + 1
        said = list(_said(node))
        if said:
            yield (node.keras_name, index), [f"{'; '.join(said)}."]


def _said(node: Node) -> Iterator[str]:
    if node.mask is not None:
        yield f"Steps that count: {node.mask}"
    elif node.drops_mask:
        yield "The mask of the input is not used"
    if node.recurrence is None:
        return
    sources = [state for state in node.recurrence.states if state.source]
    if sources:
        yield "Initial state: " + ", ".join(f"{each.slot} from {each.label}" for each in sources)
    if node.recurrence.carried:
        yield "It begins with the final state of the batch before"


def _weights(model: keras.Model, compiled: CompiledRecipe) -> tuple[list[str], list[Note]]:
    """Return the statements for weights that no argument of a layer says how to begin."""
    from lstmgraph.models.building.unseeded import unseeded_weights  # noqa: PLC0415 - TensorFlow

    lines: list[str] = []
    for layer, name, kind, seed in unseeded_weights(model, compiled.declaration.runtime.seed):
        variable = call("model.get_layer", literal(layer)).flat()
        made = f"initializers.{kind}(seed={seed})"
        lines += [f"    weight = {variable}.{name}"]
        lines += ["    weight.assign(", f"        {made}(weight.shape, weight.dtype)", "    )"]
        one_line = f"    weight.assign({made}(weight.shape, weight.dtype))"
        if len(one_line) <= 88:
            lines[-3:] = [one_line]
    notes = []
    for table in tables(compiled.graph):
        inner = "".join(".layer" for _ in range(table.depth))
        layer = f"{call('model.get_layer', literal(table.node)).flat()}{inner}"
        array = call("np.load", literal(str(table.file))).flat()
        array += f"[{literal(table.array).flat()}]" if table.array else ""
        lines += [f"    weight = {layer}.embeddings", f"    weight.assign({array})"]
        message = f"'{table.node}' begins with the vectors of the file {table.file}"
        notes.append(Note("M305", message, "keep that file where the code is run"))
    return lines, notes


def _notes(compiled: CompiledRecipe) -> Iterator[Note]:
    """Yield what the file does not do as the recipe does."""
    runtime = compiled.declaration.runtime
    written = compiled.completed.get("runtime", {})
    left = [key for key in SETTINGS if written.get(key) not in (None, "auto")]
    left += ["strategy"] if runtime.strategy != "none" else []
    if left:
        hint = "set them where you call build_model()"
        yield Note("M306", f"settings of `runtime:` are left out: {', '.join(left)}", hint)
    training = compiled.declaration.training
    if training is None:
        return
    graph = compiled.graph
    masked = [
        name
        for name, port in graph.outputs.items()
        if (node := graph.by_name.get(port.node)) and port.output in node.output_masks
    ]
    losses = losses_by_output(training, list(graph.outputs))
    metrics = all_metrics_by_output(training, list(graph.outputs))
    for name in masked:
        rank = graph.specs[graph.outputs[name]].rank
        kinds = [_kind("metric", each) for each in metrics.get(name, ())]
        found = [each for each in kinds if each in COUNT_PADDING]
        if name in losses and span(_kind("loss", losses[name]), None, rank) != STEP:
            found.append(_kind("loss", losses[name]))
        if found:
            message = f"'{name}': plain Keras counts padded steps in {', '.join(found)}"
            hint = "lstmgraph leaves them out; give the steps weights, or keep to train with it"
            yield Note("M307", message, hint)


def _kind(family: str, value: Any) -> str:
    return named_class(family, value if isinstance(value, str) else value["type"])


def _main(
    compiled: CompiledRecipe, model: keras.Model, table: TableCode | None
) -> tuple[list[str], list[Note]]:
    """Return the functions that load data and train, and what they leave out."""
    training, data, notes = compiled.declaration.training, compiled.declaration.data, list[Note]()
    assert training is not None
    inputs = list(model.input)
    outputs = list(compiled.graph.outputs)
    measured = all_metrics_by_output(training, outputs)
    losses = losses_by_output(training, outputs)
    targets = [name for name in outputs if name in losses or measured.get(name)]
    if table is not None:
        lines = list(table.functions)
    elif data is not None and data.is_table:
        lines = [*_placeholder(model, targets), "", ""]
        hint = "write load_data(); `lstmgraph train` reads the table as `data:` says"
        message = (
            f"load_data() is empty: {reason_against(compiled, data)} takes more than a few lines"
        )
        notes.append(Note("M309", message, hint))
    else:
        lines = [*_arrays(inputs, targets), "", ""]
    if training.class_weight is not None:
        hint = "give fit() a sample_weight"
        notes.append(Note("M310", "`class_weight` is left out", hint))
    if training.intervals is not None:
        hint = "widen the intervals on the validation part, as `lstmgraph train` does"
        notes.append(Note("M310", "`intervals:` are not calibrated", hint))
    arguments: list[tuple[str, Source]] = [("", Text("inputs")), ("", Text("targets"))]
    arguments += [("batch_size=", literal(training.batch_size))]
    arguments += [("epochs=", literal(training.epochs))]
    if not training.shuffle:
        arguments.append(("shuffle=", literal(False)))
    callbacks, watches = _callbacks(training.callbacks, notes)
    if table is not None and "validation" in table.parts:
        arguments.append(("validation_data=", Text('data["validation"]')))
    elif table is None and watches:
        arguments.append(("validation_split=", literal(0.1)))
    if callbacks:
        arguments.append(("callbacks=", listed(callbacks)))
    lines += ["def main() -> None:", '    """Train the model and save it."""']
    seed = compiled.declaration.runtime.seed
    if seed is not None:
        lines.append(f"    keras.utils.set_random_seed({seed})")
    lines += _given(table)
    lines += laid_out(called("model.fit", arguments), indent=4)
    if table is not None and "test" in table.parts:
        lines.append('    model.evaluate(*data["test"])')
    lines += laid_out(call("model.save", literal(f"{compiled.declaration.name}.keras")), indent=4)
    return [*lines, "", "", 'if __name__ == "__main__":', "    main()"], notes


def _given(table: TableCode | None) -> list[str]:
    """Return the statements that build the model and load what it is trained on."""
    if table is None:
        return ["    model = build_model()", "    inputs, targets = load_data(sys.argv[1])"]
    scales = 'fit_scales(series, examples["train"])' if table.scaled else ""
    return [
        "    series = read_series(sys.argv[1])",
        "    examples = split_examples(series)",
        f"    model = build_model({scales})",
        "    data = {part: arrays(series, own) for part, own in examples.items() if own}",
        '    inputs, targets = data["train"]',
    ]


def _arrays(inputs: list[str], targets: list[str]) -> list[str]:
    lines = ["def load_data(path: str) -> tuple[dict, dict]:"]
    lines += ['    """Return the inputs and the targets by name: the arrays of an .npz file."""']
    lines += ["    arrays = np.load(path)"]
    names = tupled([literal(name) for name in inputs])
    lines += laid_out(names, "names = ", indent=4)
    lines += ["    inputs = {name: arrays[name] for name in names}"]
    keys = {n: f"{n}_target" if n in inputs else n for n in targets}
    read = {name: Text(f"arrays[{literal(key).flat()}]") for name, key in keys.items()}
    lines += laid_out(mapped(read), "targets = ", indent=4)
    return [*lines, "    return inputs, targets"]


def _placeholder(model: keras.Model, targets: list[str]) -> list[str]:
    lines = ["def load_data(path: str) -> tuple[dict, dict]:"]
    lines += ['    """Return the inputs and the targets by name, as arrays."""']
    for name, tensor in model.input.items():
        lines += comment_lines(f"input {name!r}: shape {tuple(tensor.shape)}, {tensor.dtype}", 4)
    for name in targets:
        shape = tuple(model.output[name].shape)
        lines += comment_lines(f"target {name!r}: for an output of shape {shape}", 4)
    return [*lines, '    raise NotImplementedError("load your data here")']


def _callbacks(given: Mapping[str, Any], notes: list[Note]) -> tuple[list[Any], bool]:
    import keras  # noqa: PLC0415 - imports TensorFlow

    kinds = {
        "early_stopping": "EarlyStopping",
        "reduce_lr_on_plateau": "ReduceLROnPlateau",
        "terminate_on_nan": "TerminateOnNaN",
    }
    found, watches = [], False
    for name, arguments in given.items():
        if not arguments:
            continue
        if name not in kinds:
            hint = "add a callback of Keras's own to fit()"
            notes.append(Note("M310", f"the callback `{name}` is left out", hint))
            continue
        made = getattr(keras.callbacks, kinds[name])
        known = inspect.signature(made.__init__).parameters
        own = arguments if isinstance(arguments, dict) else {}
        watches = watches or str(own.get("monitor", "")).startswith("val_")
        items = [
            (f"{key}=", literal(value))
            for key, value in own.items()
            if key in known and value != known[key].default
        ]
        found.append(called(f"keras.callbacks.{kinds[name]}", items))
    return found, watches
