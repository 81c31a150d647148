"""The recipe of a forecast."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted, shortened
from lstmgraph.proposal.levels import last_is_nearer
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
    text_of,
    why_target,
    word,
)
from lstmgraph.proposal.windows import NO_STEP, TEST, Windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmgraph.proposal.order import Order
    from lstmgraph.proposal.roles import Roles


QUANTILES, COVERAGE = "0.1, 0.25, 0.5, 0.75, 0.9", "coverage"
ENOUGH_ROWS = 100
"""How many rows of the validation part are enough to calibrate intervals on."""
MANY_ROWS = 10_000
"""From how many rows on dropout helps; with fewer, models learn too little by then."""


def forecast_lines(seen: Seen, order: Order, windows: Windows) -> list[str]:
    """Return the lines of a recipe that forecasts the steps ahead of each series."""
    roles, step = seen.roles, order.step or NO_STEP
    calendar = calendar_of(order)
    given = [word(facts.name) for facts in roles.known]
    known = [*calendar, *given] if step.is_usual else given
    context = [*(word(facts.name) for facts in roles.past), *calendar, *given]
    ahead = counted(windows.horizon, step.name)
    target = roles.target.name
    from_last = last_is_nearer(roles.target, order, windows)
    calibrated = "  intervals: calibrated"
    enough = seen.survey.rows * windows.validation >= ENOUGH_ROWS
    many = seen.survey.rows >= MANY_ROWS
    dropout = (
        [noted("    dropout: 0.2", "against learning the training part by heart")] if many else []
    )
    description = f"{shortened(target, 60)}, {ahead} ahead, from {windows.history}."
    return [
        f"description: {json.dumps(printable(description), ensure_ascii=False)}",
        *looked_at(seen),
        "",
        "inputs:",
        noted(f"  past: {{shape: [{windows.history}, 1]}}", f"{text_of(target)} up to now"),
        *input_line("context", windows.history, context, "what else is known up to now"),
        *input_line("known", windows.horizon, known, f"what is known of the {ahead} ahead"),
        *input_line("static", 0, roles.static, "one value for each series"),
        "",
        "layers:",
        *_level_layers(windows, step.season_name, from_last=from_last),
        *_forecast_layers(
            windows, step.season_name, context=context, known=known, roles=roles, dropout=dropout
        ),
        "",
        "outputs: {forecast: forecast}",
        "",
        noted("runtime: {seed: 7}", "the same weights in every build"),
        "training:",
        "  optimizer: {type: adam, learning_rate: 1e-3}",
        noted(
            f"  loss: {{type: pinball, quantiles: [{QUANTILES}]}}", "the middle one is the forecast"
        ),
        noted(f"  metrics: [mae, {COVERAGE}]", f"in the units of {text_of(target)}; should be 0.8"),
        *([noted(calibrated, "on the validation part, after training")] if enough else []),
        *TRAINING,
        noted(STOPPING, ""),
        "",
        "data:",
        *series_and_time(order, is_whole=seen.survey.is_whole),
        *calendar_line(order),
        *column_lines(seen, roles.read, order),
        *_window_lines(windows, step.season_name),
        "  inputs:",
        f"    past: {{columns: [{word(target)}]}}",
        *([f"    context: {{columns: [{', '.join(context)}]}}"] if context else []),
        *([f"    known: {{columns: [{', '.join(known)}], steps: horizon}}"] if known else []),
        *static_columns(roles.static),
        "  targets:",
        *why_target(roles),
        f"    forecast: {{columns: [{word(target)}]}}",
        *_split(windows),
        *left_out_lines(roles),
    ]


def _level_layers(windows: Windows, season: str, *, from_last: bool) -> list[str]:
    """Return layers with the level of the history, (1, 1)."""
    left = windows.history - (1 if from_last else windows.season)
    cropped = ["    type: cropping1d", "    input: past", f"    cropping: [{left}, 0]"]
    if from_last:
        return [noted("  level:", "the last value, from which forecasts start"), *cropped]
    return [
        noted("  cycle:", f"the last {season}"),
        *cropped,
        noted("  level:", "its mean, from which forecasts start"),
        "    type: global_average_pooling1d",
        "    input: cycle",
        "    keepdims: true",
    ]


def _forecast_layers(  # noqa: PLR0913 - each is a part of the model
    windows: Windows,
    season: str,
    *,
    context: Sequence[str],
    known: Sequence[str],
    roles: Roles,
    dropout: list[str],
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
    lines += [noted(moves, "a new level changes nothing")]
    ahead = list(known and ["known"])
    if has_season:
        lines += [
            *_seasons_ahead(windows, season),
            "  before: {type: subtract, input: [ago, level]}",
        ]
        ahead.append("before")
    elif not known:
        repeated = f"  repeated: {{type: repeat_vector, input: encoder, n: {windows.horizon}}}"
        after_encoder = [noted(repeated, "nothing is known of the steps ahead")]
        ahead.append("repeated")
    encoder = ["moves", *(["context"] if context else []), *static]
    lines += [
        "  encoder:",
        "    type: lstm",
        f"    input: {inputs_of(encoder)}",
        noted("    units: 32", "more learn more, and take longer"),
        *dropout,
        *after_encoder,
        "  decoder:",
        "    type: lstm",
        f"    input: {inputs_of([*ahead, *static])}",
        "    units: 32",
        *dropout[:1],
        noted("    initial_state: encoder", "continues from the encoder's last state"),
    ]
    head = "decoder.sequence"
    if has_season:
        lines += [f"  joined: {{type: concatenate, input: [{head}, before]}}"]
        head = "joined"
    return [
        *lines,
        noted(f"  change: {{type: dense, input: {head}, units: 5}}", "5 quantiles"),
        "  forecast: {type: add, input: [level, change]}",
    ]


def _seasons_ahead(windows: Windows, season: str) -> list[str]:
    """Return layers with, for every step ahead, (horizon, seasons) values of earlier seasons."""
    period, ahead = windows.season, windows.horizon
    shape = f"[{windows.cycles}, {period}]"
    lines = [noted(f"  seasons: {{type: reshape, input: past, target_shape: {shape}}}", "")]
    last = "ago"
    if ahead != period:
        last = "by_step"
    note = f"the same steps of each {season} before"
    lines += [noted(f"  {last}: {{type: permute, input: seasons, dims: [2, 1]}}", note)]
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


def _window_lines(windows: Windows, season: str) -> list[str]:
    history = f"    history: {windows.history}"
    why = f"{counted(windows.cycles, season)}" if windows.season > 1 else "steps to look back"
    stride = noted(f"    stride: {windows.stride}", "1 gives all examples, and longer epochs")
    return [
        "  window:",
        noted(history, why),
        noted(f"    horizon: {windows.horizon}", "steps ahead"),
        *([stride] if windows.stride > 1 else []),
    ]


def _split(windows: Windows) -> list[str]:
    test = f", test: {TEST}" if windows.has_test else ""
    return [noted(f"  split: {{validation: {windows.validation:g}{test}}}", "the latest times")]
