"""What a notebook shows: a real one is executed, and its outputs are read."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import nbformat
import pytest
from nbclient import NotebookClient
from searches import DIMENSIONS, LOSS
from training_cases import recipe

import lstmgraph
from lstmgraph.messages.notebook import notebook_html, picture_html
from lstmgraph.messages.tables import Section
from lstmgraph.training.results import TrainingResult
from lstmgraph.tuning.result import TuneResult
from lstmgraph.tuning.search.results import SearchResults, TrialRow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's packages

HOSTILE = "<script>alert(1)</script> | `x` $a$ **b** <img src=x onerror=y> \x1b[31m &amp; \u202e"

CELLS = """
import lstmgraph
recipe = lstmgraph.load(lstmgraph.packaged_recipe("speaker-classifier"))
recipe
---
recipe.explain(batch=32, time=29)
---
recipe.blame()
---
recipe.graph()
---
recipe.graph(theme="dark")
---
recipe.graph("mermaid")
---
recipe.graph("dot")
---
lstmgraph.diff(recipe, recipe.with_overrides({"layers.voice.units": 12}))
---
lstmgraph.load(lstmgraph.packaged_recipe("speaker-classifier-search")).space()
---
from pathlib import Path
data = Path(lstmgraph.packaged_recipe("speaker-classifier")).parent / "data"
recipe.load_data(data / "japanese_vowels.npz")
---
def changed():
    return recipe.with_overrides({"layers.voice.units": -1})

changed()
---
import numpy
recipe.load_data({"speech": numpy.zeros((3, 4, 5))})
---
recipe.at({"layers.voice.units": 3})
"""


@pytest.fixture(scope="module")
def outputs() -> list[Any]:
    """The one output of each cell."""
    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    assert [len(cell.outputs) for cell in notebook.cells] == [1] * len(cells)
    return [cell.outputs[0] for cell in notebook.cells]


class Checked(HTMLParser):
    """Reads HTML whose elements are closed, and notes what is in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.images: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert {name for name, _ in attrs} <= {"style", "class", "src", "alt"}
        if tag == "img":
            source = dict(attrs)["src"] or ""
            head, data = source.split(",", 1)
            assert head == "data:image/svg+xml;base64"
            self.images.append(base64.b64decode(data).decode())
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(output: Any, kind: str) -> str:
    assert output.output_type == "execute_result", output
    assert len(output.data["text/plain"]) < 160  # a console shows a line, and no dump
    return str(output.data[kind])


@pytest.mark.slow
def test_results_are_tables_and_pictures(outputs: list[Any]) -> None:
    tables = {1: "voice", 2: "layers.voice.units", 7: "45,200", 8: "applies where", 9: "216"}
    for number, text in tables.items():
        page = Checked(shown(outputs[number], "text/html"))
        assert "table" in page.tags
        assert text in page.text, number
    page = Checked(shown(outputs[0], "text/html"))
    assert "Which of nine speakers" in page.text
    assert "voice" in page.images[0]


@pytest.mark.slow
def test_graphs_are_pictures_whose_ids_are_their_own(outputs: list[Any]) -> None:
    pictures = [shown(outputs[number], "image/svg+xml") for number in (3, 4)]
    found: list[str] = []
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        own = [each.get("id") for each in root.iter() if each.get("id")]
        assert root.get("aria-labelledby", "").split() == own
        found += map(str, own)
    assert len(found) == len(set(found)) == 4
    assert shown(outputs[5], "text/markdown").startswith("````mermaid\nflowchart")
    assert set(outputs[6].data) == {"text/plain"}


@pytest.mark.slow
def test_errors_show_the_message_and_the_users_own_lines(outputs: list[Any]) -> None:
    assert outputs[10].ename == "RecipeError"
    assert outputs[10].traceback == [
        "RecipeError",
        "  line 4: changed()",
        '  line 2: return recipe.with_overrides({"layers.voice.units": -1})',
        "--set layers.voice.units:1:20: error[L206]: 'units' must be at least 1, not -1",
        "   1 | layers.voice.units=-1",
        "     |                    ^^",
        *outputs[10].traceback[6:-1],
        "  help: write 1 or more",
    ]
    assert outputs[11].ename == "DataError"
    assert "  help: the arrays are: speech" in outputs[11].traceback
    assert outputs[12].traceback == [
        "SpaceError",
        '  line 1: recipe.at({"layers.voice.units": 3})',
        "layers.voice.units is not searched",
    ]


def hostile() -> lstmgraph.Recipe:
    return lstmgraph.load(
        {
            "recipe": 1,
            "name": "hostile",
            "description": HOSTILE,
            "inputs": {"x": {"shape": ["time", 3]}},
            "layers": {
                "reader": {"type": "lstm", "input": "x", "units": {"$search": {"int": [2, 4]}}}
            },
            "outputs": {"y": "reader"},
        }
    )


def history() -> dict[str, list[float]]:
    return {"loss": [3.0, 2.0], "val_loss": [4.0, 3.5], HOSTILE: [1.0, 2.0]}


def training() -> TrainingResult:
    return TrainingResult(
        history=history(),
        best_epoch=2,
        epochs=2,
        resumed_from=0,
        stopped_early=False,
        seconds=1.0,
        metrics={HOSTILE: {HOSTILE: 1.0}},
        model=SimpleNamespace(name=HOSTILE),
        files={HOSTILE: Path(HOSTILE)},
    )


def search(**changes: Any) -> TuneResult:
    dimensions = (replace(DIMENSIONS[0], name=HOSTILE),)
    row = TrialRow(
        0,
        "completed",
        {HOSTILE: HOSTILE},
        metrics={"val_loss": 0.5, HOSTILE: 2.0},
        history={name: tuple(values) for name, values in history().items()},
        epochs=2,
        parameters=7,
    )
    failed = TrialRow(1, "failed", {HOSTILE: 3}, reason=HOSTILE)
    more = [replace(row, number=number, metrics={"val_loss": 1.0}) for number in range(2, 15)]
    trials = (row, failed, *more)
    results = SearchResults(HOSTILE, (LOSS,), dimensions, trials, best=0, **changes)
    return TuneResult(results, Path(HOSTILE), {HOSTILE: Path(HOSTILE)})


SHOWN = {
    "recipe": hostile,
    "explanation": lambda: hostile().explain(),
    "blame": lambda: hostile().blame(),
    "space": lambda: hostile().space(),
    "comparison": lambda: lstmgraph.diff(recipe(), hostile()),
    "training": training,
    "search": search,
}


@pytest.mark.parametrize("name", SHOWN)
def test_hostile_texts_are_shown_as_texts(name: str) -> None:
    each: Any = SHOWN[name]()
    page = Checked(each._repr_html_())
    known = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert set(page.tags) <= known
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert "mathjax_ignore" in each._repr_html_()
    for picture in page.images:
        tags = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(picture).iter()}
        assert not tags & {"script", "img"}
    assert "\n" not in repr(each)


def test_a_search_shows_its_best_trials_and_curves() -> None:
    page = Checked(search()._repr_html_())
    assert "and 5 more trials; .trials() has them all" in page.text
    assert len(page.images) == 1
    nothing = TuneResult(SearchResults("none", (LOSS,), (), (), best=None), Path("x"), {})
    assert "none has a result" in repr(nothing)
    assert "no trial has a result" in Checked(nothing._repr_html_()).text


def test_sections_and_pictures_are_escaped() -> None:
    html = notebook_html([Section(HOSTILE, [HOSTILE], (HOSTILE,), [(HOSTILE,)])])
    assert Checked(html).text.count("<script>alert(1)</script>") == 4
    assert not re.search(r"<script|<img", html)
    assert Checked(picture_html("<svg/>", '"><script>')).images == ["<svg/>"]


def test_errors_leave_out_what_is_not_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(lstmgraph.RecipeError) as error:
        lstmgraph.load("recipe: 1\nname: [\n")
    lines = error.value._render_traceback_()
    assert lines[0] == "RecipeError"
    assert lines[1].endswith('lstmgraph.load("recipe: 1\\nname: [\\n")')
    assert lines[2].startswith("<text>:")
    cause = lstmgraph.FolderError("no folder")
    cause.__cause__ = KeyError("x")
    assert cause._render_traceback_() == ["FolderError", "no folder", "caused by KeyError: 'x'"]


def test_trials_are_a_data_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    frame = search().trials()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == [
        "number", "status", "score", HOSTILE, f"metric:{HOSTILE}", "epochs", "seconds",
        "fit_seconds", "parameters", "peak_memory_mb", "started", "reason",
    ]  # fmt: skip
    assert frame["score"].tolist()[0] == 0.5
    assert frame["score"].isna().tolist() == [False, True] + [False] * 13
    assert frame["status"].value_counts()["completed"] == 14
    assert frame["parameters"][0] == 7


def test_without_pandas_it_is_of_polars_and_without_both_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"polars"}
    monkeypatch.setattr("lstmgraph.tuning.result.find_spec", lambda name: name in there or None)
    made = SimpleNamespace(DataFrame=lambda columns: columns)
    monkeypatch.setattr("lstmgraph.tuning.result.import_module", {"polars": made}.__getitem__)
    columns = search().trials()
    assert {len(column) for column in columns.values()} == {15}
    for column in columns.values():
        kinds = {type(value) for value in column if value is not None}
        assert len(kinds) <= 1 or kinds == {int, float}
    there.clear()
    with pytest.raises(ImportError, match="needs pandas or polars: pip install pandas"):
        search().trials()
