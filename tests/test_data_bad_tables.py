"""Tables as people have them: each mistake has its own message, with row, column and fix."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from data_building import recipe
from pyarrow import parquet

import lstmgraph

if TYPE_CHECKING:
    from pathlib import Path

FORECASTER = """
    inputs: {history: {shape: [3, 2]}}
    layers:
      encoder: {type: lstm, input: history, units: 2}
      next: {type: dense, input: encoder, units: 1}
    outputs: {next: next}
    training: {loss: mse}
    data:
      series: store
      time: date
      window: {history: 3, horizon: 1}
      inputs: {history: {columns: [sales, price]}}
      targets: {next: {columns: [sales]}}
      split: {validation: 0}
"""
GOOD = """\
store,date,sales,price,note
a,2024-01-01,1.5,3,x
a,2024-01-02,2.5,3,
a,2024-01-03,3.5,3,x
a,2024-01-04,4.5,3,
a,2024-01-05,5.5,3,
"""


def changed(*changes: tuple[str, str]) -> bytes:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def dates(*texts: str) -> bytes:
    rows = "".join(f"a,{text},{number},3,\n" for number, text in enumerate(texts))
    return f"store,date,sales,price,note\n{rows}".encode()


SHORT = "a series shorter than a window"
FILES: dict[str, tuple[bytes, str, str]] = {
    "another separator": (
        changed((",", "^")),
        "D201 the header is one column: 'store^date^sales^price^note'",
        "separate columns by a comma, a semicolon, a tab or |",
    ),
    "decimal commas between semicolons": (
        changed((",", ";"), (".5", ",5")),
        "D202 column 'sales', row 1 holds '1,5', which is not a number",
        "write decimals with a point: 1.5",
    ),
    "decimal commas between commas": (
        changed((".5", ",5")),
        "D102 row 1 has 6 values, but the header names 5 columns: a,2024-01-01,1,5,3,x",
        "write decimals with a point, 1.5, or separate columns by semicolons",
    ),
    "thousands": (
        changed(("3.5", '"1,234.5"')),
        "D202 column 'sales', row 3 holds '1,234.5', which is not a number",
        "write 1234.5, without thousands separators and with a decimal point",
    ),
    "German thousands": (
        changed((",", ";"), ("3.5", "1.234.567,5")),
        "D202 column 'sales', row 3 holds '1.234.567,5', which is not a number",
        "write 1234567.5, without thousands separators and with a decimal point",
    ),
    "thousands or a decimal comma": (
        changed(("3.5", '"1,234"')),
        "D202 column 'sales', row 3 holds '1,234', which is not a number",
        "write 1234, without thousands separators, or 1.234",
    ),
    "a unit": (
        changed(("4.5", "4.5 kg")),
        "D202 column 'sales', row 4 holds '4.5 kg', which is not a number",
        "write 4.5 without 'kg'; name the unit in the header",
    ),
    "a currency": (
        changed(("4.5", "$4.5")),
        "D202 column 'sales', row 4 holds '$4.5', which is not a number",
        "write 4.5 without '$'",
    ),
    "words": (
        changed(("4.5", "closed")),
        "D202 column 'sales', row 4 holds 'closed', which is not a number",
        "convert words to numbers first",
    ),
    "no header": (
        GOOD.split("\n", 1)[1].encode(),
        "D201 the first line holds values, not the names of columns: a, 2024-01-01, 1.5, 3, x",
        "write the names above it: store, date, sales, price",
    ),
    "a row that is too short": (
        changed(("3.5,3,x", "3.5")),
        "D102 row 3 has 3 values, but the header names 5 columns: a,2024-01-03,3.5",
        "the row is cut off, or a separator is missing",
    ),
    "a row that is too long": (
        changed(("3.5,3,x", "3.5,3,x, y")),
        "D102 row 3 has 6 values, but the header names 5 columns: a,2024-01-03,3.5,3,x, y",
        'put texts that hold the separator in quotes: "a, b"',
    ),
    "a quote that the end of the file closes": (
        changed(("3.5,3,x", '3.5,3,"x')),
        "D102 row 3, column 'note': a quote is not closed, and the rows after it are its text",
        'close the quote, or write "" for a quote inside of a text in quotes',
    ),
    "a quote that a later one closes": (
        changed(("1.5,3,x", '1.5,3,"x'), ("5.5,3,", '5.5,3,"y"')),
        "D102 row 1, column 'note': a quote is not closed",
        "close the quote",
    ),
    "a quote that is not closed before the last line": (
        changed(("5.5,3,", '5.5,3,"y\ntext')),
        "D102 row 5, column 'note': a quote is not closed",
        "close the quote",
    ),
    "UTF-16": (
        GOOD.encode("utf-16"),
        "D102 the file is UTF-16 text, not UTF-8",
        "save the file as UTF-8",
    ),
    "Latin-1": (
        changed(("a,2024-01-03", "Köln,2024-01-03")).decode().encode("latin-1"),
        "D102 column 'store', row 3 is not UTF-8 text: 'Köln'",
        "save the file as UTF-8",
    ),
    "a header in Latin-1": (
        changed(("note", "Größe")).decode().encode("latin-1"),
        "D102 its header is not UTF-8 text: store,date,sales,price,Größe",
        "save the file as UTF-8",
    ),
    "an empty column": (
        changed((",3,", ",,")),
        "D411 column 'price' is empty: no row has a value",
        "leave it out of the recipe, or give its values",
    ),
    "an empty cell": (
        changed(("4.5", "")),
        "D301 column 'sales': 1 value is missing (NaN), the first in row 4",
        "say what stands for them: `columns: {sales: {missing: forward}}`",
    ),
    SHORT: (
        b"\n".join(GOOD.encode().split(b"\n")[:4]),
        "D403 there are no examples: every series is shorter than a window",
        "make the window shorter, or allow a shorter history with `min_history:`",
    ),
    "German dates": (
        dates("31.01.2024", "01.02.2024"),
        "D401 column 'date', row 1 holds '31.01.2024', which is not a time",
        "write it in ISO 8601, as 2024-01-31 (day.month.year)",
    ),
    "American dates": (
        dates("01/31/2024", "02/01/2024"),
        "D401 column 'date', row 1 holds '01/31/2024', which is not a time",
        "write it in ISO 8601, as 2024-01-31 (month/day/year)",
    ),
    "dates that may be either": (
        dates("03/04/2024 10:00", "04/04/2024 10:00"),
        "D401 column 'date', row 1 holds '03/04/2024 10:00', which is not a time",
        "write it in ISO 8601, as 2024-03-04 10:00 (month/day/year) or 2024-04-03 10:00 "
        "(day.month.year)",
    ),
    "times with and without a time zone": (
        dates("2024-01-01 10:00+01:00", "2024-01-01 11:00+01:00", "2024-01-01 12:00"),
        "D401 column 'date', row 3 holds '2024-01-01 12:00' with no time zone, but the times "
        "before it have one",
        "write all times with their offset, such as 2024-01-31 10:00+01:00, or none",
    ),
    "times without and with a time zone": (
        dates("2024-01-01 10:00", "2024-01-01 11:00Z", "2024-01-01 12:00"),
        "D401 column 'date', row 2 holds '2024-01-01 11:00Z' with a time zone, but the times "
        "before it have none",
        "write all times with their offset",
    ),
    "a time twice": (
        changed(("2024-01-04", "2024-01-03")),
        "D401 column 'date' has a time twice: 2024-01-03, in row 3 and row 4 of series 'a'",
        "remove one of the rows; each time may occur only once in a series",
    ),
    "times in no order": (
        changed(("2024-01-04", "2023-01-03")),
        "D401 column 'date' does not increase: 2024-01-03 is followed by 2023-01-03 in row 4 of "
        "series 'a'",
        "sort the rows by 'store', 'date'",
    ),
    "an hour twice where clocks are set back": (
        dates("2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"),
        "D401 column 'date' has a time twice: 2024-10-27 02:00:00, in row 2 and row 3",
        "where clocks are set back, an hour comes twice: write times in UTC",
    ),
    "no time": (
        changed(("2024-01-04", "")),
        "D401 column 'date', row 4 has no time",
        "every row needs one",
    ),
    "no series": (
        changed(("a,2024-01-04", ",2024-01-04")),
        "D202 column 'store', row 4 names no series",
        "every row needs to name its series",
    ),
}


def problem_of(source: Any, **values: Any) -> tuple[str, str]:
    with pytest.raises(lstmgraph.DataError) as error:
        recipe(FORECASTER, **values).load_data(source)
    (problem,) = (found for found in error.value.problems if found.severity == "error")
    return f"{problem.code} {problem.message}", problem.hint or ""


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_has_a_message_of_its_own(case: str, tmp_path: Path) -> None:
    contents, message, hint = FILES[case]
    path = tmp_path / "sales.csv"
    path.write_bytes(contents)
    cache = tmp_path / "cache"
    with pytest.raises(lstmgraph.DataError) as error:
        recipe(FORECASTER).load_data(path, cache=cache)
    (problem,) = (found for found in error.value.problems if found.severity == "error")
    assert f"{problem.code} {problem.message}".startswith(message)
    assert hint in (problem.hint or "")
    if case != SHORT:  # a table that fits, for shorter windows
        assert not cache.exists() or not list(cache.iterdir())


IN_MEMORY = [
    *("decimal commas between semicolons", "thousands", "a unit", "words", "an empty column"),
    *("an empty cell", "German dates", "times with and without a time zone", "a time twice"),
    "an hour twice where clocks are set back",
]


@pytest.mark.parametrize("case", IN_MEMORY)
def test_a_bad_data_frame_has_the_same_message(case: str, tmp_path: Path) -> None:
    contents, message, hint = FILES[case]
    text = contents.decode()
    frame = pd.read_csv(io.StringIO(text), sep=None, engine="python")
    path = tmp_path / "sales.parquet"
    parquet.write_table(arrow_table(frame), path)
    for source in (frame, path, dict(frame.items())):
        found = problem_of(source)
        assert found[0].startswith(message)
        assert hint in found[1]


def arrow_table(frame: pd.DataFrame) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - beside pandas

    return pa.Table.from_pandas(frame, preserve_index=False)


def test_a_column_of_numbers_and_words_names_the_word() -> None:
    """Arrow has no type for both; pandas and mappings do."""
    frame = pd.read_csv(io.StringIO(GOOD))
    mixed = frame.astype({"sales": object})
    mixed.loc[3, "sales"] = "closed"
    for source in (mixed, dict(mixed.items()), {n: list(c) for n, c in mixed.items()}):
        message, _ = problem_of(source)
        assert message == "D202 column 'sales', row 4 holds 'closed', which is not a number"


def test_texts_of_several_lines_are_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    notes = '"x\na, b, c, d, e\n\n2024-01-01\nsaid ""1,2"" 5"""'
    path.write_bytes(changed(("2.5,3,", f"2.5,3,{notes}"), ("5.5,3,", '5.5,3,"y\nz"\n\n')))
    good = recipe(FORECASTER).load_data(pd.read_csv(io.StringIO(GOOD))).train.arrays()
    found = recipe(FORECASTER).load_data(path).train.arrays()
    assert (found[0]["history"] == good[0]["history"]).all()


def test_what_nothing_reads_does_not_matter(tmp_path: Path) -> None:
    """Empty cells, words, several kinds of values, and texts that are no UTF-8."""
    good = recipe(FORECASTER).load_data(pd.read_csv(io.StringIO(GOOD))).train.arrays()
    path = tmp_path / "sales.csv"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("5.5,3,", "5.5,3,K\xf6ln").encode("latin-1"))
    frame = pd.read_csv(io.StringIO(GOOD)).astype({"note": object})
    frame.loc[1, "note"] = 7
    frame["nothing"] = float("nan")
    for source in (path, frame, dict(frame.items())):
        found = recipe(FORECASTER).load_data(source).train.arrays()
        for one, other in zip(found[:2], good[:2], strict=True):
            assert all((one[name] == other[name]).all() for name in other)
