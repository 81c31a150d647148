"""Texts and categories: layers with vocabularies, fitted on the training part, in every file."""

from __future__ import annotations

import collections
import csv
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from building import with_header

import lstmgraph
from lstmgraph.data.vocabularies import Lookup, ids_of
from lstmgraph.keras_facts.layers.lookups import FITTED

if TYPE_CHECKING:
    from pathlib import Path

if keras.backend.backend() != "tensorflow":
    pytest.skip("texts are TensorFlow's alone", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECIPE = """
    inputs:
      review: {shape: [], dtype: string}
      kind: {shape: [], dtype: string}
      shop: {shape: [], dtype: int32}
      price: {shape: [1]}
    layers:
      words: {type: text_vectorization, input: review, max_tokens: 8, output_sequence_length: 4}
      vectors: {type: embedding, input: words, input_dim: 8, output_dim: 3, mask_zero: true}
      read: {type: lstm, input: vectors, units: 3}
      pairs:
        {type: text_vectorization, input: review, ngrams: [2], max_tokens: 5, output_mode: tf_idf,
         pad_to_max_tokens: true}
      kinds:
        {type: string_lookup, input: kind, max_tokens: 4, output_mode: one_hot,
         pad_to_max_tokens: true}
      shops: {type: integer_lookup, input: shop, max_tokens: 4}
      places: {type: embedding, input: shops, input_dim: 4, output_dim: 2}
      bins: {type: discretization, input: price, num_bins: 3, output_mode: one_hot}
      scaled: {type: normalization, input: price}
      all: {type: concatenate, input: [read, pairs, kinds, places, bins, scaled]}
      label: {type: dense, input: all, units: 3, activation: softmax}
    outputs: {label: label}
    data:
      inputs:
        review: {columns: [text]}
        kind: {columns: [kind]}
        shop: {columns: [shop]}
        price: {columns: [price]}
      targets: {label: {columns: [label]}}
      split: {kind: chronological, validation: 0.25}
    training:
      loss: sparse_categorical_crossentropy
      metrics: [accuracy]
      epochs: 2
      batch_size: 8
    runtime: {seed: 1}
"""
WORDS = ["good,", "bad;", "Fine", "awful", "so-so"]
UNSEEN = "zebra quagga"


def rows() -> list[list[Any]]:
    """Forty rows; the last ten, which validate, have words, kinds and prices of their own."""
    random = np.random.default_rng(4)
    made = []
    for number in range(40):
        text = " ".join(random.choice(WORDS, random.integers(0, 6))) + "\n!"
        kind, shop = random.choice(["tea", "tea", "milk", ""]), random.choice([7, 7, 30, 31])
        price = float(random.normal(20, 5))
        if number >= 30:
            text, kind, shop, price = f"{text} {UNSEEN}", "cola", 99, price + 1e6
        made.append([text, kind, int(shop), price, ("pos", "neg", "mid")[number % 3]])
    return made


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "kind", "shop", "price", "label"], *rows()])
    return path


@pytest.fixture(scope="module")
def recipe() -> lstmgraph.Recipe:
    return lstmgraph.load(with_header(RECIPE, "reviews"))


@pytest.fixture(scope="module")
def trained(recipe, table, tmp_path_factory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return recipe.train(table, folder=folder), folder


def tokens(text: str) -> list[str]:
    return re.sub(r"[^\w\s]", "", text.lower()).split()


def ranked(values: Any, most: int) -> list[Any]:
    """The most frequent first, equally frequent ones from the last to the first."""
    counts = collections.Counter(values)
    return sorted(counts, key=lambda value: (counts[value], value), reverse=True)[:most]


@pytest.mark.slow
def test_vocabularies_and_numbers_are_those_of_the_training_part(trained) -> None:
    """They are counted by hand, and no word or number of the validation part is in them."""
    result, folder = trained
    layers = lstmgraph.load(folder / "reviews.resolved.yaml").to_dict()["layers"]
    train = rows()[:30]
    texts = [tokens(row[0]) for row in train]
    assert layers["words"]["vocabulary"] == ranked(itertools.chain(*texts), 6)
    pairs = [[f"{a} {b}" for a, b in itertools.pairwise(text)] for text in texts]
    assert layers["pairs"]["vocabulary"] == ranked(itertools.chain(*pairs), 4)
    documents = [sum(pair in each for each in pairs) for pair in layers["pairs"]["vocabulary"]]
    np.testing.assert_allclose(  # Keras's formula: log(1 + documents / (1 + those with the word))
        layers["pairs"]["idf_weights"], np.log(1 + 30 / (1 + np.array(documents))), rtol=1e-6
    )
    assert layers["kinds"]["vocabulary"] == ranked((row[1] for row in train), 3)
    assert layers["shops"]["vocabulary"] == ranked((row[2] for row in train), 3)
    prices = np.float32([row[3] for row in train]).astype("float64")
    np.testing.assert_allclose(layers["scaled"]["mean"], [prices.mean()], rtol=1e-12)
    np.testing.assert_allclose(layers["scaled"]["variance"], [prices.var()], rtol=1e-12)
    reference = keras.layers.Discretization(num_bins=3)
    reference.adapt(prices.astype("float32"))
    np.testing.assert_allclose(layers["bins"]["bin_boundaries"], reference.bin_boundaries)
    assert max(layers["bins"]["bin_boundaries"]) < 1e3
    written = (folder / "reviews.resolved.yaml").read_text("utf-8")
    assert not any(word in written for word in (*UNSEEN.split(), "cola"))
    assert result.metrics["validation"]["loss"] > 0


@pytest.mark.slow
def test_a_file_loads_with_keras_alone_and_takes_raw_texts(trained, recipe, table) -> None:
    result, folder = trained
    model = keras.models.load_model(folder / "reviews.keras")
    x, y, _ = recipe.load_data(table).validation.arrays()
    x = {name: tf.constant(values) for name, values in x.items()}
    found = model.predict(x, verbose=0)["label"]
    np.testing.assert_array_equal(found, result.model.predict(x, verbose=0)["label"])
    again = lstmgraph.load_model(folder / "reviews.keras")
    np.testing.assert_array_equal(found, again.predict(x, verbose=0)["label"])
    accuracy = (found.argmax(-1) == y["label"]).mean()
    np.testing.assert_allclose(accuracy, result.metrics["validation"]["accuracy"])


@pytest.mark.slow
def test_a_training_goes_on_with_the_vocabulary_that_it_has(
    trained, recipe, table, tmp_path
) -> None:
    whole, folder = trained
    part = recipe.train(table, folder=tmp_path / "part", epochs=1)
    rest = recipe.train(table, folder=tmp_path / "part", epochs=2)
    assert (part.epochs, rest.resumed_from, rest.epochs) == (1, 1, 2)
    assert rest.history["loss"] == whole.history["loss"]
    # A .keras file begins with the vocabulary in it, whatever data comes.
    first = lstmgraph.load(folder / "reviews.keras")
    other = tmp_path / "other.csv"
    other.write_text(table.read_text("utf-8").replace("good", "splendid"), "utf-8")
    began = first.train(other, folder=tmp_path / "began", epochs=1)
    words = began.model.get_layer("words").get_vocabulary()
    assert "good" in words
    assert "splendid" not in words


@pytest.mark.slow
def test_files_without_texts_take_ids_and_say_which(trained, recipe, table, tmp_path) -> None:
    result, folder = trained
    fitted = lstmgraph.load(folder / "reviews.resolved.yaml")
    x, _, _ = recipe.load_data(table).validation.arrays()
    wanted = result.model.predict({k: tf.constant(v) for k, v in x.items()}, verbose=0)["label"]
    for form in ("onnx", "litert"):
        report = fitted.export(result.model, tmp_path, format=form)
        assert report.vocabularies == tmp_path / f"{report.path.name}.vocabularies.json"
        assert str(report.vocabularies) in str(report)
        inputs = ids_of(report.vocabularies, x)
        assert {name: array.dtype.name for name, array in inputs.items()} == {
            "price": "float32",
            "words": "int64",
            "pairs": "float32",
            "kinds": "float32",
            "shops": "int64",
        }
        np.testing.assert_allclose(run(form, report.path, inputs), wanted, atol=1e-5)


def run(form: str, path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    if form == "onnx":
        import onnxruntime  # noqa: PLC0415 - an extra

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["label"], inputs)[0]
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra

    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    count = len(next(iter(inputs.values())))
    rows = [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)]
    return np.concatenate([runner(**row)["label"] for row in rows])


HOSTILE = [
    *("", " ", "\n", "\t\v\f\r", "good", "GOOD good", "don't co-op x_y", "a\u00a0b c\u2003d"),
    *(
        "ÄÖ straße STRASSE İ ǅ ΑΣ",
        "e\x1cf g\x85h",
        "“q” \u2013 …",
        "e\u0301 👩\u200d👩\u200d👧",
        "\x00nul x\x00y",
    ),
    *(
        "[UNK] good",
        "...",
        "!!! ???",
        "日本語 テキスト",
        "a" * 500,
        "one two three four five six seven",
    ),
    *("line\none\ntwo", "\ufeffgood", "good\u3000bad", "\u202egood", "Good.Bad", "x" + "y " * 300),
]
SETTINGS = [
    {"output_sequence_length": 5},
    {"output_sequence_length": 3, "split": "character"},
    {"output_sequence_length": 6, "ngrams": 2},
    {"output_sequence_length": 6, "ngrams": (2, 3), "standardize": "lower"},
    {"output_sequence_length": 4, "standardize": None},
    {"output_sequence_length": 4, "standardize": "strip_punctuation"},
    {"output_sequence_length": 2, "split": None},
    *({"output_mode": mode} for mode in ("multi_hot", "count", "tf_idf")),
    {"output_mode": "count", "max_tokens": 90, "pad_to_max_tokens": True, "split": "character"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_ids_of_texts_are_those_of_keras(settings) -> None:
    layer = keras.layers.TextVectorization(**settings)
    texts = np.array(HOSTILE, object)
    given = texts[:, None] if settings.get("split", "") is None else texts
    layer.adapt(tf.constant(given[:-4]))
    found = layer.get_vocabulary(include_special_tokens=False)
    words = {"vocabulary": [str(word) for word in found if word]}  # NumPy drops NULs
    if settings.get("output_mode") == "tf_idf":
        words["idf_weights"] = np.linspace(0.5, 2, len(words["vocabulary"])).tolist()
    layer = keras.layers.TextVectorization(**settings, **words)
    lookup = Lookup("TextVectorization", json.loads(json.dumps(layer.get_config())))
    wanted = np.asarray(layer(tf.constant(given)))
    np.testing.assert_allclose(lookup.of(given), wanted, rtol=1e-6)
    if "output_mode" not in settings:
        assert lookup.of(given).dtype == np.int64


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("StringLookup", {"vocabulary": ["good", "", "line\none\ntwo", "ÄÖ"]}),
        ("StringLookup", {"vocabulary": ["[UNK]", "good"], "mask_token": None}),
        ("StringLookup", {"vocabulary": ["good"], "mask_token": ""}),
        *(
            ("StringLookup", {"vocabulary": ["good", "..."], "output_mode": mode, "mask_token": ""})
            for mode in ("one_hot", "multi_hot", "count")
        ),
        ("IntegerLookup", {"vocabulary": [7, -3, 12]}),
        ("IntegerLookup", {"vocabulary": [7, -3], "mask_token": 0, "num_oov_indices": 3}),
        ("IntegerLookup", {"vocabulary": [7, -3], "output_mode": "count", "max_tokens": 9,
                           "pad_to_max_tokens": True}),
    ],
    ids=str,
)  # fmt: skip
def test_ids_of_categories_are_those_of_keras(op, arguments) -> None:
    layer = getattr(keras.layers, op)(**arguments)
    values = np.array(HOSTILE, object).reshape(-1, 5)
    if op == "IntegerLookup":
        values = np.array([[7, -3, 0], [12, 99, -99], [2**40, 0, 7]])
    lookup = Lookup(op, json.loads(json.dumps(layer.get_config())))
    np.testing.assert_array_equal(lookup.of(values), np.asarray(layer(tf.constant(values))))


def test_a_vocabulary_with_line_ends_survives_the_file(tmp_path) -> None:
    """Keras writes adapted vocabularies line by line, which would split this one."""
    recipe = lstmgraph.load(
        with_header(
            """
            inputs: {kind: {shape: [], dtype: string}}
            layers:
              ids: {type: string_lookup, input: kind, max_tokens: 9}
              encoded: {type: category_encoding, input: ids, num_tokens: 9, output_mode: one_hot}
              y: {type: dense, input: encoded, units: 1}
            outputs: {y: y}
            training: {loss: mse, epochs: 1}
            """
        )
    )
    kinds = np.array(
        ["a\nb", "a\nb", "a\nb", "é\u2028", "é\u2028", " x ", "", "1e-3", "$y"], object
    )
    data = ({"kind": kinds}, np.zeros((9, 1), "float32"))
    fitted = recipe.fitted(lstmgraph_data(recipe, data))
    assert fitted.to_dict()["layers"]["ids"]["vocabulary"][:2] == ["a\nb", "é\u2028"]
    assert lstmgraph.load(fitted.resolved()).to_dict() == fitted.to_dict()
    model = fitted.build()
    fitted.save(model, tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    known = again.get_layer("ids").get_vocabulary()
    assert known == ["[UNK]", *fitted.to_dict()["layers"]["ids"]["vocabulary"]]


def lstmgraph_data(recipe: lstmgraph.Recipe, data: Any) -> Any:
    return recipe.load_data(data, validation=data, test=data)


@pytest.mark.parametrize("name", ["words", "pairs", "kinds", "shops", "bins", "scaled"])
def test_what_is_not_fitted_is_not_built(recipe, name) -> None:
    """An empty vocabulary would make every word unknown without a word."""
    with pytest.raises(lstmgraph.RecipeError) as error:
        recipe.build()
    found = {each.path[1]: each for each in error.value.diagnostics}
    assert found[name].code == "L884"
    kind = recipe.to_dict()["layers"][name]["type"].title().replace("_", "")
    assert f"`{FITTED[kind]}:`" in (found[name].hint or "")


def test_xla_is_off_for_models_with_lookups(recipe) -> None:
    (row,) = (r for r in recipe.explain().as_dict()["runtime"] if r["key"] == "xla")
    assert row["effect"] == "off: XLA cannot compile the table of 'words'"


def test_folds_of_a_search_have_vocabularies_of_their_own(table, tmp_path) -> None:
    """The words of a fold's validation part are none of the trial's."""
    text = RECIPE.replace("split: {kind: chronological, validation: 0.25}", "split: {folds: 2}")
    text = text.replace("epochs: 2", "epochs: 1").replace(
        "units: 3}", "units: {$search: {choice: [2, 3]}}}"
    )
    recipe = lstmgraph.load(with_header(text, "folded"))
    data = recipe.load_data(table)
    vocabularies = [recipe.fitted(fold.train).to_dict()["layers"] for fold in data.folds]
    assert vocabularies[0]["scaled"]["mean"] != vocabularies[1]["scaled"]["mean"]
    for fold, layers in zip(data.folds, vocabularies, strict=True):
        prices = fold.train.arrays()[0]["price"].astype("float64")
        np.testing.assert_allclose(layers["scaled"]["mean"], prices.mean(0), rtol=1e-12)


@pytest.mark.slow
def test_the_shipped_classifier_learns_from_made_reviews(tmp_path) -> None:
    """Two words decide, and the shop does not; unknown words in between do not matter."""
    random = np.random.default_rng(0)
    words = {"bad": "awful slow", "good": "lovely quick", "mixed": "lovely slow"}
    with (tmp_path / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "shop", "opinion"])
        for number in range(400):
            opinion = ("bad", "good", "mixed")[number % 3]
            first, second = words[opinion].split()
            text = f"It was {first}, number {number}; and {second.upper()}!"
            writer.writerow([text, random.choice(["mill", "harbour"]), opinion])
    recipe = lstmgraph.load(lstmgraph.packaged_recipe("review-classifier"))
    result = recipe.train(tmp_path / "reviews.csv", folder=tmp_path / "out")
    assert result.metrics["validation"]["sparse_categorical_accuracy"] == 1.0
    model = keras.models.load_model(tmp_path / "out" / "review-classifier.keras")
    given = {
        "review": tf.constant(["It was lovely, and really quick!"]),
        "shop": tf.constant(["new"]),
    }
    names = lstmgraph.load(tmp_path / "out" / "review-classifier.keras").to_dict()
    classes = names["data"]["targets"]["opinion"]["classes"]
    found = model.predict(given, verbose=0)["opinion"].argmax(-1)
    assert [classes[index] for index in found] == ["good"]
