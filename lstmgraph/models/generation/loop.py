"""The loop of generation in ``keras.ops``; each beam is a row of the step model's batch.

One beam is greedy search. Beam search keeps, for each row, the sequences with the highest sums of
log-probabilities. A sequence that has ended keeps its sum and competes with the others, as in
Sutskever, Vinyals and Le, "Sequence to Sequence Learning with Neural Networks" (2014), 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Advance = Callable[[Sequence[Any], Any], tuple[Any, list[Any]]]
    """Takes states and tokens, (rows times beams,); returns log-probabilities and new states."""

Tensor = Any
NEVER = -float("inf")


@dataclass(frozen=True)
class Search:
    """How to choose tokens."""

    max_steps: int
    beams: int
    end_token: int | None
    temperature: float | None
    """If given, tokens are sampled, and there is one beam."""
    all_beams: bool
    """Whether to continue until every beam has ended, rather than the best one only."""


def write(
    search: Search, advance: Advance, states: Sequence[Tensor], token: Tensor, drawn: Tensor
) -> list[Tensor]:
    """Return tokens (rows, beams, max_steps), lengths and scores (rows, beams), best beam first.

    Args:
        search: how to choose tokens.
        advance: the step model.
        states: the initial states, each (rows, units).
        token: the first token to read, (rows,).
        drawn: random numbers between 0 and 1, (max_steps, rows); read only with a temperature.
    """
    beams = search.beams
    width = ops.expand_dims(ops.zeros(beams, "int32"), 0)
    current = ops.expand_dims(ops.cast(token, "int32"), 1) + width
    blank = ops.zeros_like(current)
    filling = search.end_token or 0
    # Only one beam of each row starts alive, or all would follow the same sequence.
    alone = ops.where(ops.arange(beams) > 0, NEVER, 0.0)
    carried = (
        ops.zeros((), "int32"),
        current,
        ops.cast(blank, "float32") + alone,
        blank,
        ops.cast(blank, "bool"),
        ops.expand_dims(blank, 2) + ops.full((search.max_steps,), filling, "int32"),
        *(ops.repeat(state, beams, axis=0) for state in states),
    )
    needed = beams if search.all_beams else 1

    def goes_on(_step: Tensor, _current: Tensor, *rest: Tensor) -> Tensor:
        ended = rest[2]
        return ops.logical_not(ops.all(ended[:, :needed]))

    def body(step: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        results = _next(search, advance, step, rest, drawn)
        # Every pass keeps the shapes that the loop began with.
        pairs = zip((step + 1, *results), carried, strict=True)
        return tuple(ops.reshape(new, _shape(old)) for new, old in pairs)

    final = ops.while_loop(goes_on, body, carried, maximum_iterations=search.max_steps)
    return [final[5], final[3], final[2]]


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(-1 if size is None else size for size in tensor.shape)


def _next(
    search: Search, advance: Advance, step: Tensor, carried: Sequence[Tensor], drawn: Tensor
) -> tuple[Tensor, ...]:
    """Return the loop's variables with one more token in every beam."""
    current, scores, lengths, ended, written, *states = carried
    logs, states = advance(states, ops.reshape(current, (-1,)))
    logs = ops.reshape(logs, (-1, search.beams, logs.shape[-1]))
    if search.temperature is None:
        scores, parents, token = _best(search, scores, _of_ended(search, logs, ended))
        lengths, ended, written = (_taken(x, parents) for x in (lengths, ended, written))
        rows = ops.arange(ops.shape(parents)[0], dtype="int32")
        flat = ops.reshape(parents + ops.expand_dims(rows, 1) * search.beams, (-1,))
        states = [ops.take(state, flat, axis=0) for state in states]
    else:
        token = _drawn(logs[:, 0], search.temperature, ops.take(drawn, step, axis=0))
        gained = ops.take_along_axis(logs[:, 0], token, axis=1)
        scores = scores + ops.where(ended, 0.0, gained)
        if search.end_token is not None:
            token = ops.where(ended, search.end_token, token)
    column = ops.arange(search.max_steps) == step
    written = ops.where(column, ops.expand_dims(token, 2), written)
    if search.end_token is not None:
        ended = ops.logical_or(ended, token == search.end_token)
    lengths = lengths + ops.cast(ops.logical_not(ended), "int32")
    return (token, scores, lengths, ended, written, *states)


def _of_ended(search: Search, logs: Tensor, ended: Tensor) -> Tensor:
    """Return `logs` such that an ended beam continues with the end token only, at no cost."""
    if search.end_token is None:
        return logs
    only = ops.where(ops.arange(logs.shape[-1]) == search.end_token, 0.0, NEVER)
    return ops.where(ops.expand_dims(ended, 2), only, logs)


def _best(search: Search, scores: Tensor, logs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return each row's best continuations: scores, the beams they continue, and tokens."""
    tokens = logs.shape[-1]
    sums = ops.reshape(ops.expand_dims(scores, 2) + logs, (-1, search.beams * tokens))
    best, places = ops.top_k(sums, search.beams)
    places = ops.cast(places, "int32")
    return best, places // tokens, places % tokens


def _taken(tensor: Tensor, parents: Tensor) -> Tensor:
    """Return the beams `parents` of each row."""
    if len(tensor.shape) > len(parents.shape):
        parents = ops.expand_dims(parents, 2)
    return ops.take_along_axis(tensor, parents, axis=1)


def _drawn(logs: Tensor, temperature: float, numbers: Tensor) -> Tensor:
    """Return the token that each number between 0 and 1 falls on, (rows, 1), by its probability."""
    sums = ops.cumsum(ops.softmax(logs / temperature), axis=1)
    # Rounding may leave the last sum off 1: no number may fall beyond the last token.
    below = ops.cast(sums <= ops.expand_dims(numbers, 1) * sums[:, -1:], "int32")
    token = ops.minimum(ops.sum(below, axis=1, keepdims=True), logs.shape[-1] - 1)
    return ops.cast(token, "int32")
