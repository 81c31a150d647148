"""``generate``: greedy search, beam search, and drawing with a temperature."""

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
    """The generated sequences; with ``return_beams`` each array has an axis of beams after rows."""

    tokens: np.ndarray
    """(rows, max_steps), int32; after the end, the end token."""
    lengths: np.ndarray
    """(rows,), int32: tokens before the end, so that ``tokens[row, :lengths[row]]`` is the text."""
    scores: np.ndarray
    """(rows,), float32: the sum of the log-probabilities of its tokens, the end token's too."""


def generate(  # noqa: PLR0913 - each says one thing
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
    """Write sequences, each token read as the next step's input.

    With one beam and no temperature the likeliest token follows (greedy search). With more beams,
    those sequences are kept whose tokens are likeliest together. With a temperature tokens are
    drawn.

    Args:
        source: a Stepper, which keeps its compiled functions for the next call, or anything that
            a Stepper can be made from.
        start_inputs: what `Stepper.start` takes, of any number of rows; where it is None, the
            streams of the Stepper go on from where they are. They stay there.
        start_token: the first token that is read: one, or one for each row.
        max_steps: most tokens to write.
        end_token: where it is written, a sequence ends.
        beams: how many sequences are kept for each row.
        temperature: divides the log-probabilities before a token is drawn: 1 draws by the model's
            own probabilities, less makes the likely ones likelier.
        seed: seed of the drawing: the same seed gives the same tokens; None, others each time.
        return_beams: return all beams, the best first; a beam for which there was no sequence has a
            score of minus infinity.
        output: name of the recipe's output with the probabilities of the next token; needed
            where the recipe has several outputs.
        from_logits: whether that output is logits; where it is None, the activation of its last
            layer says so.
        recipe: the recipe of `source`, as for a Stepper.

    Raises:
        ValueError: the recipe does not read one token a step, or an argument does not fit.
    """
    search = _search(max_steps, beams, end_token, temperature, all_beams=return_beams)
    random = _random(seed)
    stepper = source if isinstance(source, Stepper) else Stepper(source, recipe)
    with stepper.lock:  # another thread would change the streams and weights under way
        tokens, lengths, scores = _written(
            stepper, search, random, start_inputs, start_token, output, from_logits
        )
    if return_beams:
        return Generated(tokens, lengths, scores)
    return Generated(tokens[:, 0], lengths[:, 0], scores[:, 0])


def _written(  # noqa: PLR0913, PLR0917 - what `generate` takes
    stepper: Stepper,
    search: Search,
    random: np.random.Generator,
    start_inputs: Any,
    start_token: Any,
    output: str | None,
    from_logits: bool | None,
) -> tuple[np.ndarray, ...]:
    """Return tokens, lengths and scores of all beams."""
    end_token, max_steps = search.end_token, search.max_steps
    decoder = decoder_of(stepper.derived, output, from_logits)
    if end_token is not None and end_token >= decoder.tokens:
        raise ValueError(f"end_token is one of 0 to {decoder.tokens - 1}; given: {end_token}")
    start = stepper.beginning(start_inputs, rows=_count(start_inputs, start_token))
    rows = len(next(iter(start.values())))
    _check_rows(stepper, rows, search.beams)
    shape = (rows,) if np.ndim(start_token) else ()
    token = np.broadcast_to(as_array(start_token, shape, "int32", "start_token"), (rows,))
    size = (max_steps, rows) if search.temperature is not None else (0, 0)
    drawn = random.random(size, "float32")
    function = _function(stepper, decoder, search)
    found = function(*(to_tensor(each) for each in (*start.values(), token.copy(), drawn)))
    return tuple(np.asarray(to_array(tensor)) for tensor in found)


def _search(
    max_steps: int, beams: int, end_token: int | None, temperature: float | None, *, all_beams: bool
) -> Search:
    max_steps = whole_number("max_steps", max_steps, 1)
    beams = whole_number("beams", beams, 1)
    if end_token is not None:
        end_token = whole_number("end_token", end_token, 0)
    if temperature is not None and not (_is_real(temperature) and temperature > 0):
        raise ValueError(f"temperature is a number of more than 0; given: {temperature!r}")
    if temperature is not None and beams > 1:
        raise ValueError("beams are searched and not drawn: give beams or temperature")
    return Search(max_steps, beams, end_token, temperature, all_beams)


def _is_real(value: object) -> bool:
    return isinstance(value, Real | np.floating | np.integer)


def _random(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed is a whole number from 0; given: {seed!r}") from None


def _count(start_inputs: Any, start_token: Any) -> int | None:
    """Return the number of rows in the arguments; None where they leave it open."""
    given = list(start_inputs.values()) if isinstance(start_inputs, dict) else [start_inputs]
    for each in (*given, start_token):
        if each is not None and np.ndim(each):
            return len(each)
    return None


def _check_rows(stepper: Stepper, rows: int, beams: int) -> None:
    fixed = stepper.plan.step.batch_size
    if fixed is not None and rows * beams != fixed:
        raise ValueError(
            f"the recipe's batch_size is {fixed}, given: {rows} rows of {beams} beams; leave "
            "batch_size out to write any number"
        )


def _function(stepper: Stepper, decoder: Decoder, search: Search) -> Callable[..., Sequence[Any]]:
    key = (search, decoder.output, decoder.from_logits)
    if key not in stepper.functions:
        names = names_of(stepper.plan)
        count, kept = len(names.states), len(names.states) + len(names.contexts)

        def loop(*tensors: Any) -> list[Any]:
            states, contexts = tensors[:count], tensors[count:kept]
            wide = [ops.repeat(each, search.beams, axis=0) for each in contexts]
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
