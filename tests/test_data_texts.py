"""Columns and arrays of texts, and classes by name: what is read, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from building import load
from pyarrow import parquet

import lstmgraph
from lstmgraph.compiler.resolved import resolved_recipe
from lstmgraph.data import texts as storage
from lstmgraph.data import vocabularies

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = """
    layers:
      ids: {type: hashing, input: kind, num_bins: 9}
      vectors: {type: embedding, input: ids, input_dim: 9, output_dim: 2}
      read: {type: lstm, input: vectors, units: 2}
      who: {type: dense, input: read, units: 3, activation: softmax}
    outputs: {who: who}
"""
WINDOWS = """
    inputs:
      kind: {shape: [3], dtype: string}
      store: {shape: [1], dtype: string}
    layers:
      ids: {type: hashing, input: kind, num_bins: 9}
      vectors: {type: embedding, input: ids, input_dim: 9, output_dim: 2}
      read: {type: lstm, input: vectors, units: 2}
      stores: {type: hashing, input: store, num_bins: 9, output_mode: one_hot}
      both: {type: concatenate, input: [read, stores]}
      who: {type: dense, input: both, units: 3, activation: softmax}
    outputs: {who: who}
    data:
      series: store
      time: day
      window: {history: 3, horizon: 1, min_history: 2}
      inputs:
        kind: {columns: [kind]}
        store: {columns: [store], static: true}
      targets: {who: {columns: [who]}}
      split: {kind: chronological, validation: 0, test: 0}
    training: {loss: sparse_categorical_crossentropy}
"""
ROWS = """
    inputs: {kind: {shape: [2], dtype: string}}
    LAYERS
    data:
      inputs: {kind: {columns: [kind, other]}}
      targets: {who: {columns: [who] CLASSES}}
      split: {kind: chronological, validation: 0.25}
    training: {loss: sparse_categorical_crossentropy WEIGHTS}
"""


def rows_recipe(classes: str = "", weights: str = "") -> lstmgraph.Recipe:
    text = ROWS.replace("LAYERS", LAYERS.strip())
    text = text.replace(" CLASSES", f", classes: {classes}" if classes else "")
    return load(text.replace(" WEIGHTS", f", class_weight: {weights}" if weights else ""))


def table(**columns: Any) -> dict[str, Any]:
    names = ["ann", "bob", "cid", "ann", "bob", "cid", "bob", "ann"]
    own = {"kind": list("abcdefgh"), "other": ["x", None, "", "é", "a b", "\n", "日本", "'"]}
    return own | {"who": names} | columns


FORMS = ["csv", "parquet", "frame", "arrays"]


def given(form: str, columns: dict[str, Any], folder: Path) -> Any:
    """The same columns as a file, a data frame or a dictionary of arrays."""
    made = pa.table(columns)
    if form == "csv":
        from pyarrow import csv  # noqa: PLC0415

        csv.write_csv(made, folder / "t.csv")
        return folder / "t.csv"
    if form == "parquet":
        coded = made.set_column(0, "kind", made.column("kind").dictionary_encode())
        parquet.write_table(coded, folder / "t.parquet")
        return folder / "t.parquet"
    if form == "frame":
        return made
    return {name: np.array(values, object) for name, values in columns.items()}


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_read_as_they_are_from_every_source(form, tmp_path) -> None:
    """A missing cell is the empty text. The ids of classes follow their sorted names."""
    data = rows_recipe().load_data(given(form, table(), tmp_path))
    x, y, _ = data.train.arrays()
    assert x["kind"].tolist() == [["a", "x"], ["b", ""], ["c", ""], ["d", "é"], ["e", "a b"],
                                  ["f", "\n"]]  # fmt: skip
    assert y["who"].tolist() == [0, 1, 2, 0, 1, 2]
    assert data.classes == {"who": ("ann", "bob", "cid")}
    assert [row["dtype"] for row in data.summary().as_dict()["tensors"]] == ["text", "int32"]


def test_listed_classes_have_the_ids_of_their_order() -> None:
    data = rows_recipe("[cid, bob, ann]").load_data(table())
    assert data.train.arrays()[1]["who"].tolist() == [2, 1, 0, 2, 1, 0]
    numbers = rows_recipe("[30, 10, 20]").load_data(table(who=[10, 30, 20, 10, 10, 10, 20, 30]))
    assert numbers.train.arrays()[1]["who"].tolist() == [1, 0, 2, 1, 1, 1]


def test_class_weights_are_by_name() -> None:
    recipe = rows_recipe("[cid, bob, ann]", "{bob: 3.0, ann: 0.5}")
    data = recipe.load_data(table())
    lstm = (
        lstmgraph.data.loading.data_of(recipe.compiled, data)
        if hasattr(lstmgraph, "data")
        else data
    )
    assert lstm.train.arrays()[2]["who"].tolist() == [0.5, 3.0, 1.0, 0.5, 3.0, 1.0]
    with pytest.raises(lstmgraph.RecipeError, match="'eve' is no class of 'who'"):
        rows_recipe("[cid, bob, ann]", "{eve: 3.0}")


@pytest.mark.parametrize(
    ("classes", "columns", "code", "says"),
    [
        ("[ann, bob, cid]", {"who": ["ann", "bob", "eve"] * 2 + ["ann"] * 2}, "D414",
         "column 'who', row 3 holds 'eve', which is no class of 'who'"),
        ("[ann, bob, cid]", {"who": ["ann", None, "bob"] * 2 + ["ann"] * 2}, "D414",
         "column 'who', row 2 names no class"),
        ("", {"who": ["ann", "bob", "cid", "dan"] * 2}, "D414",
         "column 'who', row 4 holds 'dan', but 'who' has 3 classes"),
        ("", {"who": ["ann", "bob", "cid", "7"] * 2}, "D414", "holds the number 7 among texts"),
        ("", {"who": ["ann", "bob"] * 4}, "D416", "the training part has 2: 'ann', 'bob'"),
        ("", {"who": ["ann", "bob"] * 3 + ["cid", "ann"]}, "D415", "row 7 has the class 'cid'"),
        ("", {"kind": [1.5] * 8}, "D202", "column 'kind' holds double, not texts"),
    ],
)  # fmt: skip
def test_what_is_no_class_and_no_text_is_reported_with_its_row(
    classes, columns, code, says
) -> None:
    with pytest.raises(lstmgraph.DataError) as error:
        rows_recipe(classes).load_data(table(**columns))
    assert [each.code for each in error.value.problems if says in each.message], error.value
    assert error.value.problems[0].code == code or code == "D415"


def test_texts_over_time_and_of_series(tmp_path) -> None:
    """Windows repeat no text, short ones end in empty texts, and a cache holds the same."""
    recipe = load(WINDOWS)
    count = 5
    columns = {
        "store": ["köln"] * count + ["bonn"] * count,
        "day": [f"2024-01-0{day}" for day in range(1, count + 1)] * 2,
        "kind": [f"{store}{day}" for store in "kb" for day in range(count)],
        "who": ["ann", "bob", "cid", "ann", "bob"] * 2,
    }
    path = given("csv", columns, tmp_path)
    plain = recipe.load_data(path)
    cached = [recipe.load_data(path, cache=tmp_path / "cache") for _ in range(2)]
    for data in (plain, *cached):
        x, y, _ = data.train.arrays()
        assert [" ".join(row) for row in x["kind"].tolist()] == [
            *("k0 k1 ", "k0 k1 k2", "k1 k2 k3"),
            *("b0 b1 ", "b0 b1 b2", "b1 b2 b3"),
        ]
        assert x["store"].tolist() == [["köln"]] * 3 + [["bonn"]] * 3
        assert y["who"].tolist() == [2, 0, 1] * 2
        assert data.classes == {"who": ("ann", "bob", "cid")}
    columns["store"][2] = "köln"
    static = load(WINDOWS.replace("columns: [store], static", "columns: [kind], static"))
    with pytest.raises(lstmgraph.DataError, match="D402"):
        static.load_data(given("csv", columns, tmp_path))


def test_rows_that_windows_share_count_once() -> None:
    """Vocabularies count rows, not windows: the middle rows are in more windows than the ends."""
    from lstmgraph.data.fields import rows_of  # noqa: PLC0415

    recipe = load(WINDOWS.replace("min_history: 2", "min_history: 3"))
    columns = {"store": ["a"] * 7, "day": list(range(7)), "kind": list("pqrstuv"),
               "who": ["ann", "bob", "cid", "ann", "bob", "cid", "ann"]}  # fmt: skip
    data = recipe.load_data(columns)
    source, numbers = data.train.source, data.train.numbers
    (kinds,) = rows_of(source.inputs["kind"], numbers[:2], by_rows=True)
    assert kinds.tolist() == [["p"], ["q"], ["r"], ["s"]]
    (stores,) = rows_of(source.inputs["store"], numbers, by_rows=True)
    assert stores.tolist() == [["a"]]


def test_memory_stays_bounded_by_what_is_looked_for_again(monkeypatch, tmp_path) -> None:
    """Texts beyond the limit are stored each time, and read back all the same."""
    monkeypatch.setattr(storage, "MOST_KNOWN", 4)
    monkeypatch.setattr(storage, "MOST_KNOWN_BYTES", 100)
    words = ["a", "b", "", "c", "d", "a", "d", "é" * 200, "d"]
    writer = storage.TextWriter(tmp_path, "t")
    with writer:
        codes = [writer.codes(words, np.arange(len(words))) for _ in range(2)]
    found = storage.mapped_texts(tmp_path, "t")
    for each in codes:
        assert found.of(each).tolist() == words
    assert len(found.ends) == 4 + 2 * 4  # "", a, b and c once, the others wherever they stand
    assert codes[0][2] == 0


def test_arrays_of_texts(tmp_path) -> None:
    recipe = load(
        "    inputs: {kind: {shape: [2], dtype: string}}"
        f"{LAYERS}    training: {{loss: sparse_categorical_crossentropy}}"
    )
    words = [["a", "é"], ["", "\n"], ["日本", "x" * 50], ["a", "b"]]
    who = np.array([0, 1, 2, 0])
    forms: list[Any] = [
        np.array(words),
        np.array(words, object),
        np.array([[w.encode() for w in row] for row in words], object),
        words,
    ]
    np.savez(tmp_path / "a.npz", kind=np.array(words), who=who)
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "kind.npy", np.array(words))
    np.save(tmp_path / "npy" / "who.npy", who)
    sources = [({"kind": form}, who) for form in forms]
    for source in (*sources, tmp_path / "a.npz", tmp_path / "npy"):
        data = recipe.load_data(source, validation=source, test=source)
        assert data.train.arrays()[0]["kind"].tolist() == words
    (missing, refused) = np.array([["a", None]] * 4, object), np.array([["a", 3]] * 4, object)
    data = recipe.load_data(({"kind": missing}, who), validation=sources[0], test=sources[0])
    assert data.train.arrays()[0]["kind"].tolist() == [["a", ""]] * 4
    with pytest.raises(lstmgraph.DataError, match="'kind' holds int values, not texts"):
        recipe.load_data(({"kind": refused}, who))
    with pytest.raises(lstmgraph.DataError, match="'kind' holds float64, not texts"):
        recipe.load_data(({"kind": np.zeros((4, 2))}, who))
    np.savez(tmp_path / "pickled.npz", kind=np.array(words, object), who=who)
    with pytest.raises(lstmgraph.DataError, match="Python objects"):
        recipe.load_data(tmp_path / "pickled.npz")
    named = ({"kind": np.array(words)}, np.array(["ann", "bob", "cid", "ann"]))
    data = recipe.load_data(named, validation=named, test=named)
    assert data.classes == {"who": ("ann", "bob", "cid")}
    again = lstmgraph.load(recipe.fitted(data).resolved())  # the names go into the recipe
    swapped = ({"kind": np.array(words)}, np.array(["cid", "bob", "cid", "ann"]))
    found = again.load_data(swapped, validation=named, test=named)
    assert found.train.arrays()[1]["who"].tolist() == [2, 1, 2, 0]


def test_a_part_without_words_is_reported() -> None:
    """Also D413: nothing can be learned from a training part of empty texts."""
    text = ROWS.replace("LAYERS", LAYERS.strip()).replace(" CLASSES", "").replace(" WEIGHTS", "")
    text = text.replace(
        "{type: hashing, input: kind, num_bins: 9}",
        '{type: string_lookup, input: kind, max_tokens: 9, mask_token: ""}',
    )
    empty = table(kind=[""] * 8, other=[""] * 8)
    with pytest.raises(lstmgraph.DataError, match=r"D413.*'ids' finds no values"):
        load(text).fitted(empty)


def test_a_vocabulary_that_no_recipe_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also D417: a recipe's text has a limit, and the fix is `max_tokens`."""
    monkeypatch.setattr(vocabularies, "MOST_VALUES", 2)
    with pytest.raises(lstmgraph.DataError, match=r"D417.*'x' finds 3 values of 4 bytes"):
        vocabularies.refuse_too_many("x", {"vocabulary": ["a", "é", "c"]})
    vocabularies.refuse_too_many("x", {"vocabulary": ["a", "é"]})


def test_classes_go_into_the_resolved_recipe() -> None:
    from lstmgraph.models.building.vocabularies import fitted  # noqa: PLC0415

    recipe = rows_recipe()
    data = recipe.load_data(table())
    text = resolved_recipe(fitted(recipe.compiled, data.train))
    again = lstmgraph.load(text)
    assert again.load_data(table()).classes == {"who": ("ann", "bob", "cid")}
    assert "- ann\n" in text
