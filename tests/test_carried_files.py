"""Saved states go on exactly, in a model built or loaded; what is not states changes nothing."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import Arrays, assert_equal_arrays, copy_weights, outputs_of, randomise
from test_carried import ROWS, reader, sequence

from lstmgraph.models import carried
from lstmgraph.models.carried import (
    read_states,
    reset_states,
    restore_states,
    save_states,
    write_states,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("kind", ["stack", "gru", "mixed precision", "float64"])
def test_restored_states_go_on_bit_for_bit(kind: str, tmp_path) -> None:
    model = reader(kind)
    outputs_of(model, {"x": sequence()})
    save_states(model, tmp_path / "states.npz")
    model.save(tmp_path / "model.keras")
    wanted = outputs_of(model, {"x": sequence(1)})
    built = reader(kind)
    copy_weights(model, built)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for other in (built, loaded):
        assert not any(state.any() for state in read_states(other).values())
        outputs_of(other, {"x": sequence(2)})
        restore_states(other, tmp_path / "states.npz")
        assert_equal_arrays(outputs_of(other, {"x": sequence(1)}), wanted)
    assert {path.name for path in tmp_path.iterdir()} == {"states.npz", "model.keras"}


def both_ways() -> keras.Model:
    """Written by hand: carried states of two directions, inside another model."""
    x = keras.Input(batch_shape=(2, 3, 3), name="x")
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2, stateful=True), name="both")
    inner = keras.Model(x, layer(x), name="inner")
    model = keras.Model({"x": x}, {"y": inner(x)})
    randomise(model)
    return model


def test_models_written_by_hand_are_saved_whole(tmp_path) -> None:
    x = {"x": sequence()[:2, :3]}
    model = both_ways()
    outputs_of(model, x)
    assert list(read_states(model)) == [f"inner.both.{number}" for number in (1, 2, 3, 4)]
    save_states(model, tmp_path / "states.npz")
    other = both_ways()
    restore_states(other, tmp_path / "states.npz")
    assert_equal_arrays(outputs_of(other, x), outputs_of(model, x))
    reset_states(model)
    assert not any(state.any() for state in read_states(model).values())


# What is not the states of this model changes nothing.


def no_archive(path: Path, states: Arrays) -> None:
    path.write_bytes(b"not an archive")


def no_bytes(path: Path, states: Arrays) -> None:
    path.write_bytes(b"")


def truncated(path: Path, states: Arrays) -> None:
    np.savez(path, **states)
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path: Path, states: Arrays) -> None:
    np.savez(path, **states)
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)


def one_array(path: Path, states: Arrays) -> None:
    with path.open("wb") as file:
        np.save(file, states["reader_1.h"])


def pickled(path: Path, states: Arrays) -> None:
    path.write_bytes(pickle.dumps(states))


def pickled_inside(path: Path, states: Arrays) -> None:
    np.savez(path, **{name: np.array([state, None], object) for name, state in states.items()})


def one_missing(path: Path, states: Arrays) -> None:
    np.savez(path, **{name: state for name, state in states.items() if name != "reader_2.c"})


def one_too_many(path: Path, states: Arrays) -> None:
    np.savez(path, **states, other=np.zeros(2))


def other_shape(path: Path, states: Arrays) -> None:
    np.savez(path, **{**states, "reader_2.c": np.ones((1, 2), "float32")})


def words(path: Path, states: Arrays) -> None:
    np.savez(path, **{**states, "reader_2.c": np.full((ROWS, 2), "one")})


WRONG_FILES = {
    no_archive: "is not a file of states",
    no_bytes: "is not a file of states",
    truncated: "is not a file of states",
    flipped: "is not a file of states",
    one_array: "is not a file of states",
    pickled: "states.npz is not a file of states",
    pickled_inside: "is not a file of states.*Python objects",
    one_missing: "carries the states reader_1.h, .*, reader_2.c; given: reader_1.h",
    one_too_many: "given: .*other",
    other_shape: r"reader_2.c must have shape \(5, 2\), not \(1, 2\)",
    words: "reader_2.c must hold numbers, not <U3",
}


@pytest.fixture(scope="module")
def stack() -> keras.Model:
    model = reader("stack")
    outputs_of(model, {"x": sequence()})
    return model


@pytest.mark.parametrize("spoil", WRONG_FILES, ids=lambda spoil: spoil.__name__)
def test_wrong_files_change_nothing(spoil: Callable, stack: keras.Model, tmp_path) -> None:
    before = read_states(stack)
    spoil(tmp_path / "states.npz", {name: state + 1 for name, state in before.items()})
    with pytest.raises(ValueError, match=WRONG_FILES[spoil]):
        restore_states(stack, tmp_path / "states.npz")
    assert_equal_arrays(read_states(stack), before)


def test_wrong_names_name_what_is_wanted(stack: keras.Model) -> None:
    before = read_states(stack)
    with pytest.raises(ValueError, match=r"reader_1\.h, .*given: reader\.h"):
        write_states(stack, {"reader.h": np.zeros((ROWS, 4))})
    assert_equal_arrays(read_states(stack), before)
    stateless = reader("lstm", "zeros")
    assert read_states(stateless) == {}
    with pytest.raises(ValueError, match="carries the states none"):
        write_states(stateless, before)


def test_failed_save_leaves_the_file(stack: keras.Model, tmp_path, monkeypatch) -> None:
    def half(file, **states) -> None:
        file.write(b"half a fi")
        raise OSError("no space left on device")

    save_states(stack, tmp_path / "states.npz")
    before = (tmp_path / "states.npz").read_bytes()
    monkeypatch.setattr(carried.np, "savez", half)
    with pytest.raises(OSError, match="no space"):
        save_states(stack, tmp_path / "states.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["states.npz"]
    assert (tmp_path / "states.npz").read_bytes() == before
