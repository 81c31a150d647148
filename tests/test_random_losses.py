"""Losses and metrics on outputs of random recipes: `evaluate` gives the numbers of NumPy.

Which steps count is what ``numpy_model.py`` says, from the recipe's words alone. With
``LSTMGRAPH_EXAMPLES=1000`` 50 examples run, drawn anew, each with several losses and metrics.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import step_numbers
from building import randomise, weights_by_layer
from generated import examples, recipes
from hypothesis import assume, event, given
from hypothesis import strategies as st
from loss_grid import KINDS, Case, targets, written
from numpy_layers import NotEvaluatedError
from numpy_model import NumpyModel
from test_random_outputs import batch, in_one_precision

import lstmgraph

if TYPE_CHECKING:
    from generated_base import Generated

MOST_HEADS = 3


@st.composite
def heads(draw: Any) -> list[tuple[str, int, Case, list[Case]]]:
    """Kinds of the grid, each with units, a loss and metrics."""
    found = []
    for _ in range(draw(st.integers(1, MOST_HEADS))):
        kind = draw(st.sampled_from([kind for kind, entry in KINDS.items() if entry.losses]))
        entry = KINDS[kind]
        units = 3 if entry.several else draw(st.sampled_from([1, 3]))
        metrics = [*entry.metrics, *(entry.of_several if units > 1 else ())]
        some = st.lists(st.sampled_from(metrics), max_size=3, unique_by=str) if metrics else None
        found.append(
            (
                kind,
                units,
                draw(st.sampled_from(entry.losses)),
                draw(some) if some is not None else [],
            )
        )
    return found


def with_heads(data: dict[str, Any], drawn: list[Any]) -> dict[str, Any]:
    """The recipe with a dense layer for each head, on one of its outputs in turn."""
    data = copy.deepcopy(data)
    refs = list(data["outputs"].values())
    losses, metrics, outputs = {}, {}, {}
    for index, (kind, units, loss, several) in enumerate(drawn):
        name = f"head{index}"
        activation = KINDS[kind].activation
        data["layers"][name] = {
            "type": "dense",
            "input": refs[index % len(refs)],
            "units": units,
            "activation": activation,
        }
        outputs[name], losses[name] = name, written(loss)
        if several:
            metrics[name] = [written(case, name=f"m{at}") for at, case in enumerate(several)]
    data["outputs"] = {**data["outputs"], **outputs}
    data["training"] = {"loss": losses, "metrics": metrics}
    return data


@pytest.mark.slow
@examples(2)
@given(recipes(min_layers=1, max_layers=4), heads(), st.booleans())
def test_losses_and_metrics_of_random_recipes(
    generated: Generated, drawn: list[Any], weighs: bool
) -> None:
    check_losses(generated, drawn, weighs=weighs)


def check_losses(generated: Generated, drawn: list[Any], *, weighs: bool) -> None:
    keras.backend.clear_session()
    base = in_one_precision(generated.data, "float32")
    assume("carried" not in json.dumps(base))
    assume("time_major" not in json.dumps(base))  # Keras asks for one size of all first axes
    data = with_heads(base, drawn)
    try:
        recipe = lstmgraph.load(json.dumps(data))
    except lstmgraph.RecipeError as error:
        event(f"refused: {error.diagnostics[0].code}")
        assume(False)
    model = recipe.build()
    randomise(model)
    random = np.random.default_rng(len(data["layers"]))
    given_inputs = batch(data, model, random)
    try:
        values = NumpyModel(base, weights_by_layer(model), given_inputs, {}).outputs()
    except NotEvaluatedError:
        event("not evaluated")
        assume(False)
    predicted = model.predict(given_inputs, batch_size=64, verbose=0)
    targets_of, wanted, weights = {}, {}, {}
    names = list(base["outputs"])
    for index, (kind, units, loss, several) in enumerate(drawn):
        name, source = f"head{index}", values[names[index % len(names)]]
        out = predicted[name].astype("float64")
        assume(np.isfinite(out).all() and np.abs(out).max() < 50)
        target = targets(kind, units, out.shape[:-1]).astype("float64")
        mask = np.ones(out.shape[:2], bool) if source.mask is None else source.mask
        counted = mask if out.ndim > 2 else np.ones(len(out), bool)
        of_rows = random.uniform(0, 2, len(out)) if weighs else np.ones(len(out))
        inner = (1,) * (out.ndim - 1 - counted.ndim)
        counted = np.broadcast_to(counted.reshape(*counted.shape, *inner), out.shape[:-1])
        of_steps = np.broadcast_to(of_rows.reshape(-1, *(1,) * (out.ndim - 2)), out.shape[:-1])
        chosen = target[counted], out[counted]
        wanted[f"{name}_loss"] = (
            step_numbers.loss(loss[0], *chosen, of_steps[counted], **loss[1])
            if counted.any()
            else 0.0
        )
        for at, (metric, arguments) in enumerate(several):
            if counted.any():
                right = step_numbers.METRICS[metric](*chosen, np.ones(counted.sum()), **arguments)
                wanted[f"{name}_m{at}"] = float(np.squeeze(right))
        spoiled = np.where(
            counted.reshape(*counted.shape, *(1,) * (target.ndim - counted.ndim)), target, np.nan
        )
        targets_of[name], weights[name] = spoiled.astype("float32"), of_rows.astype("float32")
    rows = len(next(iter(predicted.values())))
    others = [name for name in model.output if name not in targets_of]
    targets_of |= {name: np.zeros((rows, 1), "float32") for name in others}
    model.run_eagerly = True
    found = model.evaluate(
        given_inputs,
        targets_of,
        sample_weight=weights | dict.fromkeys(others, np.ones(rows)) if weighs else None,
        batch_size=64,
        verbose=0,
        return_dict=True,
    )
    if len(drawn) == 1:
        found["head0_loss"] = found["loss"]
    for name, number in wanted.items():
        np.testing.assert_allclose(found[name], number, rtol=1e-4, atol=1e-5, err_msg=name)
