"""The recipes of tables whose examples are whole series, or rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import shortened
from lstmgraph.proposal.parts import (
    STOPPING,
    TRAINING,
    Seen,
    calendar_line,
    calendar_of,
    column_lines,
    input_line,
    inputs_of,
    left_out_lines,
    looked_at,
    noted,
    series_and_time,
    static_columns,
    why_target,
    word,
)
from lstmgraph.proposal.roles import is_class
from lstmgraph.proposal.sentences import is_long
from lstmgraph.proposal.survey import TEXT
from lstmgraph.proposal.texts import (
    class_lines,
    text_columns,
    text_inputs,
    text_layers,
    weight_lines,
)
from lstmgraph.proposal.windows import VALIDATION

if TYPE_CHECKING:
    from lstmgraph.proposal.order import Order


def series_lines(seen: Seen, order: Order) -> list[str]:
    """Return a recipe that reads whole series, and gives a class or a number for each."""
    roles = seen.roles
    past = [*(facts for facts in (*roles.known, *roles.past))]
    calendar = calendar_of(order)
    names = [*(word(facts.name) for facts in past), *calendar]
    classes = is_class(roles.target)
    what = "a class" if classes else "a number"
    return [
        f"description: {json.dumps(f'{what.capitalize()} for each series.')}",
        *looked_at(seen),
        "",
        "inputs:",
        noted(f"  rows: {{shape: [time, {len(names)}]}}", "all rows of a series"),
        noted("  lengths: {shape: [], dtype: int32}", "how many rows there are"),
        *input_line("static", 0, roles.static, "one value for each series"),
        "",
        "layers:",
        "  reader:",
        "    type: lstm",
        f"    input: {inputs_of(['rows', *(['static'] if roles.static else [])])}",
        "    units: 64",
        noted("    mask: {lengths: lengths}", "ignores padded steps"),
        *_head(seen, "reader"),
        *_outputs_and_training(seen),
        "data:",
        *series_and_time(order, is_whole=seen.survey.is_whole),
        *calendar_line(order),
        *column_lines(seen, (*([] if classes else [roles.target]), *past, *roles.static), order),
        noted("  window: {history: series}", "each series is an example"),
        "  inputs:",
        f"    rows: {{columns: [{', '.join(names)}]}}",
        "    lengths: {length_of: rows}",
        *static_columns(roles.static),
        "  targets:",
        *why_target(roles),
        *_target_lines(seen, is_static=True),
        noted(f"  split: {{validation: {VALIDATION}}}", "whole series, at random"),
        *left_out_lines(roles),
    ]


def row_lines(seen: Seen) -> list[str]:
    """Return a recipe for a table without time, in which each row is an example."""
    roles = seen.roles
    features = [*roles.known, *roles.past]
    classes = is_class(roles.target)
    layers, last = _row_layers(seen)
    names = [word(facts.name) for facts in features]
    target = shortened(roles.target.name, 60)
    what = f"The class {target} of each row." if classes else f"The number {target} of each row."
    return [
        f"description: {json.dumps(printable(what), ensure_ascii=False)}",
        *looked_at(seen),
        "",
        "inputs:",
        *input_line("features", 0, features, "the columns of numbers"),
        *text_inputs(roles.texts),
        "",
        "layers:",
        *layers,
        *_head(seen, last),
        *_outputs_and_training(seen),
        "data:",
        *column_lines(seen, (*([] if classes else [roles.target]), *features), None),
        "  inputs:",
        *([f"    features: {{columns: [{', '.join(names)}]}}"] if names else []),
        *text_columns(roles.texts),
        "  targets:",
        *why_target(roles),
        *_target_lines(seen, is_static=False),
        noted(f"  split: {{validation: {VALIDATION}}}", "rows at random; there is no time"),
        *left_out_lines(roles),
    ]


def _row_layers(seen: Seen) -> tuple[list[str], str]:
    """Return the layers that read the columns of a row, and the name of the last one."""
    lines, found = text_layers(seen.roles.texts)
    if seen.roles.known or seen.roles.past:
        found = ["features", *found]
    if len(found) == 1 and is_long(seen.roles.texts[0] if seen.roles.texts else seen.roles.target):
        return lines, found[0]
    hidden = f"  hidden: {{type: dense, input: {found[0]}, units: 64, activation: relu}}"
    if len(found) > 1:
        joined = f"  joined: {{type: concatenate, input: {inputs_of(found)}}}"
        lines = [*lines, joined]
        hidden = hidden.replace(f"input: {found[0]}", "input: joined")
    return [*lines, hidden], "hidden"


def _target_lines(seen: Seen, *, is_static: bool) -> list[str]:
    target = seen.roles.target
    if target.kind == TEXT:
        return class_lines(target, is_static=is_static)
    static = ", static: true" if is_static else ""
    return [f"    {_output(seen)}: {{columns: [{word(target.name)}]{static}}}"]


def _output(seen: Seen) -> str:
    return "label" if is_class(seen.roles.target) else "value"


def _head(seen: Seen, source: str) -> list[str]:
    if not is_class(seen.roles.target):
        return [f"  value: {{type: dense, input: {source}, units: 1}}"]
    target = seen.roles.target
    units = len(target.words) if target.kind == TEXT else int(target.present.max()) + 1
    head = f"  label: {{type: dense, input: {source}, units: {max(2, units)}, activation: softmax}}"
    return [noted(head, "a probability for each class")]


def _outputs_and_training(seen: Seen) -> list[str]:
    name = _output(seen)
    classes = name == "label"
    loss = "sparse_categorical_crossentropy" if classes else "mse"
    metrics = "[sparse_categorical_accuracy]" if classes else "[mae]"
    return [
        "",
        f"outputs: {{{name}: {name}}}",
        "",
        noted("runtime: {seed: 7}", "the same weights in every build"),
        "training:",
        "  optimizer: {type: adam, learning_rate: 1e-3}",
        f"  loss: {loss}",
        f"  metrics: {metrics}",
        *(weight_lines(seen.roles.target) if seen.roles.target.kind == TEXT else []),
        *TRAINING,
        STOPPING,
        "",
    ]
