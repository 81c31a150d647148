"""Generation: greedy, beams and drawing, against a search over all sequences in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from building import load, randomise, weights_by_layer
from numpy_writing import Sequence, Writer

import lstmgraph

if TYPE_CHECKING:
    from lstmgraph.models.generation import Generated

TOKENS, UNITS, END, STEPS, ROWS = 4, 3, 2, 4, 5
TEXT = """
inputs:
  token: {{shape: [time], dtype: int32}}
layers:
  embedding: {{type: embedding, input: token, input_dim: {tokens}, output_dim: 2}}
  writer: {{type: lstm, input: embedding, units: 3, initial_state: {{inputs: [h, c]}}}}
  next: {{type: dense, input: writer.sequence, units: {tokens}{activation}}}
outputs: {{next: next}}
"""
START = 1
RANDOM = np.random.default_rng(3)
STATES = {name: RANDOM.normal(0, 2, (ROWS, UNITS)).astype("float32") for name in "hc"}


@pytest.fixture(scope="module")
def stepper() -> lstmgraph.Stepper:
    return of(", activation: softmax")


def of(activation: str) -> lstmgraph.Stepper:
    derived = load(TEXT.format(tokens=TOKENS, activation=activation)).derive("step")
    assert derived.main
    randomise(derived.main)
    return lstmgraph.Stepper(derived)


@pytest.fixture(scope="module")
def writers(stepper: lstmgraph.Stepper) -> list[Writer]:
    weights = weights_by_layer(stepper.derived.model)
    return [Writer(weights, STATES["h"][row], STATES["c"][row]) for row in range(ROWS)]


def text(generated: Generated, *index: int, end: int | None = END) -> Sequence:
    """The tokens of one sequence, with its end token where it has ended."""
    length = int(generated.lengths[index])
    tokens = tuple(int(token) for token in generated.tokens[index][:length])
    return tokens if length == generated.tokens.shape[-1] or end is None else (*tokens, end)


@pytest.mark.slow
def test_greedy_takes_the_likeliest(stepper: lstmgraph.Stepper, writers: list[Writer]) -> None:
    found = lstmgraph.generate(stepper, STATES, start_token=START, end_token=END, max_steps=STEPS)
    for row, writer in enumerate(writers):
        tokens, states = [START], writer.begin
        while len(tokens) <= STEPS and tokens[-1] != END:
            logs, states = writer.step(states, tokens[-1])
            tokens.append(int(logs.argmax()))
        assert text(found, row) == tuple(tokens[1:])
        np.testing.assert_allclose(
            found.scores[row], writer.score(START, tuple(tokens[1:])), rtol=1e-5
        )
    assert len(set(found.lengths.tolist())) > 1, "rows end at different steps"


@pytest.mark.slow
@pytest.mark.parametrize("end", [END, None])
def test_wide_beams_find_the_best_of_all_sequences(
    end: int | None, stepper: lstmgraph.Stepper, writers: list[Writer]
) -> None:
    width = TOKENS ** (STEPS - 1)
    found = lstmgraph.generate(
        stepper,
        STATES,
        start_token=START,
        end_token=end,
        max_steps=STEPS,
        beams=width,
        return_beams=True,
    )
    for row, writer in enumerate(writers):
        ranked = sorted(writer.all_scores(START, end, STEPS).items(), key=lambda each: -each[1])
        for place, (tokens, score) in enumerate(ranked[:width]):
            assert text(found, row, place, end=end) == tokens
            np.testing.assert_allclose(found.scores[row, place], score, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 3])
def test_narrow_beams(width: int, stepper: lstmgraph.Stepper, writers: list[Writer]) -> None:
    found = lstmgraph.generate(
        stepper,
        STATES,
        start_token=START,
        end_token=END,
        max_steps=6,
        beams=width,
        return_beams=True,
    )
    best = lstmgraph.generate(
        stepper, STATES, start_token=START, end_token=END, max_steps=6, beams=width
    )
    for row, writer in enumerate(writers):
        wanted = writer.beams(START, END, 6, width)
        assert [text(found, row, place) for place in range(width)] == [each for each, _ in wanted]
        np.testing.assert_allclose(found.scores[row], [score for _, score in wanted], rtol=1e-5)
        assert text(best, row) == wanted[0][0]


@pytest.mark.slow
def test_beams_without_a_sequence_say_so(stepper: lstmgraph.Stepper) -> None:
    found = lstmgraph.generate(
        stepper, STATES, start_token=START, max_steps=1, beams=TOKENS + 2, return_beams=True
    )
    assert np.isfinite(found.scores).sum(1).tolist() == [TOKENS] * ROWS
    assert sorted(found.tokens[0, :TOKENS, 0].tolist()) == list(range(TOKENS))


@pytest.mark.slow
def test_logits_are_told_from_probabilities(stepper: lstmgraph.Stepper) -> None:
    linear = of("")
    options = {"start_token": START, "end_token": END, "max_steps": STEPS}
    wanted = lstmgraph.generate(stepper, STATES, **options)
    found = lstmgraph.generate(linear, STATES, **options)
    np.testing.assert_array_equal(found.tokens, wanted.tokens)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5)
    with pytest.raises(ValueError, match="from_logits="):
        lstmgraph.generate(of(", activation: relu"), STATES, **options)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_drawn_tokens_are_as_likely_as_the_model_says(
    temperature: float, stepper: lstmgraph.Stepper, writers: list[Writer]
) -> None:
    rows = 4000
    start = {name: np.repeat(state[:1], rows, axis=0) for name, state in STATES.items()}
    found = lstmgraph.generate(
        stepper, start, start_token=START, max_steps=2, temperature=temperature, seed=5
    )
    counts = np.zeros((TOKENS, TOKENS))
    np.add.at(counts, (found.tokens[:, 0], found.tokens[:, 1]), 1)
    first, states = writers[0].step(writers[0].begin, START)
    wanted = np.empty((TOKENS, TOKENS))
    for token in range(TOKENS):
        second, _ = writers[0].step(states, token)
        wanted[token] = np.log(_softmax(first / temperature)[token])
        wanted[token] += np.log(_softmax(second / temperature))
    # Four standard deviations of a share in 4000 draws are at most 0.032.
    np.testing.assert_allclose(counts / rows, np.exp(wanted), atol=0.032)
    scores = [writers[0].score(START, tuple(tokens)) for tokens in found.tokens[:20].tolist()]
    np.testing.assert_allclose(found.scores[:20], scores, rtol=1e-5)


def _softmax(logs: np.ndarray) -> np.ndarray:
    return np.exp(logs) / np.exp(logs).sum()


def test_a_seed_gives_the_same_tokens(stepper: lstmgraph.Stepper) -> None:
    options = {"start_token": START, "end_token": END, "max_steps": 20, "temperature": 3.0}
    one, same, other = (
        lstmgraph.generate(stepper, STATES, seed=seed, **options) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.tokens, same.tokens)
    assert (one.tokens != other.tokens).any()
    for row in range(ROWS):
        assert (one.tokens[row, one.lengths[row] :] == END).all()
        assert (one.tokens[row, : one.lengths[row]] != END).all()


@pytest.mark.slow
def test_streams_go_on_and_stay_where_they_are(writers: list[Writer]) -> None:
    stepper = of(", activation: softmax")
    wide = lstmgraph.Stepper(stepper.derived, rows=ROWS)
    wide.start(STATES)
    wide.step(np.full(ROWS, 3, "int32"))
    before = wide.state
    found = lstmgraph.generate(wide, start_token=START, max_steps=3)
    for row, writer in enumerate(writers):
        _, states = writer.step(writer.begin, 3)
        for token in (START, *found.tokens[row].tolist()[:-1]):
            logs, states = writer.step(states, token)
        assert logs.argmax() == found.tokens[row, -1]
    for name, state in wide.state.items():
        np.testing.assert_array_equal(state, before[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end_token": TOKENS}, "end_token must be 0 to 3"),
        ({"beams": 0}, "at least 1"),
        ({"max_steps": 0}, "at least 1"),
        ({"temperature": 0.0}, "greater than 0"),
        ({"temperature": 1.0, "beams": 2}, "beams or temperature"),
        ({"start_token": 1.5}, "start_token must be int32"),
        ({"start_token": np.zeros(2, "int32")}, "start_token must have shape"),
        ({"start_inputs": {"h": STATES["h"]}}, "missing: c"),
        ({"start_inputs": None}, "missing: h and c"),
        ({"output": "token"}, "one of next"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: dict[str, object], message: str, stepper: lstmgraph.Stepper
) -> None:
    given: dict[str, object] = {"start_inputs": STATES, "start_token": START, "max_steps": STEPS}
    with pytest.raises(ValueError, match=message):
        lstmgraph.generate(stepper, **{**given, **options})


def test_a_recipe_that_reads_numbers_writes_no_tokens() -> None:
    recipe = load("""
inputs: {x: {shape: [time, 2]}}
layers: {reader: {type: gru, input: x, units: 2, return_sequences: true}}
outputs: {y: reader}
""")
    with pytest.raises(ValueError, match="one sequence input of ids"):
        lstmgraph.generate(recipe.derive("step"), start_token=0, max_steps=3)
