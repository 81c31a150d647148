"""Answers to the text of a first recipe, with comments that explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.authoring.starting.questions import (
    CLASSIFY,
    FORECAST,
    LABEL,
    REGRESS,
    TASKS,
    TRANSLATE,
    check_answers,
    with_defaults,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.authoring.starting.questions import Answer

    Answers = Mapping[str, Answer]

_COMMENTS = 56
"""The column of the comments at the ends of lines."""

_CLASSES = ("sparse_categorical_crossentropy", "[sparse_categorical_accuracy]")
_NUMBERS = ("mse", "[mae]")
"""The loss and the metrics."""


def first_recipe(task: str, name: str, given: Answers) -> str:
    """Return the text of a recipe for `task` that can be trained unchanged.

    Args:
        task: One of ``questions.TASKS``.
        name: The name of the model.
        given: The answers by the names of ``questions.QUESTIONS``; defaults replace missing ones.

    Raises:
        AnswersError: An answer is out of range or belongs to another task.
        KeyError: An answer without a default is missing.
    """
    check_answers(task, given)
    body = _RECIPES[task](with_defaults(task, given))
    description = f"description: {TASKS[task].capitalize()}."
    return format_text("\n".join(["recipe: 1", f"name: {name}", description, *body]) + "\n")


def _noted(code: str, comment: str) -> str:
    return f"{code.ljust(_COMMENTS)}# {comment}"


# The recipes, one for each task.


def _classify(answers: Answers) -> list[str]:
    classes = answers["classes"]
    head = f"  label: {{type: dense, input: reader, units: {classes}, activation: softmax}}"
    target = f"label (examples): the class of each sequence, 0 to {classes - 1}"
    return [
        *_sequence_inputs(answers),
        *_reader("reader", "sequence", answers),
        _noted(head, "a probability for each class"),
        *_rest("label", _CLASSES, [*_sequence_arrays(answers), target]),
    ]


def _label(answers: Answers) -> list[str]:
    classes = answers["classes"]
    return [
        *_sequence_inputs(answers),
        *_reader("reader", "sequence", answers),
        "  labels:",
        "    type: dense",
        _noted("    input: reader.sequence", "the output of every step, not only the last"),
        f"    units: {classes}",
        _noted("    activation: softmax", "a probability for each class"),
        *_rest(
            "labels",
            _CLASSES,
            [
                *_sequence_arrays(answers),
                f"labels (examples, time): the class of each step, 0 to {classes - 1}",
            ],
        ),
    ]


def _regress(answers: Answers) -> list[str]:
    targets = answers["targets"]
    return [
        *_sequence_inputs(answers),
        *_reader("reader", "sequence", answers),
        f"  value: {{type: dense, input: reader, units: {targets}}}",
        *_rest(
            "value",
            _NUMBERS,
            [*_sequence_arrays(answers), f"value (examples, {targets}): the numbers to predict"],
        ),
    ]


def _forecast(answers: Answers) -> list[str]:
    horizon, known, targets = answers["horizon"], answers["known"], answers["targets"]
    shape = f"(examples, {horizon}, {targets})"
    arrays = [*_sequence_arrays(answers), f"forecast {shape}: the {horizon} steps ahead"]
    inputs, before, steps = [], [], "repeated"
    if known:
        steps = "known"
        text = f"known values of the {horizon} steps ahead"
        inputs = [_noted(f"  known: {{shape: [{horizon}, {known}]}}", text)]
        arrays.insert(-1, f"known (examples, {horizon}, {known}): {text}")
    else:
        before = [
            "  # Nothing is known of the steps ahead: each reads the encoder's last output.",
            f"  repeated: {{type: repeat_vector, input: encoder, n: {horizon}}}",
        ]
    return [
        *_sequence_inputs(answers),
        *inputs,
        *_reader("encoder", "sequence", answers),
        *before,
        "  decoder:",
        "    type: lstm",
        f"    input: {steps}",
        "    units: 64",
        _noted("    initial_state: encoder", "continues from the encoder's last [h, c]"),
        f"  forecast: {{type: dense, input: decoder.sequence, units: {targets}}}",
        *_rest("forecast", _NUMBERS, arrays),
    ]


def _translate(answers: Answers) -> list[str]:
    ids, written = answers["vocabulary"], answers["target_vocabulary"]
    embedding = "type: embedding, input: {}, input_dim: {}, output_dim: 64, mask_zero: true"
    return [
        "",
        "inputs:",
        _noted("  source: {shape: [source_time], dtype: int32}", "ids to read; 0 is padding"),
        _noted(
            "  target: {shape: [target_time], dtype: int32}", "ids written so far; 0 is padding"
        ),
        *_static_input(answers),
        "",
        "layers:",
        f"  source_vectors: {{{embedding.format('source', ids)}}}",
        f"  target_vectors: {{{embedding.format('target', written)}}}",
        "  encoder:",
        "    type: lstm",
        "    input: source_vectors",
        "    units: 64",
        _noted("    mask: {from: source_vectors, padding: right}", "padding is on the right"),
        *_static_state(answers),
        "  decoder:",
        "    type: lstm",
        "    input: target_vectors",
        "    units: 64",
        "    mask: {from: target_vectors, padding: right}",
        _noted("    initial_state: encoder", "continues from the encoder's last [h, c]"),
        "  next:",
        "    type: dense",
        "    input: decoder.sequence",
        f"    units: {written}",
        _noted("    activation: softmax", "a probability for each id"),
        *_rest(
            "next",
            _CLASSES,
            [
                f"source (examples, source_time): ids, 0 to {ids - 1}; 0 is padding, on the right",
                f"target (examples, target_time): ids, 0 to {written - 1}, from a start id on",
                *_static_arrays(answers),
                "next (examples, target_time): for each id of target the id that follows it",
            ],
            models=[_noted("  step: {derive: step}", "`lstmgraph.generate` uses it")],
        ),
    ]


_RECIPES = {
    CLASSIFY: _classify,
    LABEL: _label,
    REGRESS: _regress,
    FORECAST: _forecast,
    TRANSLATE: _translate,
}


# Parts that several recipes share.


def _sequence_inputs(answers: Answers) -> list[str]:
    features = answers["features"]
    sequence = f"  sequence: {{shape: [time, {features}]}}"
    lengths = _noted("  lengths: {shape: [], dtype: int32}", "the number of steps of each sequence")
    return [
        "",
        "inputs:",
        _noted(sequence, "`time`: as many steps as the data has"),
        *([lengths] if answers["lengths"] else []),
        *_static_input(answers),
    ]


def _static_input(answers: Answers) -> list[str]:
    static = answers["static"]
    line = _noted(f"  static: {{shape: [{static}]}}", "features of the whole sequence")
    return [line] if static else []


def _reader(name: str, source: str, answers: Answers) -> list[str]:
    mask = _noted("    mask: {lengths: lengths}", "ignores padded steps")
    return [
        "",
        "layers:",
        f"  {name}:",
        "    type: lstm",
        f"    input: {source}",
        _noted("    units: 64", "a list, such as [64, 32], makes a stack"),
        "    dropout: 0.1",
        *([mask] if answers["lengths"] else []),
        *_static_state(answers),
    ]


def _static_state(answers: Answers) -> list[str]:
    line = "    initial_state: {static: [static], activation: tanh}"
    return [_noted(line, "the features set its first state")] if answers["static"] else []


def _sequence_arrays(answers: Answers) -> list[str]:
    lengths = ["lengths (examples): whole numbers; steps after them are padding, such as zeros"]
    return [
        f"sequence (examples, time, {answers['features']}): numbers",
        *(lengths if answers["lengths"] else []),
        *_static_arrays(answers),
    ]


def _static_arrays(answers: Answers) -> list[str]:
    static = answers["static"]
    return [f"static (examples, {static}): numbers"] if static else []


def _rest(
    output: str, graded: tuple[str, str], arrays: list[str], models: list[str] | None = None
) -> list[str]:
    loss, metrics = graded
    return [
        "",
        _noted(f"outputs: {{{output}: {output}}}", "a name, and the layer that it reads"),
        *(["", "models:", *models] if models else []),
        "",
        _noted("runtime: {seed: 7}", "the same weights in every build"),
        "training:",
        "  optimizer: {type: adam, learning_rate: 1e-3}",
        f"  loss: {loss}",
        f"  metrics: {metrics}",
        "  batch_size: 32",
        "  epochs: 20",
        "",
        "# The data, given to `lstmgraph train --data`: an .npz file, or a folder of .npy files,",
        "# that holds these arrays.",
        *(f"#   {array}" for array in arrays),
        "# Or a table: `data:` can name the columns that become these arrays.",
        _noted("data: {split: {validation: 0.2}}", "a fifth of the examples is for validation"),
    ]
