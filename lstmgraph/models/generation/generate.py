"""Generation by greedy search, beam search, or sampling with a temperature."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from lstmgraph.data.lengths import whole_number
from lstmgraph.models.generation.decoder import Decoder, decoder_of
from lstmgraph.models.generation.loop import Search, write
from lstmgraph.models.stepping import Stepper
from lstmgraph.models.stepping.arrays import as_array
from lstmgraph.models.stepping.compiled import compiled, to_array, to_tensor
from lstmgraph.models.stepping.functions import names_of, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.models.stepping.source import Source


class Generated(NamedTuple):
    """The generated sequences; with ``return_beams`` an axis of beams follows the rows."""

    tokens: np.ndarray
    """(rows, max_steps), int32; a sequence that ended is filled with the end token."""
    lengths: np.ndarray
    """(rows,), int32: the tokens before the end; ``tokens[row, :lengths[row]]`` is the sequence."""
    scores: np.ndarray
    """(rows,), float32: the sum of the log-probabilities of the tokens, the end token included."""


def generate(  # noqa: PLR0913 - each argument is one choice
    source: Stepper | Source,
    start_inputs: Any = None,
    *,
    start_token: Any,
    max_steps: int,
    end_token: int | None = None,
    beams: int = 1,
    temperature: float | None = None,
    seed: int | None = None,
    return_beams: bool = False,
    output: str | None = None,
    from_logits: bool | None = None,
    recipe: HasCompiled | None = None,
) -> Generated:
    """Generate sequences of tokens, feeding each token back as the next step's input.

    With one beam and no temperature, each step takes the most probable token (greedy search). With
    several beams, the sequences with the highest joint probability are kept (beam search). With a
    temperature, tokens are sampled.

    Args:
        source: a Stepper, which keeps its compiled functions for the next call; or anything that a
            Stepper can be made from.
        start_inputs: what `Stepper.start` takes, with any number of rows; None continues from the
            current states of the Stepper. The Stepper's own states never change.
        start_token: the first token to read: one for all rows, or one for each row.
        max_steps: the largest number of tokens to generate.
        end_token: the token that ends a sequence; None lets all run to `max_steps`.
        beams: the number of sequences to keep for each row.
        temperature: the divisor of the log-probabilities before sampling: 1 samples from the
            model's own probabilities, less favours the probable tokens more.
        seed: the seed for sampling; None for other tokens in every call.
        return_beams: return all beams, the best first; a beam without a sequence has a score of
            minus infinity.
        output: the recipe's output of token probabilities; needed only if it has several.
        from_logits: whether that output is logits; None to tell from its last activation.
        recipe: the recipe of a model, as for a Stepper.

    Returns:
        The tokens, lengths and scores of the best sequence of each row, or of all beams.

    Raises:
        ValueError: the recipe does not read one token per step, or an argument is out of range.
        RecipeError: the recipe cannot run step by step (L834).
    """
    search = _search(max_steps, beams, end_token, temperature, all_beams=return_beams)
    random = _random(seed)
    stepper = source if isinstance(source, Stepper) else Stepper(source, recipe)
    with stepper.lock:  # no other thread changes the streams and weights meanwhile
        tokens, lengths, scores = _generated(
            stepper, search, random, start_inputs, start_token, output, from_logits
        )
    if return_beams:
        return Generated(tokens, lengths, scores)
    return Generated(tokens[:, 0], lengths[:, 0], scores[:, 0])


def _generated(  # noqa: PLR0913, PLR0917 - the arguments of `generate`
    stepper: Stepper,
    search: Search,
    random: np.random.Generator,
    start_inputs: Any,
    start_token: Any,
    output: str | None,
    from_logits: bool | None,
) -> tuple[np.ndarray, ...]:
    """Return the tokens, lengths and scores of all beams."""
    end_token, max_steps = search.end_token, search.max_steps
    decoder = decoder_of(stepper.derived, output, from_logits)
    if end_token is not None and end_token >= decoder.tokens:
        raise ValueError(f"end_token must be 0 to {decoder.tokens - 1}, not {end_token}")
    start = stepper.beginning(start_inputs, rows=_count(start_inputs, start_token))
    rows = len(next(iter(start.values())))
    _check_rows(stepper, rows, search.beams)
    shape = (rows,) if np.ndim(start_token) else ()
    token = np.broadcast_to(as_array(start_token, shape, "int32", "start_token"), (rows,))
    size = (max_steps, rows) if search.temperature is not None else (0, 0)
    drawn = random.random(size, "float32")
    function = _function(stepper, decoder, search)
    arrays = (*start.values(), token.copy(), drawn)
    results = function(*(to_tensor(array) for array in arrays))
    return tuple(np.asarray(to_array(tensor)) for tensor in results)


def _search(
    max_steps: int, beams: int, end_token: int | None, temperature: float | None, *, all_beams: bool
) -> Search:
    max_steps = whole_number("max_steps", max_steps, 1)
    beams = whole_number("beams", beams, 1)
    if end_token is not None:
        end_token = whole_number("end_token", end_token, 0)
    if temperature is not None and not (_is_real(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a number greater than 0, not {temperature!r}")
    if temperature is not None and beams > 1:
        raise ValueError("beam search does not sample: give either beams or temperature")
    return Search(max_steps, beams, end_token, temperature, all_beams)


def _is_real(value: object) -> bool:
    return isinstance(value, Real | np.floating | np.integer)


def _random(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed must be a whole number of at least 0, not {seed!r}") from None


def _count(start_inputs: Any, start_token: Any) -> int | None:
    """Return the number of rows that the arguments have; None if they do not show it."""
    given = list(start_inputs.values()) if isinstance(start_inputs, dict) else [start_inputs]
    for value in (*given, start_token):
        if value is not None and np.ndim(value):
            return len(value)
    return None


def _check_rows(stepper: Stepper, rows: int, beams: int) -> None:
    fixed = stepper.plan.step.batch_size
    if fixed is not None and rows * beams != fixed:
        raise ValueError(
            f"the recipe's batch_size is {fixed}, which {rows} rows of {beams} beams do not fill: "
            "remove batch_size from the recipe to generate any number of rows"
        )


def _function(stepper: Stepper, decoder: Decoder, search: Search) -> Callable[..., Sequence[Any]]:
    key = (search, decoder.output, decoder.from_logits)
    if key not in stepper.functions:
        names = names_of(stepper.plan)
        count, kept = len(names.states), len(names.states) + len(names.contexts)

        def loop(*tensors: Any) -> list[Any]:
            states, contexts = tensors[:count], tensors[count:kept]
            wide = [ops.repeat(context, search.beams, axis=0) for context in contexts]
            return write(
                search,
                lambda states, token: decoder.advance(states, wide, token),
                states,
                *tensors[kept:],
            )

        shapes = signature(stepper.plan, None, chunk=False, active=False)[:kept]
        shapes += [((None,), "int32"), ((None, None), "float32")]
        stepper.functions[key] = compiled(loop, shapes, stepper.derived.model, xla=False)
    return stepper.functions[key]
