"""Losses and metrics of a sequence are the numbers over its counted steps alone.

``LSTMGRAPH_EXAMPLES=1000`` tries the whole grid of ``loss_grid.py``, with one batch and several.
"""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import step_numbers
from building import MASK
from loss_grid import (
    CATALOGUE,
    CELLS,
    KINDS,
    LABELS,
    MASKS,
    OF_ROWS,
    OVERLAPS,
    ROWS,
    STEPS,
    Cell,
    Head,
    heads_of,
    inputs,
    numbers,
    recipe_of,
    targets,
    wider,
)

import lstmgraph
from lstmgraph.models.building.forecasting import LOSSES, METRICS

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = [
    (Cell("holes", "steps", 1), 3),
    (Cell("lengths", "rows", 3), 2),
    (Cell("holes", "classes", 3), ROWS),
    (Cell("none", "none", 3, "row"), 3),
    (Cell("none", "rows", 1, "row"), ROWS),
]
"""Cells, each with the rows of a batch; the first runs as a graph, which is slow to trace."""
if "LSTMGRAPH_EXAMPLES" in os.environ:
    SAMPLE = list(product(CELLS, (2, ROWS)))
FILLINGS = (0.0, np.nan, np.inf, -1e30) if "LSTMGRAPH_EXAMPLES" in os.environ else (0.0, np.nan)
"""What stands in padded steps of inputs and targets."""


def test_every_loss_and_metric_of_the_catalogue_is_in_the_grid() -> None:
    kinds = KINDS.values()
    metrics = {name for kind in kinds for name, _ in (*kind.metrics, *kind.of_several)}
    losses = {name for kind in kinds for name, _ in kind.losses} | {name for name, _ in OVERLAPS}
    named = lambda family: {  # noqa: E731
        key.removeprefix(f"{family}.") for key in CATALOGUE if key.startswith(f"{family}.")
    }
    # Those of forecasters are in test_forecasting_scores.
    assert metrics == named("metric") - {*METRICS} == set(step_numbers.METRICS)
    assert losses | OF_ROWS == named("loss") - {*LOSSES}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "batch"), SAMPLE, ids=lambda value: value.name if isinstance(value, Cell) else value
)
def test_losses_and_metrics_are_those_of_the_formulas(cell: Cell, batch: int) -> None:
    """Padding is wider than the mask needs, and NaN in inputs, targets and weights."""
    found = numbers(cell, batch, eager=(cell, batch) != SAMPLE[0])
    assert len(found) > 50
    assert [number for number in found if not number.is_right] == []


def spoiled(target: np.ndarray, mask: str) -> np.ndarray:
    return target if mask == "none" else wider(target, MASKS[mask][1])


@pytest.mark.parametrize("mask", MASKS)
def test_an_overlap_is_that_of_the_counted_steps(mask: str) -> None:
    """Keras 3.15.1 has `alpha` and `beta` of Tversky in exchange; rows without a step are none."""
    cell, counted = Cell(mask), MASKS[mask][1]
    heads = [Head(f"y{index}", "chance", case) for index, case in enumerate(OVERLAPS)]
    model = recipe_of(cell, heads).build()
    model.run_eagerly = True
    target = targets("chance", 3, counted.shape)
    given = {head.name: spoiled(target, mask) for head in heads}
    found = model.evaluate(inputs(cell), given, batch_size=ROWS, verbose=0, return_dict=True)
    predicted = model.predict(inputs(cell), verbose=0)
    for head in heads:
        name, arguments = head.loss
        weights = {key: value for key, value in arguments.items() if key != "axis"}
        out = predicted[head.name][:, :STEPS].astype("float64")
        parts = {
            "None": [(target[counted], out[counted])],
            "[1, 2]": [
                (target[row][counted[row]], out[row][counted[row]])
                for row in range(ROWS)
                if counted[row].any()
            ],
            "-1": list(zip(target[counted], out[counted], strict=True)),
        }[str(arguments.get("axis"))]
        wanted = np.mean([step_numbers.overlap(name, *part, **weights) for part in parts])
        np.testing.assert_allclose(found[f"{head.name}_loss"], wanted, rtol=2e-5, err_msg=str(head))


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["lengths", "holes"])
def test_ctc_reads_the_counted_steps_of_each_row(mask: str) -> None:
    """A row without a counted step is none, whatever its labels."""
    cell, counted = Cell(mask), MASKS[mask][1]
    model = recipe_of(cell, [Head("y", "labels", ("CTC", {}))]).build()
    model.run_eagerly = mask == "holes"  # and once as a graph
    out = model.predict(inputs(cell), verbose=0)["y"][:, :STEPS].astype("float64")
    of_rows = [
        step_numbers.ctc(out[row][counted[row]], [label for label in LABELS[row] if label])
        for row in range(ROWS - 1)
    ]
    found = model.evaluate(inputs(cell), {"y": LABELS}, batch_size=ROWS, verbose=0)
    np.testing.assert_allclose(found, np.mean(of_rows), rtol=1e-5)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 3.0])
    weighed = model.evaluate(
        inputs(cell), {"y": LABELS}, batch_size=ROWS, verbose=0, sample_weight=weights
    )
    np.testing.assert_allclose(weighed, np.dot(of_rows, weights[:-1]) / len(of_rows), rtol=1e-5)


@pytest.mark.slow
def test_circle_compares_the_rows_of_a_batch() -> None:
    recipe = lstmgraph.load("""
recipe: 1
name: circle
inputs: {x: {shape: [time, 3]}}
layers:
  r: {type: gru, input: x, units: 4}
  y: {type: unit_normalization, input: r}
outputs: {y: y}
training: {loss: {type: circle, gamma: 8.0, margin: 0.3}}
""")
    model = recipe.build()
    x = np.random.default_rng(3).normal(size=(8, STEPS, 3)).astype("float32")
    ids, weights = np.array([0, 1, 1, 0, 2, 1, 0, 2]), np.linspace(0, 2, 8)
    out = model.predict({"x": x}, verbose=0)["y"].astype("float64")
    found = model.evaluate({"x": x}, {"y": ids}, sample_weight=weights, batch_size=8, verbose=0)
    wanted = step_numbers.circle(ids, out, weights, gamma=8.0, margin=0.3)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("case", "weights", "words"),
    [
        (("Dice", {}), np.ones(ROWS), "one number for the whole batch"),
        (("Dice", {"axis": [1, 2]}), np.ones((ROWS, STEPS)), "give one weight for each row"),
        (("CTC", {}), np.ones((ROWS, STEPS)), "give one weight for each row"),
    ],
)
def test_weights_that_a_loss_cannot_use_are_refused(
    case: tuple[str, dict[str, Any]], weights: np.ndarray, words: str
) -> None:
    """Keras multiplies the loss of a batch by the mean weight, or fails in TensorFlow's words."""
    kind = "labels" if case[0] == "CTC" else "chance"
    model = recipe_of(Cell(), [Head("y", kind, case)]).build()
    target = targets(kind, 3, MASK.shape)
    with pytest.raises(ValueError, match=words):
        model.evaluate(inputs(Cell()), {"y": target}, sample_weight={"y": weights}, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mask", ["holes"] if "LSTMGRAPH_EXAMPLES" not in os.environ else ["lengths", "holes"]
)
def test_padding_reaches_no_weight(mask: str) -> None:
    """One step of training is that with zeros there, for all losses together."""
    cell, counted = Cell(mask), MASKS[mask][1]
    heads = [
        *heads_of(3),
        *(Head(f"overlap_{index}", "chance", case) for index, case in enumerate(OVERLAPS)),
        Head("labels", "labels", ("CTC", {})),
    ]
    steps = {head.name: targets(head.kind, 3, MASK.shape) for head in heads}
    changed = []
    for filling in FILLINGS:
        model = recipe_of(cell, heads).build()
        model.run_eagerly = True
        before = model.get_weights()
        given = {
            name: each if name == "labels" else wider(each, counted, filling)
            for name, each in steps.items()
        }
        model.fit(inputs(cell, filling=filling), given, batch_size=ROWS, verbose=0)
        after = model.get_weights()
        assert all(np.any(one != other) for one, other in zip(before, after, strict=True))
        changed.append(after)
    for others in changed[1:]:
        for one, other in zip(changed[0], others, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_counts_as_before_and_is_plain(tmp_path: Path) -> None:
    """`lstmgraph.load_model` counts the same steps; for Keras the file holds its own classes."""
    cell = Cell("lengths")
    metrics: list[Any] = [("AUC", {}), ("F1Score", {"average": "macro"})]
    heads = [
        Head("a", "chance", ("Dice", {})),
        Head("b", "chance", ("BinaryCrossentropy", {}), metrics),
        Head("c", "labels", ("CTC", {})),
    ]
    recipe = recipe_of(cell, heads)
    model = recipe.build()
    model.run_eagerly = True
    given = {
        head.name: LABELS
        if head.kind == "labels"
        else wider(targets("chance", 3, MASK.shape), MASKS["lengths"][1])
        for head in heads
    }
    wanted = model.evaluate(inputs(cell), given, verbose=0, return_dict=True)
    file = tmp_path / "heads.keras"
    recipe.save(model, file)
    loaded = lstmgraph.load_model(file)
    loaded.run_eagerly = True
    found = loaded.evaluate(inputs(cell), given, verbose=0, return_dict=True)
    assert found == pytest.approx(wanted)
    plain = keras.models.load_model(file)
    assert type(plain.loss["a"]) is keras.losses.Dice
    assert type(plain.loss["c"]) is keras.losses.CTC
