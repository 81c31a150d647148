"""Sample weights by output and class weights: where they come from, and what they weigh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from data_building import recipe, store_rows, table

import lstmgraph
from lstmgraph.data.fingerprint import fingerprint
from lstmgraph.tuning.data import kept_path

if TYPE_CHECKING:
    from pathlib import Path

Numbers = dict[str, Any]

TWO = """
    inputs:
      x: {shape: [time, 2]}
      lengths: {shape: [], dtype: int32}
    layers:
      reader: {type: gru, input: x, units: 3, mask: {lengths: lengths}}
      price: {type: dense, input: reader.last, units: 1}
      words: {type: dense, input: reader.sequence, units: 4, activation: softmax}
    outputs: {price: price, words: words, state: reader.state}
    training: {loss: {price: mse, words: sparse_categorical_crossentropy}}
    data: {split: {kind: chronological, validation: 0.25}}
"""
ROWS, STEPS = 8, 3


def arrays() -> Numbers:
    random = np.random.default_rng(0)
    return {
        "x": random.normal(size=(ROWS, STEPS, 2)),
        "lengths": random.integers(1, STEPS + 1, ROWS),
        "price": random.normal(size=ROWS),
        "words": random.integers(0, 4, (ROWS, STEPS)),
    }


PRICE, WORDS = np.arange(ROWS) / 8, np.arange(ROWS * STEPS).reshape(ROWS, STEPS) / 32
WEIGHTS = {"price_sample_weight": PRICE, "words_sample_weight": WORDS}


def pair() -> tuple[Numbers, Numbers]:
    every = arrays()
    return {n: every[n] for n in ("x", "lengths")}, {n: every[n] for n in ("price", "words")}


def packed(folder: Path) -> Path:
    np.savez(folder / "all.npz", **arrays(), **WEIGHTS)
    return folder / "all.npz"


def files(folder: Path) -> Path:
    for name, array in {**arrays(), **WEIGHTS}.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def dataset(folder: Path) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - only here

    return tf.data.Dataset.from_tensor_slices((*pair(), {"price": PRICE, "words": WORDS}))


FORMS: dict[str, Any] = {
    "npz": packed,
    "npy": files,
    "names": lambda _: {**arrays(), **WEIGHTS},
    "a dictionary": lambda _: {**arrays(), "sample_weight": {"price": PRICE, "words": WORDS}},
    "x, y and weights": lambda _: (*pair(), {"price": PRICE, "words": WORDS}),
    "lists": lambda _: (*pair(), {"price": PRICE.tolist(), "words": WORDS.tolist()}),
    "a dataset": dataset,
    "parts": lambda _: {
        f"{part}_{name}": array[rows]
        for part, rows in (("train", slice(6)), ("val", slice(6, 8)))
        for name, array in {**arrays(), **WEIGHTS}.items()
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_each_output_its_weights(form: str, tmp_path: Path) -> None:
    data = recipe(TWO).load_data(FORMS[form](tmp_path))
    assert data.validation is not None
    assert data.warnings == ()
    for part, rows in ((data.train, slice(6)), (data.validation, slice(6, 8))):
        found = part.arrays()[2]
        assert found is not None
        np.testing.assert_allclose(found["price"], PRICE[rows], rtol=1e-6)
        np.testing.assert_allclose(found["words"], WORDS[rows], rtol=1e-6)
    tensors = {row.name: row.shape for row in data.summary().tensors if row.role == "weight"}
    assert tensors == {"price_sample_weight": [], "words_sample_weight": [STEPS]}


def test_what_has_no_weights_counts_once_and_rows_weigh_all_their_steps() -> None:
    data = recipe(TWO).load_data((*pair(), {"words": PRICE}))
    found = data.train.arrays()[2]
    assert found is not None
    np.testing.assert_array_equal(found["price"], np.ones(6))
    np.testing.assert_allclose(found["words"], PRICE[:6, None] * np.ones(STEPS))


def test_a_search_keeps_them(tmp_path: Path) -> None:
    found = recipe(TWO)
    given = found.load_data((*pair(), {"price": PRICE, "words": WORDS}))
    for source in (
        (*pair(), {"price": PRICE, "words": WORDS}),
        {**arrays(), "sample_weight": {"price": PRICE, "words": WORDS}},
    ):
        kept = found.load_data(kept_path(found.compiled, source, tmp_path))
        assert fingerprint(kept.train) == fingerprint(given.train)


def test_weights_belong_to_the_fingerprint() -> None:
    def of(**weights: np.ndarray) -> str:
        return fingerprint(recipe(TWO).load_data((*pair(), weights)).train)

    prints = [of(), of(price=PRICE), of(price=PRICE + 1), of(words=PRICE), of(words=WORDS)]
    assert len(set(prints)) == len(prints)
    assert of(price=PRICE) == prints[1]


TABLE = """
    inputs: {history: {shape: [4, 1]}}
    layers:
      reader: {type: lstm, input: history, units: 3}
      sales: {type: dense, input: reader, units: 2}
      kind: {type: dense, input: reader, units: 3}
    outputs: {sales: sales, kind: kind}
    training: {loss: mse}
    data:
      series: store
      time: day
      window: {history: 4, horizon: 2}
      inputs: {history: {columns: [sales]}}
      targets: {sales: {columns: [sales]}, kind: {columns: [price, size, kind], steps: last}}
      sample_weight: {sales: {columns: [promo], steps: last}, kind: {columns: [size], static: true}}
      split: {validation: 0}
"""


def test_columns_by_output(tmp_path: Path) -> None:
    rows = store_rows(9, 8)
    found = recipe(TABLE)
    for cache in (None, tmp_path, tmp_path):
        weights = found.load_data(table(rows), cache=cache).train.arrays()[2]
        assert weights is not None
        promo = [row["promo"] for row in rows]
        last = [promo[i + 3] for i in range(4)] + [promo[9 + i + 3] for i in range(3)]
        np.testing.assert_array_equal(weights["sales"], last)
        np.testing.assert_array_equal(weights["kind"], [0.0] * 4 + [10.5] * 3)


# --- class weights ---

CLASSES = {
    "sparse_categorical_crossentropy": (3, [0, 2, 1, 2], [0.5, 4, 1, 4]),
    "categorical_crossentropy": (3, np.eye(3)[[0, 2, 1, 2]], [0.5, 4, 1, 4]),
    "categorical_hinge": (3, np.eye(3)[[0, 2, 1, 2]], [0.5, 4, 1, 4]),
    "binary_crossentropy": (1, [0, 1, 1, 0], [0.5, 4, 4, 0.5]),
    "hinge": (1, [-1, 1, 1, -1], [0.5, 4, 4, 0.5]),
}
ONE = """
    inputs: {x: {shape: [2, 2]}}
    layers:
      reader: {type: gru, input: x, units: 3, return_sequences: STEPS}
      y: {type: dense, input: reader, units: UNITS, activation: sigmoid}
    outputs: {y: y}
    training: {loss: LOSS, class_weight: {0: 0.5, LAST: 4.0}}
    data: {split: {kind: chronological, validation: 0.5}}
"""


@pytest.mark.parametrize("by_step", [False, True], ids=["rows", "steps"])
@pytest.mark.parametrize("loss", CLASSES)
def test_classes_weigh_the_training_data_alone(loss: str, by_step: bool) -> None:
    units, targets, wanted = CLASSES[loss]
    text = ONE.replace("LOSS", loss).replace("STEPS", str(by_step).lower())
    found = recipe(text.replace("UNITS", str(units)).replace("LAST", "1" if units == 1 else "2"))
    y = np.array(targets)
    if by_step:  # each row has the classes of two rows
        y = np.stack([y, y[::-1]], axis=1)
    x, factor = np.zeros((4, 2, 2)), np.array([1.0, 2.0, 3.0, 4.0])
    weights = np.array(wanted)
    if by_step:
        weights, factor = np.stack([weights, weights[::-1]], axis=1), factor[:, None]
    for own in (None, factor.reshape(4)):
        data = found.load_data((x, y) if own is None else (x, y, own))
        assert data.validation is not None
        scale = np.ones_like(factor) if own is None else factor
        by_class, plain = data.train.arrays()[2], data.validation.arrays()[2]
        assert by_class is not None
        np.testing.assert_allclose(by_class["y"], (weights * scale)[:2])
        if own is None:
            assert plain is None
        else:
            assert plain is not None
            np.testing.assert_allclose(plain["y"], np.broadcast_to(factor, weights.shape)[2:])


def test_folds_and_data_of_another_recipe() -> None:
    """Class weights are those of the recipe that is trained, on the training part of each fold."""
    text = ONE.replace("LOSS", "binary_crossentropy").replace("STEPS", "false")
    text = text.replace("UNITS", "1").replace("LAST", "1").replace("validation: 0.5", "folds: 2")
    data = recipe(text).load_data((np.zeros((6, 2, 2)), np.arange(6) % 2))
    for fold in data.folds:
        found, targets = fold.train.arrays()[2], fold.train.arrays()[1]["y"][:, 0]
        assert found is not None
        np.testing.assert_array_equal(found["y"], np.where(targets == 1, 4.0, 0.5))
        assert fold.validation.arrays()[2] is None
    from lstmgraph.data.loading import data_of  # noqa: PLC0415 - what train and tune call

    other = recipe(text, training__class_weight={"1": 9.0}).compiled
    weights = data_of(other, data.folds[0].train).train.arrays()[2]
    assert weights is not None
    assert set(weights["y"]) == {1.0, 9.0}


def refused(text: str, **values: Any) -> list[str]:
    with pytest.raises(lstmgraph.RecipeError) as error:
        recipe(text, **values)
    return [found.code for found in error.value.diagnostics]


def test_class_weights_that_mean_nothing() -> None:
    several = ONE.replace("STEPS", "false").replace("UNITS", "3").replace("LAST", "1")
    for loss in ("binary_crossentropy", "hinge", "mse", "dice", "kl_divergence"):
        assert refused(several.replace("LOSS", loss)) == ["L767"], loss
    assert refused(several.replace("LOSS", "ctc")) == ["L787", "L767"]
    sparse = several.replace("LOSS", "sparse_categorical_crossentropy")
    for key in ("3", "-1", "1.0", "one"):
        assert refused(sparse, training__class_weight={key: 1.0}) == ["L768"]
    assert refused(sparse, training__class_weight={"z": {"1": 1.0}}) == ["L751"]
    assert refused(sparse, training__weighted_metrics={"z": ["mae"]}) == ["L751"]
    assert refused(sparse, training__class_weight={"1": -1.0}) == ["L206"]
    one = several.replace("LOSS", "binary_crossentropy").replace("units: 3, act", "units: 1, act")
    assert refused(one, training__class_weight={"2": 1.0}) == ["L768"]


# --- what nothing reads ---


def named(found: lstmgraph.Recipe, source: Any) -> list[str]:
    try:
        problems = found.load_data(source).warnings
    except lstmgraph.DataError as error:
        problems = error.problems
    return [f"{problem.code} {problem.message}" for problem in problems]


def nothing_reads(name: str, near: str) -> str:
    return f"D205 nothing reads the array '{name}'; did you mean '{near}'?"


UNREAD: dict[str, tuple[Any, list[str]]] = {
    "all misspelt": ({"sample_weights": PRICE}, [nothing_reads("sample_weights", "sample_weight")]),
    "one misspelt": (
        {"price_sample_weigth": PRICE},
        [nothing_reads("price_sample_weigth", "price_sample_weight")],
    ),
    "swapped": (
        {"sample_weight_words": WORDS},
        [nothing_reads("sample_weight_words", "sample_weight")],
    ),
    "another array": (
        {"notes": PRICE, "ids": PRICE},
        ["D206 nothing reads the arrays 'notes', 'ids'"],
    ),
    "an output without a loss": ({"state_h": PRICE}, ["D206 nothing reads the array 'state_h'"]),
    "weights of one without a loss": (
        {"state_h_sample_weight": PRICE},
        ["D205 'state_h_sample_weight' is for an output without a loss or a weighted metric"],
    ),
    "weights of all and of one": (
        {"sample_weight": PRICE, "price_sample_weight": PRICE},
        [
            "D205 there are weights of all targets, 'sample_weight', and of one, "
            "'price_sample_weight'"
        ],
    ),
    "a part beside the whole": (
        {"test_x": WORDS},
        ["D205 nothing reads the array 'test_x', as there are arrays without the prefix of a part"],
    ),
}


@pytest.mark.parametrize("case", UNREAD)
def test_arrays_that_nothing_reads_are_named(case: str) -> None:
    more, wanted = UNREAD[case]
    assert named(recipe(TWO), {**arrays(), **more}) == wanted


def test_what_nothing_reads_in_x_y_and_weights() -> None:
    x, y = pair()
    found = recipe(TWO)
    assert named(found, ({**x, "extra": 1}, y)) == ["D206 nothing reads the array 'extra' of x"]
    assert named(found, (x, {**y, "extra": 1})) == ["D206 nothing reads the array 'extra' of y"]
    assert named(found, (x, y, {"prise": PRICE})) == [
        "D201 there is no output 'prise' for the weights; did you mean 'price'?"
    ]
    assert named(found, (x, y, [np.ones(ROWS), np.ones(ROWS)])) == [
        "D201 the weights of several outputs stand in a list, without names"
    ]
    assert named(found, (x, y, {0: 1.0, 1: 5.0})) == [
        "D205 the weights are by class, where those of examples stand"
    ]
    assert named(found, (x, y, {"state_h": PRICE})) == [
        "D205 the weight of 'state_h' is for an output without a loss or a weighted metric"
    ]
    weights = {"price": np.ones((ROWS, STEPS)), "words": np.ones((ROWS, 2))}
    assert named(found, (x, y, weights)) == [
        "D203 'price_sample_weight' has shape (8, 3), but the loss of 'price' takes (batch)",
        "D203 'words_sample_weight' has shape (8, 2), but the loss of 'words' takes (batch, 3)",
    ]


def test_a_loss_of_whole_batches_takes_none() -> None:
    found = recipe(TWO, training__loss={"price": "mse", "words": "dice"})
    x, y = pair()
    y["words"] = np.eye(4)[y["words"]]
    for weights in (PRICE, {"words": PRICE}):
        (problem,) = named(found, (x, y, weights))
        assert problem.startswith("D205")
        assert problem.endswith("weighs rows, but the loss of 'words' is one number for a batch")
    assert named(found, (x, y, {"price": PRICE})) == []
