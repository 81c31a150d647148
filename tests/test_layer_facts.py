"""The facts of every layer, held against what Keras builds and computes.

Each case is built twice: symbolically, with None for dimensions that have a name, and eagerly, on
arrays where every name has a size. Shapes, parameters and dtypes must agree with both. For integer
inputs Keras declares its compute dtype but passes the integers on: there the eager dtype counts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_case import (
    EQUAL_SIZES,
    SIZES,
    Case,
    Refusal,
    case,
    complete,
    concrete,
    count,
    eager_call,
    f,
    symbolic_call,
)
from layer_cases_kernels import CONVOLUTION, DENSE, POOLING
from layer_cases_sequences import ATTENTION, MERGING, RECURRENT, WRAPPERS
from layer_cases_values import ELEMENTWISE, LOOKUPS, NORMALIZATION, PREPROCESSING, RESHAPING
from layer_refusals_kernels import CONVOLUTION_REFUSALS, DENSE_REFUSALS, POOLING_REFUSALS
from layer_refusals_sequences import (
    ATTENTION_REFUSALS,
    MERGING_REFUSALS,
    RECURRENT_REFUSALS,
    WRAPPERS_REFUSALS,
)
from layer_refusals_values import (
    ELEMENTWISE_REFUSALS,
    LOOKUP_REFUSALS,
    NORMALIZATION_REFUSALS,
    PREPROCESSING_REFUSALS,
    RESHAPING_REFUSALS,
)

from lstmgraph.keras_facts.layers import RULES, LayerMistake, layer_facts, places
from lstmgraph.keras_facts.tensors import (
    TensorSpec,
    add_dims,
    ceil_divide_dim,
    divide_dim,
    multiply_dims,
)
from lstmgraph.models.weights_file import opened_weights

CATALOGUE = Path(__file__).parent.parent / "schemas" / "keras-3.schema.json"
NOT_CALLED_BY_ITS_NAME = {"GroupedQueryAttention"}

CASES = [
    *DENSE,
    *CONVOLUTION,
    *POOLING,
    *MERGING,
    *ATTENTION,
    *NORMALIZATION,
    *RESHAPING,
    *RECURRENT,
    *ELEMENTWISE,
    *PREPROCESSING,
    *LOOKUPS,
    *WRAPPERS,
]

REFUSALS = [
    *DENSE_REFUSALS,
    *CONVOLUTION_REFUSALS,
    *POOLING_REFUSALS,
    *MERGING_REFUSALS,
    *ATTENTION_REFUSALS,
    *NORMALIZATION_REFUSALS,
    *RESHAPING_REFUSALS,
    *RECURRENT_REFUSALS,
    *ELEMENTWISE_REFUSALS,
    *PREPROCESSING_REFUSALS,
    *LOOKUP_REFUSALS,
    *WRAPPERS_REFUSALS,
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_facts_are_what_keras_declares(case: Case) -> None:
    facts = case.facts()
    layer, output = symbolic_call(case)
    shape = [None if isinstance(dim, str) else dim for dim in facts.output.shape]
    if case.vague:
        pairs = zip(shape, output.shape, strict=True)
        shape = [None if theirs is None else ours for ours, theirs in pairs]
    assert list(output.shape) == shape
    assert count(layer.trainable_weights) == facts.trainable
    assert count(layer.non_trainable_weights) == facts.non_trainable
    if all(spec.dtype.startswith("float") for spec in case.inputs):
        assert output.dtype == facts.output.dtype


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes in one file that holds the layer of every case, by the number of the case."""
    model = keras.Sequential([numbered(index, case) for index, case in enumerate(CASES)])
    model.built = True  # each of its layers is; it is never called
    path = tmp_path_factory.mktemp("saved") / "all.weights.h5"
    model.save_weights(path)
    with opened_weights(path) as weights:
        return {
            name: {place: data.shape for place, data in datasets.items()}
            for name, datasets in weights.layers.items()
        }


def numbered(index: int, case: Case) -> keras.Layer:
    layer, _ = symbolic_call(case)
    layer.name = f"case_{index}"
    return layer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_lie_where_keras_saves_them(saved) -> None:
    wanted = {f"case_{n}": places(case.facts().weights) for n, case in enumerate(CASES)}
    assert {name: shapes for name, shapes in wanted.items() if shapes} == saved


@pytest.mark.parametrize("case", [case for case in CASES if case.eager], ids=str)
def test_facts_are_what_keras_computes(case: Case) -> None:
    facts = case.facts()
    output = eager_call(case, SIZES)
    assert tuple(output.shape) == concrete(facts.output.shape, SIZES)
    assert keras.backend.standardize_dtype(output.dtype) == facts.output.dtype


def test_every_rule_has_cases() -> None:
    assert set(RULES) - NOT_CALLED_BY_ITS_NAME == {case.layer for case in CASES}


def test_every_layer_of_the_catalogue_has_a_rule() -> None:
    if not CATALOGUE.exists():
        pytest.skip("the catalogue is not generated yet")
    definitions = json.loads(CATALOGUE.read_text(encoding="utf-8"))["$defs"]
    layers = {name for name, entry in definitions.items() if "call" in entry.get("x-keras", {})}
    assert layers - set(RULES) == set()
    for example in CASES:
        if example.layer in layers:
            known = set(definitions[example.layer]["properties"])
            arguments = complete(example.layer, example.arguments)
            kept = {name: value for name, value in arguments.items() if name in known}
            if kept.keys() >= example.arguments.keys():
                layer_facts(example.layer, kept, example.inputs, "float32")


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_mistakes(refusal: Refusal) -> None:
    with pytest.raises(LayerMistake) as caught:
        refusal.case.facts()
    assert refusal.fragment in caught.value.message
    assert caught.value.argument == refusal.argument
    assert caught.value.input == refusal.input
    assert caught.value.hint
    failure = keras_failure(refusal.case, EQUAL_SIZES, refusal.options)
    assert (failure is None) == refusal.stricter, failure


def keras_failure(
    case: Case, sizes: Mapping[str, int], options: Mapping[str, Any]
) -> Exception | None:
    try:
        symbolic_call(case)
        eager_call(case, sizes, **options)
    except Exception as error:
        return error
    return None


def test_layers_without_a_rule_are_refused() -> None:
    with pytest.raises(LayerMistake, match="Lambda"):
        layer_facts("Lambda", {}, [f(4)], "float32")
    with pytest.raises(LayerMistake, match="got none"):
        layer_facts("Add", {}, [], "float32")


def agree(case: Case) -> None:
    """Either both refuse, or both give one shape."""
    if keras_failure(case, SIZES, {}) is not None:
        with pytest.raises(LayerMistake):
            case.facts()
        return
    facts = case.facts()
    _, output = symbolic_call(case)
    assert [None if isinstance(dim, str) else dim for dim in facts.output.shape] == list(
        output.shape
    )
    assert concrete(facts.output.shape, SIZES) == tuple(eager_call(case, SIZES).shape)


STEPS = st.one_of(st.just("time"), st.integers(1, 12))
SLOW = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.slow
@SLOW
@given(
    steps=STEPS,
    channels=st.sampled_from([1, 2, 3, 4, 6]),
    arguments=st.fixed_dictionaries(
        {
            "filters": st.sampled_from([2, 3, 4, 6]),
            "kernel_size": st.integers(1, 5),
            "strides": st.integers(1, 3),
            "dilation_rate": st.integers(1, 3),
            "padding": st.sampled_from(["valid", "same", "causal"]),
            "groups": st.sampled_from([1, 1, 2, 3]),
            "use_bias": st.booleans(),
        }
    ),
)
def test_any_conv1d(steps: int | str, channels: int, arguments: dict[str, Any]) -> None:
    agree(case("Conv1D", f(steps, channels), **arguments))


@pytest.mark.slow
@SLOW
@given(
    steps=STEPS,
    arguments=st.fixed_dictionaries(
        {
            "filters": st.integers(1, 4),
            "kernel_size": st.integers(1, 5),
            "strides": st.integers(1, 4),
            "dilation_rate": st.sampled_from([1, 1, 2]),
            "padding": st.sampled_from(["valid", "same"]),
            "output_padding": st.sampled_from([None, 0, 1, 2]),
        }
    ),
)
def test_any_conv1d_transpose(steps: int | str, arguments: dict[str, Any]) -> None:
    agree(case("Conv1DTranspose", f(steps, 3), **arguments))


@pytest.mark.slow
@SLOW
@given(
    layer=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
    sizes=st.tuples(STEPS, STEPS),
    arguments=st.fixed_dictionaries(
        {
            "pool_size": st.lists(st.integers(1, 4), min_size=2, max_size=2),
            "strides": st.one_of(st.none(), st.integers(1, 3)),
            "padding": st.sampled_from(["valid", "same"]),
        }
    ),
)
def test_any_pooling(layer: str, sizes: tuple[Any, Any], arguments: dict[str, Any]) -> None:
    agree(case(layer, f(*sizes, 2), **arguments))


@pytest.mark.slow
@SLOW
@given(
    layer=st.sampled_from(["Add", "Maximum", "Average", "Concatenate", "Concatenate"]),
    axis=st.sampled_from([-1, 1, 2]),
    shapes=st.lists(
        st.lists(st.sampled_from([1, 2, 3, "time"]), min_size=1, max_size=3),
        min_size=2,
        max_size=3,
    ),
    dtypes=st.lists(st.sampled_from(["float32", "int32", "int64"]), min_size=3, max_size=3),
)
def test_any_merge(layer: str, axis: int, shapes: list[list[Any]], dtypes: list[str]) -> None:
    inputs = [
        TensorSpec(("batch", *shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=False)
    ]
    agree(case(layer, *inputs, **({"axis": axis} if layer == "Concatenate" else {})))


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (add_dims("time", 3), "time+3"),
        (add_dims(3, "time-3"), "time"),
        (add_dims("time-2", "ahead+1"), "ahead+time-1"),
        (add_dims("ahead+1", "time-2"), "ahead+time-1"),
        (multiply_dims([3, "time", 2]), "6*time"),
        (multiply_dims(["width", 2, "height"]), "2*height*width"),
        (multiply_dims(["time-1", 8]), "8*(time-1)"),
        (multiply_dims([]), 1),
        (divide_dim("8*time", 4), "2*time"),
        (divide_dim("8*(time-1)", 8), "time-1"),
        (divide_dim("6*time", 4), "(3*time)/2"),
        (divide_dim("time", 3), "time/3"),
        (divide_dim(12, 3), 4),
        (ceil_divide_dim("time-1", 2), "ceil((time-1)/2)"),
    ],
)
def test_dimensions_have_one_text_for_one_size(dim: int | str, text: int | str) -> None:
    assert dim == text


def test_eager_arrays_are_what_a_model_returns() -> None:
    """A functional model passes integers on, although Keras declares them float."""
    ids = keras.Input((3,), dtype="int32")
    doubled = keras.layers.Concatenate()([ids, ids])
    assert doubled.dtype == "float32"
    model = keras.Model(ids, doubled)
    assert model(np.ones((2, 3), "int32")).dtype == "int32"
