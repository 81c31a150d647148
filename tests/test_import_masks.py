"""`lstmgraph import` and masks that Keras loses or joins, `--fix`, and the batches of its check.

A fixed recipe gives the numbers of the same Keras layers called with `mask=` by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import lstmgraph
from lstmgraph.interop.importing.sampling import batches
from lstmgraph.messages.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS = 3


def embedded(name: str) -> Any:
    ids = keras.Input((None,), dtype="int32", name=f"{name}_ids")
    return layers.Embedding(9, UNITS, mask_zero=True, name=name)(ids)


def model_of(join: Callable[..., Any], **keywords: Any) -> keras.Model:
    """A reader of what `join` makes of two masked sequences and one without a mask."""
    a, b, c = embedded("a"), embedded("b"), keras.Input((None, UNITS), name="c")
    joined = join(a, b, c)
    given = [x._keras_history.operation.input for x in (a, b)]
    return keras.Model([*given, c], layers.GRU(4, name="reader")(joined, **keywords))


LOST: dict[str, tuple[Callable[..., Any], str]] = {
    "joined with none": (
        lambda a, _, c: layers.Concatenate(name="joined")([a, c]),
        "an input that has none",
    ),
    "added to none": (
        lambda a, _, c: layers.Add(name="joined")([a, c]),
        "merged with an input that has none",
    ),
    "operation": (lambda a, *_: a * 2, "an operation before it"),
    "operation of two": (lambda a, _, c: layers.Dense(3)(a + c), "an operation before it"),
}
JOINED: dict[str, Callable[..., Any]] = {
    "concatenated": lambda a, b, _: layers.Concatenate(name="joined")([a, b]),
    "added": lambda a, b, _: layers.Add(name="joined")([a, b]),
    "nested": lambda a, b, c: layers.Concatenate(name="joined")(
        [layers.Dense(2)(layers.Add()([a, b])), layers.Masking()(c)]
    ),
}


def numbers_of(model: keras.Model, mask_by: str | None) -> Any:
    """The reader's output on padded rows; with the mask of ids, which is given by hand."""
    random = np.random.default_rng(0)
    data = {
        "a_ids": np.array([[1, 2, 3, 4], [5, 6, 0, 0]], "int32"),
        "b_ids": np.array([[1, 0, 3, 4], [5, 6, 7, 0]], "int32"),
        "c": random.normal(size=(2, 4, UNITS)).astype("float32"),
    }
    if mask_by is None:
        return next(iter(model(data).values()))
    reader = model.get_layer("reader")
    (joined, *_) = keras.tree.flatten(reader.input)  # and the mask that Keras wrote down
    sequence = keras.Model(model.input, joined)(list(data.values()))
    return reader(ops.stop_gradient(sequence), mask=data[mask_by] != 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOST)
def test_a_lost_mask_is_said_and_kept_by_fix(name: str) -> None:
    join, reason = LOST[name]
    model = model_of(join)
    faithful, fixed = (lstmgraph.import_model(model, fix=fix) for fix in (False, True))
    assert faithful.check.ok, str(faithful.check)
    assert fixed.check.ok
    assert fixed.check.padded
    for imported, ending in ((faithful, "padded steps count."), (fixed, "here it is kept.")):
        assert any(reason in each and ending in each for each in imported.text.splitlines())
    assert np.allclose(numbers_of(fixed.model, None), numbers_of(model, "a_ids"), atol=1e-6)
    assert not np.allclose(numbers_of(faithful.model, None), numbers_of(model, "a_ids"), atol=1e-3)


@pytest.mark.parametrize("name", JOINED)
def test_masks_joined_by_or_are_refused_and_fix_takes_the_first(name: str) -> None:
    model = model_of(JOINED[name])
    with pytest.raises(ModelFileError, match="any of several masks") as error:
        lstmgraph.import_model(model)
    assert "`--fix` takes the first" in str(error.value)
    fixed = lstmgraph.import_model(model, fix=True)
    assert fixed.check.ok
    assert str(fixed.check).startswith("checked: the same outputs on 3 random batches without pad")
    assert "# Keras joins this mask with others by OR; here it counts alone." in fixed.text
    assert np.allclose(numbers_of(fixed.model, None), numbers_of(model, "a_ids"), atol=1e-6)


@pytest.mark.parametrize("merge", [ops.logical_or, ops.logical_and])
def test_masks_that_people_join_have_no_fix(merge: Any) -> None:
    one, two = (keras.Input((None,), dtype="bool", name=name) for name in ("one", "two"))
    steps = keras.Input((None, UNITS), name="steps")
    model = keras.Model([one, two, steps], layers.GRU(2)(steps, mask=merge(one, two)))
    with pytest.raises(ModelFileError, match="M206") as error:
        lstmgraph.import_model(model, fix=True)
    assert "--fix" not in str(error.value)


def test_attention_takes_masks_off_for_the_next() -> None:
    a = embedded("a")
    heads = [layers.MultiHeadAttention(1, 2, name=name)(a, a) for name in ("one", "two")]
    imported = lstmgraph.import_model(keras.Model(a._keras_history.operation.input, heads))
    assert imported.check.ok, str(imported.check)
    assert imported.text.count("mask: none") == 1
    assert "as attention takes it off what it reads" in imported.text


@pytest.mark.parametrize(("keyword", "code"), [("value_mask", "M206"), ("attention_mask", "M203")])
def test_masks_given_to_attention_are_refused(keyword: str, code: str) -> None:
    steps = keras.Input((4, UNITS), name="steps")
    shape = (4,) if keyword == "value_mask" else (4, 4)
    mask = keras.Input(shape, dtype="bool", name="counted")
    out = layers.MultiHeadAttention(1, 2, name="heads")(steps, steps, **{keyword: mask})
    with pytest.raises(ModelFileError, match=f"{code}.*layer 'heads'"):
        lstmgraph.import_model(keras.Model([steps, mask], out))


def sampled(layer: str) -> list[dict[str, np.ndarray]]:
    recipe = lstmgraph.load(f"""
recipe: 1
name: sampled
inputs:
  ids: {{shape: [time], dtype: int32}}
  steps: {{shape: [other, 2]}}
  lengths: {{shape: [], dtype: int32}}
layers:
  words: {{type: embedding, input: ids, input_dim: 9, output_dim: 2, mask_zero: true}}
  reader: {{type: gru, input: words, units: 2}}
  other: {{type: gru, input: steps, units: 2, mask: {{lengths: lengths}}}}
  more: {layer}
outputs: {{a: reader, b: other, c: more}}
""")
    return list(batches(recipe.compiled, ("right", "holes", "rows")))


def test_the_batches_of_the_check_differ() -> None:
    """In sizes; the second one has holes, the last one a row of padding, and no first row any."""
    found = sampled("{type: dense, input: words, units: 1}")
    assert len({batch["ids"].shape for batch in found}) == 3
    right, holes, rows = (batch["ids"] != 0 for batch in found)
    assert (np.sort(~right, axis=1) == ~right).all()
    assert (np.sort(~holes, axis=1) != ~holes).any()
    assert not rows[-1].any()
    assert found[2]["lengths"][-1] == 0
    assert all(batch["ids"][0].all() for batch in found)


def test_a_layer_that_needs_steps_gets_some() -> None:
    *_, rows = sampled("{type: global_average_pooling1d, input: words}")
    assert rows["ids"].any(axis=1).all()
    assert rows["lengths"].all()
