"""`lstmgraph init --data`: recipes for tables of many kinds, as golden files that load their data.

Where a change is meant, run ``REGENERATE_GOLDEN=1 python -m pytest tests/test_proposal.py`` and
read what git shows.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from proposal_tables import TABLES, daily, hourly, stamps, waves
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.cli import app

GOLDEN = Path(__file__).parent / "golden" / "proposals"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def propose(table: str | Path, *options: str) -> Result:
    result = CliRunner().invoke(app, ["init", "--data", str(table), "--no-schema", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("name", TABLES)
def test_the_proposal_is_right_and_loads_its_table(name: str, place: Path) -> None:
    make, options = TABLES[name]
    table = make(place / f"{name}.csv")
    result = propose(table.name, *options, "-o", f"{name}.yaml")
    assert result.exit_code == 0, result.output
    assert f"lstmgraph train {name}.yaml --data {name}.csv" in result.stdout
    text = (place / f"{name}.yaml").read_text("utf-8")
    golden = GOLDEN / f"{name}.yaml"
    if "REGENERATE_GOLDEN" in os.environ:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
    assert text == format_text(text)
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) <= 120
    recipe = lstmgraph.load(place / f"{name}.yaml", strict=True)  # no warnings
    data = recipe.load_data(table)
    assert len(data.train) > 0
    assert data.validation


def test_the_same_table_gives_the_same_recipe_as_parquet_and_in_parts(place: Path) -> None:
    """Types of columns, compression, delimiters and folders change nothing."""
    from pyarrow import csv, parquet  # noqa: PLC0415 - an extra

    hourly(place / "one.csv")
    read = csv.read_csv(place / "one.csv")
    (place / "parts").mkdir()
    parquet.write_table(read, place / "two.parquet")
    csv.write_csv(read.slice(0, 400), place / "parts" / "a.csv")
    csv.write_csv(read.slice(400), place / "parts" / "b.csv")
    texts = []
    for table in ("one.csv", "two.parquet", "parts"):
        result = propose(table, "-o", "r.yaml", "--force")
        assert result.exit_code == 0, result.output
        texts.append((place / "r.yaml").read_text("utf-8").replace(table, "TABLE"))
    assert texts[0] == texts[1] == texts[2]


def rows_of(count: int, header: str = "day,y") -> str:
    lines = [
        f"{d},{v}" for d, v in zip(stamps("2023-01-01", count, "D"), waves(count, 7), strict=True)
    ]
    return "\n".join([header, *lines]) + "\n"


WRONG = {
    "nothing": ("", (), "D106", "the file is empty"),
    "header": ("day,y\n", (), "D106", "there are no rows"),
    "one-row": (rows_of(1), (), "D106", "there is 1 row"),
    "few-rows": (rows_of(9), (), "D106", "there are 9 rows"),
    "no-time": (
        "a,b\n" + "1,2\n3,4\n" * 20,
        (),
        "D201",
        "add --target NAME; the columns are: a, b",
    ),
    "no-such-target": (rows_of(60), ("--target", "yy"), "D201", "did you mean 'y'"),
    "one-column": (
        rows_of(60).replace(",", "~"),
        ("--target", "y"),
        "D201",
        "separate columns by a comma",
    ),
    "one-column-alone": (rows_of(60).replace(",", "~"), (), "D201", "there is one column, 'day~y'"),
    "no-features": ("a,b\n" + "1.5,x\n2.5,x\n" * 20, ("--target", "a"), "D201", "could tell 'a'"),
    "known-text": (
        rows_of(60).replace("-01,", "-01,x").replace("day,y", "day,y"),
        ("--known", "y"),
        "D202",
        "holds text, not numbers",
    ),
    "known-target": (rows_of(60), ("--target", "y", "--known", "y"), "D201", "not known ahead"),
    "duplicates": (
        rows_of(60) + "2023-02-01,7\n",
        (),
        "D401",
        "2023-03-01 is followed by 2023-02-01 in row 61",
    ),
    "each-time-often": (
        rows_of(60) + rows_of(60).split("\n", 1)[1],
        (),
        "D401",
        "has 2023-01-01 in row 1 and in row 61, and no column tells series apart",
    ),
    "other-dates": (
        "day,y\n" + "".join(f"{d:02}.01.2023,{d}\n" for d in range(1, 31)),
        (),
        "D401",
        "column 'day', row 1 holds '01.01.2023', which is not a time",
    ),
    "no-numbers": (
        "day,word\n" + "".join(f"2023-01-{d:02},w{d}\n" for d in range(1, 31)),
        (),
        "D201",
        "no column holds numbers that change from row to row: word (text)",
    ),
    "one-class": (
        "text,mood\n" + "some words of text,good\n" * 20,
        ("--target", "mood"),
        "D441",
        "'mood' has one class",
    ),
    "many-classes": (
        "text,mood\n" + "".join(f"words,m{i % 5000}\n" for i in range(10_001)),
        ("--target", "mood"),
        "D442",
        "'mood' has 5,000 different texts in 10,001 rows: too many for classes",
    ),
    "a-text-as-class": (
        "x,mood\n" + "".join(f"{i},m{i}\n" for i in range(30)),
        ("--target", "mood"),
        "D442",
        "'mood' has 30 different texts in 30 rows",
    ),
    "row-without-class": (
        "x,mood\n" + "1.5,good\n2.5,bad\n" * 10 + "3.5,\n",
        ("--target", "mood"),
        "D414",
        "row 21 names no class",
    ),
    "twice": (rows_of(60, "day,day"), (), "D201", "2 columns are named 'day'"),
    "ragged": (rows_of(60) + "2023-06-01,7,8\n", (), "D102", "row 61"),
    "too-far": (rows_of(60), ("--horizon", "50"), "D403", "write at most --horizon 20"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_table_that_cannot_be_used_is_refused_and_nothing_written(name: str, place: Path) -> None:
    text, options, code, message = WRONG[name]
    (place / "table.csv").write_text(text, "utf-8")
    result = propose("table.csv", *options)
    assert result.exit_code == 1
    assert f"table.csv: error[{code}]" in result.stderr
    assert message in result.stderr
    assert "help: " in result.stderr
    assert [path.name for path in place.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data none.csv", "there is no such file"),
        ("--data t.csv --task forecast", "leave out the other answers"),
        ("--data t.csv --from next-frame", "leave out the other answers"),
        ("--data t.csv --features 3", "leave out the other answers"),
        ("--data t.csv --horizon 0", "--horizon must be from 1"),
        ("--target y", "add --data TABLE"),
        ("--task forecast --features 2 --horizon 3 --known a,b --yes", "need --data TABLE"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: str, message: str, place: Path
) -> None:
    (place / "t.csv").write_text(rows_of(60))
    result = CliRunner().invoke(app, ["init", *options.split()])
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (place / "recipe.yaml").exists()


def test_what_the_comments_say_follows_from_the_table(place: Path) -> None:
    """Counted by hand: three stores of 200 days, 4 of which are missing in each."""
    daily(place / "sales.csv")
    assert propose("sales.csv", "--target", "sold", "-o", "a.yaml").exit_code == 0
    text = (place / "a.yaml").read_text("utf-8")
    rows = len((place / "sales.csv").read_text().splitlines()) - 1
    assert rows == 588
    assert f"# From {rows} rows of sales.csv." in text
    assert re.search(r"series: store +# 3 series", text)
    assert "--target" not in text  # it is no guess
