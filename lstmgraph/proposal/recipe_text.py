"""The text of a proposed recipe, with comments that say why."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted, shortened
from lstmgraph.proposal.levels import last_is_nearer
from lstmgraph.proposal.roles import LOG, is_class, is_static, scale_of
from lstmgraph.proposal.windows import NO_STEP, TEST, VALIDATION, Windows, windows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.roles import Roles
    from lstmgraph.proposal.survey import ColumnFacts, Survey

_COMMENTS = 56
"""The column of the comments at the ends of lines."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_TRAINING = ("  batch_size: 64", "  epochs: 50")
_STOPPING = "  callbacks: {early_stopping: {patience: 5, restore_best_weights: true}}"


@dataclass(frozen=True)
class Seen:
    """What is known of the table that a recipe is for."""

    name: str
    """The name of the recipe."""
    table: str
    """The name of the table's file."""
    survey: Survey
    order: Order | None
    roles: Roles
    horizon: int | None = None
    """How many steps ahead the user wants to forecast."""


def recipe_text(seen: Seen) -> str:
    """Return the text of the recipe for a table whose columns have these roles."""
    if seen.order is None:
        body = _of_rows(seen)
    elif is_static(seen.roles.target, seen.order):
        body = _of_series(seen, seen.order)
    else:
        body = _forecast(seen, seen.order, windows_of(seen.order, seen.horizon))
    return format_text("\n".join(["recipe: 1", f"name: {seen.name}", *body]) + "\n")


# Forecasts.


def _forecast(seen: Seen, order: Order, windows: Windows) -> list[str]:
    roles, step = seen.roles, order.step or NO_STEP
    calendar = _calendar(order)
    given = [_word(facts.name) for facts in roles.known]
    known = [*calendar, *given] if step.is_usual else given
    context = [*(_word(facts.name) for facts in roles.past), *calendar, *given]
    ahead = counted(windows.horizon, step.name)
    target = roles.target.name
    from_last = last_is_nearer(roles.target, order, windows)
    description = f"{shortened(target, 60)}, {ahead} ahead, from {windows.history}."
    return [
        f"description: {json.dumps(printable(description), ensure_ascii=False)}",
        *_looked_at(seen),
        "",
        "inputs:",
        _noted(f"  past: {{shape: [{windows.history}, 1]}}", f"{_text(target)} up to now"),
        *_input("context", windows.history, context, "what else is known up to now"),
        *_input("known", windows.horizon, known, f"what is known of the {ahead} ahead"),
        *_input("static", 0, roles.static, "one value for each series"),
        "",
        "layers:",
        *_level_layers(windows, step.season_name, from_last=from_last),
        *_forecast_layers(windows, step.season_name, context=context, known=known, roles=roles),
        "",
        "outputs: {forecast: forecast}",
        "",
        _noted("runtime: {seed: 7}", "the same weights in every build"),
        "training:",
        "  optimizer: {type: adam, learning_rate: 1e-3}",
        _noted("  loss: mae", "of scaled numbers; outliers count little"),
        _noted("  metrics: [mae]", f"in the units of {_text(target)}"),
        *_TRAINING,
        _noted(_STOPPING, ""),
        "",
        "data:",
        *_series_and_time(order, is_whole=seen.survey.is_whole),
        *(
            [_noted(f"  calendar: [{', '.join(calendar)}]", _why_calendar(order))]
            if calendar
            else []
        ),
        *_columns(seen, roles.read, order),
        *_window_lines(windows, step.season_name),
        "  inputs:",
        f"    past: {{columns: [{_word(target)}]}}",
        *([f"    context: {{columns: [{', '.join(context)}]}}"] if context else []),
        *([f"    known: {{columns: [{', '.join(known)}], steps: horizon}}"] if known else []),
        *_static_columns(roles.static),
        "  targets:",
        *_why_target(roles),
        f"    forecast: {{columns: [{_word(target)}]}}",
        *_split(windows),
        *_left_out(roles),
    ]


def _level_layers(windows: Windows, season: str, *, from_last: bool) -> list[str]:
    """Return layers with the level of the history, (1, 1)."""
    left = windows.history - (1 if from_last else windows.season)
    cropped = ["    type: cropping1d", "    input: past", f"    cropping: [{left}, 0]"]
    if from_last:
        return [_noted("  level:", "the last value, from which forecasts start"), *cropped]
    return [
        _noted("  cycle:", f"the last {season}"),
        *cropped,
        _noted("  level:", "its mean, from which forecasts start"),
        "    type: global_average_pooling1d",
        "    input: cycle",
        "    keepdims: true",
    ]


def _forecast_layers(
    windows: Windows, season: str, *, context: Sequence[str], known: Sequence[str], roles: Roles
) -> list[str]:
    """Return layers that forecast the change from the level of the history.

    The encoder reads the history less
    its level, so a trend leads to no values that training has not seen. The decoder reads, for
    every step ahead, what is known of it and, with a season, the values at the same place in the
    seasons before; these also go to the head directly, which weighs them.
    """
    static = ["static"] if roles.static else []
    has_season = windows.season > 1
    lines, after_encoder = [], []
    moves = "  moves: {type: subtract, input: [past, level]}"
    lines += [_noted(moves, "a new level changes nothing")]
    ahead = list(known and ["known"])
    if has_season:
        lines += [
            *_seasons_ahead(windows, season),
            "  before: {type: subtract, input: [ago, level]}",
        ]
        ahead.append("before")
    elif not known:
        repeated = f"  repeated: {{type: repeat_vector, input: encoder, n: {windows.horizon}}}"
        after_encoder = [_noted(repeated, "nothing is known of the steps ahead")]
        ahead.append("repeated")
    encoder = ["moves", *(["context"] if context else []), *static]
    lines += [
        "  encoder:",
        "    type: lstm",
        f"    input: {_inputs(encoder)}",
        _noted("    units: 32", "more learn more, and take longer"),
        *after_encoder,
        "  decoder:",
        "    type: lstm",
        f"    input: {_inputs([*ahead, *static])}",
        "    units: 32",
        _noted("    initial_state: encoder", "continues from the encoder's last state"),
    ]
    head = "decoder.sequence"
    if has_season:
        lines += [f"  joined: {{type: concatenate, input: [{head}, before]}}"]
        head = "joined"
    return [
        *lines,
        f"  change: {{type: dense, input: {head}, units: 1}}",
        "  forecast: {type: add, input: [level, change]}",
    ]


def _seasons_ahead(windows: Windows, season: str) -> list[str]:
    """Return layers with, for every step ahead, (horizon, seasons) values of earlier seasons."""
    period, ahead = windows.season, windows.horizon
    shape = f"[{windows.cycles}, {period}]"
    lines = [_noted(f"  seasons: {{type: reshape, input: past, target_shape: {shape}}}", "")]
    last = "ago"
    if ahead != period:
        last = "by_step"
    note = f"the same steps of each {season} before"
    lines += [_noted(f"  {last}: {{type: permute, input: seasons, dims: [2, 1]}}", note)]
    times = -(-ahead // period)
    if times > 1:
        name = "ago" if ahead % period == 0 else "repeated_steps"
        several = ", ".join(["by_step"] * times)
        lines += [f"  {name}: {{type: concatenate, input: [{several}], axis: 1}}"]
        last = name
    if ahead % period:
        over = times * period - ahead
        lines += [f"  ago: {{type: cropping1d, input: {last}, cropping: [0, {over}]}}"]
    return lines


def _inputs(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _window_lines(windows: Windows, season: str) -> list[str]:
    history = f"    history: {windows.history}"
    why = f"{counted(windows.cycles, season)}" if windows.season > 1 else "steps to look back"
    stride = _noted(f"    stride: {windows.stride}", "1 gives all examples, and longer epochs")
    return [
        "  window:",
        _noted(history, why),
        _noted(f"    horizon: {windows.horizon}", "steps ahead"),
        *([stride] if windows.stride > 1 else []),
    ]


def _split(windows: Windows) -> list[str]:
    test = f", test: {TEST}" if windows.has_test else ""
    return [_noted(f"  split: {{validation: {windows.validation:g}{test}}}", "the latest times")]


def _calendar(order: Order) -> list[str]:
    if not order.time.unit or order.step is None:
        return []
    found = list(order.step.calendar)
    if order.step.yearly and order.years >= 2:
        found += [f"{order.step.yearly}_sin", f"{order.step.yearly}_cos"]
    return found


def _calendar_line(order: Order) -> list[str]:
    names = ", ".join(_calendar(order))
    return [_noted(f"  calendar: [{names}]", _why_calendar(order))] if names else []


def _why_calendar(order: Order) -> str:
    why = order.step.calendar_reason if order.step else ""
    if order.step and order.step.yearly and order.years >= 2:
        return f"{why} and the time of year" if why else "the time of year"
    return why


# Whole series, and rows.


def _of_series(seen: Seen, order: Order) -> list[str]:
    """Return a recipe that reads whole series, and gives a class or a number for each."""
    roles = seen.roles
    past = [*(facts for facts in (*roles.known, *roles.past))]
    calendar = _calendar(order)
    names = [*(_word(facts.name) for facts in past), *calendar]
    classes = is_class(roles.target)
    what = "a class" if classes else "a number"
    return [
        f"description: {json.dumps(f'{what.capitalize()} for each series.')}",
        *_looked_at(seen),
        "",
        "inputs:",
        _noted(f"  rows: {{shape: [time, {len(names)}]}}", "all rows of a series"),
        _noted("  lengths: {shape: [], dtype: int32}", "how many rows there are"),
        *_input("static", 0, roles.static, "one value for each series"),
        "",
        "layers:",
        "  reader:",
        "    type: lstm",
        f"    input: {_inputs(['rows', *(['static'] if roles.static else [])])}",
        "    units: 64",
        _noted("    mask: {lengths: lengths}", "ignores padded steps"),
        *_head(seen, "reader"),
        *_outputs_and_training(seen),
        "data:",
        *_series_and_time(order, is_whole=seen.survey.is_whole),
        *(
            [_noted(f"  calendar: [{', '.join(calendar)}]", _why_calendar(order))]
            if calendar
            else []
        ),
        *_columns(seen, (*([] if classes else [roles.target]), *past, *roles.static), order),
        _noted("  window: {history: series}", "each series is an example"),
        "  inputs:",
        f"    rows: {{columns: [{', '.join(names)}]}}",
        "    lengths: {length_of: rows}",
        *_static_columns(roles.static),
        "  targets:",
        *_why_target(roles),
        f"    {_output(seen)}: {{columns: [{_word(roles.target.name)}], static: true}}",
        _noted(f"  split: {{validation: {VALIDATION}}}", "whole series, at random"),
        *_left_out(roles),
    ]


def _of_rows(seen: Seen) -> list[str]:
    """Return a recipe for a table without time, in which each row is an example."""
    roles = seen.roles
    features = [*roles.known, *roles.past]
    classes = is_class(roles.target)
    target = shortened(roles.target.name, 60)
    what = f"The class {target} of each row." if classes else f"The number {target} of each row."
    return [
        f"description: {json.dumps(printable(what), ensure_ascii=False)}",
        *_looked_at(seen),
        "",
        "inputs:",
        _noted(f"  features: {{shape: [{len(features)}]}}", "the other columns of the row"),
        "",
        "layers:",
        "  hidden: {type: dense, input: features, units: 64, activation: relu}",
        *_head(seen, "hidden"),
        *_outputs_and_training(seen),
        "data:",
        *_columns(seen, (*([] if classes else [roles.target]), *features), None),
        "  inputs:",
        f"    features: {{columns: [{', '.join(_word(facts.name) for facts in features)}]}}",
        "  targets:",
        *_why_target(roles),
        f"    {_output(seen)}: {{columns: [{_word(roles.target.name)}]}}",
        _noted(f"  split: {{validation: {VALIDATION}}}", "rows at random; there is no time"),
        *_left_out(roles),
    ]


def _output(seen: Seen) -> str:
    return "label" if is_class(seen.roles.target) else "value"


def _head(seen: Seen, source: str) -> list[str]:
    if not is_class(seen.roles.target):
        return [f"  value: {{type: dense, input: {source}, units: 1}}"]
    units = int(seen.roles.target.present.max()) + 1
    head = f"  label: {{type: dense, input: {source}, units: {max(2, units)}, activation: softmax}}"
    return [_noted(head, "a probability for each class")]


def _outputs_and_training(seen: Seen) -> list[str]:
    name = _output(seen)
    classes = name == "label"
    loss = "sparse_categorical_crossentropy" if classes else "mse"
    metrics = "[sparse_categorical_accuracy]" if classes else "[mae]"
    return [
        "",
        f"outputs: {{{name}: {name}}}",
        "",
        _noted("runtime: {seed: 7}", "the same weights in every build"),
        "training:",
        "  optimizer: {type: adam, learning_rate: 1e-3}",
        f"  loss: {loss}",
        f"  metrics: {metrics}",
        *_TRAINING,
        _STOPPING,
        "",
    ]


# Parts that several recipes share.


def _noted(code: str, comment: str) -> str:
    return f"{code.ljust(_COMMENTS)} # {comment}" if comment else code


def _text(name: str) -> str:
    """Return the name of a column for a comment."""
    return printable(shortened(name, 40))


def _word(name: str) -> str:
    """Return the name of a column in YAML."""
    if _PLAIN.fullmatch(name) and name.lower() not in _WORDS:
        return name
    return json.dumps(name, ensure_ascii=False)


def _looked_at(seen: Seen) -> list[str]:
    rows = counted(seen.survey.rows, "row")
    what = rows if seen.survey.is_whole else f"the first {rows}"
    return ["", f"# From {what} of {_text(seen.table)}."]


def _input(name: str, steps: int, columns: Sequence[object], comment: str) -> list[str]:
    if not columns:
        return []
    shape = f"{steps}, {len(columns)}" if steps else f"{len(columns)}"
    return [_noted(f"  {name}: {{shape: [{shape}]}}", comment)]


def _static_columns(static: Sequence[ColumnFacts]) -> list[str]:
    columns = ", ".join(_word(facts.name) for facts in static)
    return [f"    static: {{columns: [{columns}], static: true}}"] if static else []


def _series_and_time(order: Order, *, is_whole: bool) -> list[str]:
    names = ", ".join(map(_word, order.series))
    series = names if len(order.series) == 1 else f"[{names}]"
    lines = []
    if order.series:
        count = counted(len(order.lengths), "series", "series") + ("" if is_whole else " or more")
        lines = [_noted(f"  series: {series}", f"{count}; each time once in each")]
    lines += [f"  time: {_word(order.time.name)}"]
    every = order.step.every if order.step else None
    if every is not None:
        why = "times are missing: their rows are put in" if order.has_gaps else "between two rows"
        lines += [_noted(f"  every: {every}", why)]
    return lines


def _columns(seen: Seen, read: Iterable[ColumnFacts], order: Order | None) -> list[str]:
    """Return how each column is prepared: what stands for missing values, and its scale."""
    fills = order is not None and bool(order.step and order.step.every) and order.has_gaps
    lines = []
    for facts in read:
        is_target = facts.name == seen.roles.target.name
        scale = scale_of(facts)
        missing = fills or facts.missing or not seen.survey.is_whole
        own, why = [], []
        if missing:
            own.append(f"missing: {_filling(facts, seen)}")
            why.append(counted(facts.missing, "empty cell") if facts.missing else "")
            if not seen.survey.is_whole:
                why.append("for cells that may be empty")
        if scale:
            own.append(f"scale: {scale}")
            why.append(_why_scale(scale, is_target=is_target))
        if own:
            text = f"    {_word(facts.name)}: {{{', '.join(own)}}}"
            lines.append(_noted(text, "; ".join(filter(None, why))))
    return ["  columns:", *lines] if lines else []


def _filling(facts: ColumnFacts, seen: Seen) -> str:
    """Return what stands for missing values: the ones before; the median, if none may be before."""
    if seen.order is not None and seen.survey.is_whole and not _begins_empty(facts, seen.order):
        return "forward"
    return f"{float(np.median(facts.present)):.6g}"


def _begins_empty(facts: ColumnFacts, order: Order) -> bool:
    """Return whether the first row of some series has no value."""
    rows = np.lexsort((order.time.values, order.numbers))
    first = rows[np.unique(order.numbers[rows], return_index=True)[1]]
    return bool(np.isnan(facts.values[first]).any())


def _why_scale(scale: str, *, is_target: bool) -> str:
    if scale == LOG:
        return "many small values, few large ones"
    return "forecasts keep the column's units" if is_target else ""


def _why_target(roles: Roles) -> list[str]:
    if not roles.guess:
        return []
    return [f"    # {roles.guess}: --target NAME of `lstmgraph init` takes another column"]


def _left_out(roles: Roles) -> list[str]:
    if not roles.left_out:
        return []
    lines = [f"#   {_text(name)}: {printable(why)}" for name, why in roles.left_out.items()]
    return ["", "# Not read:", *lines]
