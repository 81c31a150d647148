"""Whatever a file calls things, no command prints what a terminal would obey or hide."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.data.problems import DataProblem
from lstmgraph.messages.rendering.printable import printable, printable_lines
from lstmgraph.messages.tables import Section, as_markdown, as_text
from lstmgraph.tuning.search.display import LiveWatcher, describe
from lstmgraph.tuning.search.results import Objective, TrialRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

SPEAKER = str(Path(__file__).parent.parent / "recipes" / "speaker-classifier.yaml")

HOSTILE = "\x1b[31mred\x1b]8;;x\x07\x9b2J\x08\r\x7f\u202e\u2066\u2069\u200b\ufeff\u2028"
"""A colour, a link, C1, a backspace, a carriage return; marks that turn text round; what is not
seen; the end of a line that none is."""
IN_TABLE = HOSTILE.replace("\r", "").replace(";", "")
"""A carriage return ends a row, and a semicolon may end a cell."""
SHOWN = r"\x1b[31mred"
UNREADABLE = os.fsdecode(b"\xff")
"""Of a file's name that is no UTF-8 text."""

CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}

RECIPE: dict[str, Any] = {
    "recipe": 1,
    "name": "small",
    "inputs": {"x": {"shape": [2]}},
    "layers": {"d": {"type": "dense", "units": 1, "input": "x"}},
    "outputs": {"y": "d"},
    "training": {"loss": "mse"},
}
SERIES: dict[str, Any] = {
    **RECIPE,
    "inputs": {"x": {"shape": ["time", 1]}},
    "layers": {"d": {"type": "lstm", "units": 1, "input": "x"}},
    "data": {
        "series": IN_TABLE,
        "time": "day",
        "window": {"history": 2, "horizon": 1},
        "inputs": {"x": {"columns": ["a"]}},
        "targets": {"y": {"columns": ["b" + IN_TABLE]}},
    },
}


def hidden(text: str) -> set[str]:
    """What of `text` moves the cursor or is not seen."""
    return {each for each in text if unicodedata.category(each) in CATEGORIES} - {"\n", "\t"}


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def shown(*arguments: object) -> str:
    """All that is printed; the name was in it, and is written out."""
    found = run(*arguments).output
    assert not hidden(found), found
    assert SHOWN in found or SHOWN.replace("x", "u00", 1) in found, found
    return found


def written(folder: Path, data: Any, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return path


# Names in recipes

WRONG = {
    "key": {**RECIPE, HOSTILE: 1},
    "layer": {**RECIPE, "layers": {HOSTILE: RECIPE["layers"]["d"]}},
    "layer's key": {**RECIPE, "layers": {"d": {**RECIPE["layers"]["d"], HOSTILE: 1}}},
    "type": {**RECIPE, "layers": {"d": {"type": HOSTILE, "input": "x"}}},
    "reference": {**RECIPE, "outputs": {"y": HOSTILE}},
    "name": {**RECIPE, "name": HOSTILE},
    "base": {**RECIPE, "extends": HOSTILE + ".yaml"},
    "preset": {**RECIPE, "extends": "preset:" + HOSTILE},
    "variable": {**RECIPE, "description": "${vars." + HOSTILE + "}"},
    "loss": {**RECIPE, "training": {"loss": HOSTILE}},
    "column": {**RECIPE, "data": {"inputs": {HOSTILE: {"columns": ["a"]}}}},
    "search": {**RECIPE, "layers": {"d": {**RECIPE["layers"]["d"], "units": {"$" + HOSTILE: 1}}}},
    "twice": "a: 1\n" + 2 * f"{json.dumps(HOSTILE)}: 1\n",
    "tag": f"a: !<{'x' * 3}> 1 # {SHOWN}\n",
    "no YAML": f"{json.dumps({'a': HOSTILE})}: [\n",
}
CHECKING = {
    "validate": ["validate"],
    "validate json": ["validate", "--format", "json"],
    "validate github": ["validate", "--format", "github"],
    "validate sarif": ["validate", "--format", "sarif"],
    "explain": ["explain"],
    "blame": ["explain", "--blame"],
    "space": ["space"],
    "graph": ["graph"],
    "build": ["build"],
    "data": ["data", "--data", "x.npz"],
    "train": ["train", "--data", "x.npz", "-o", "x"],
    "tune": ["tune", "--data", "x.npz"],
    "export": ["export", "--format", "onnx"],
    "diff": ["diff", SPEAKER],
    "migrate": ["migrate"],
}


@pytest.mark.parametrize("command", CHECKING)
@pytest.mark.parametrize("place", WRONG)
def test_a_wrong_recipe(place: str, command: str, tmp_path: Path) -> None:
    path = written(tmp_path, WRONG[place])
    name, *options = CHECKING[command]
    found = run(name, *options, path).output
    assert not hidden(found)
    if command == "validate" and place != "no YAML":
        assert SHOWN in found


@pytest.mark.parametrize("ending", ["", UNREADABLE])
@pytest.mark.parametrize("command", CHECKING)
def test_a_path(command: str, ending: str, tmp_path: Path) -> None:
    name, *options = CHECKING[command]
    shown(
        name, *options, tmp_path / f"{HOSTILE}{ending}.yaml"
    ) if command != "validate sarif" else 0
    right = written(tmp_path, {**RECIPE, "k": 1}, f"{HOSTILE}{ending}.yaml")
    found = run(name, *options, right).output
    assert not hidden(found)


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain"], ["explain", "--format", "markdown"], ["explain", "--blame"],
        ["explain", "--blame", "--format", "markdown"], ["explain", "--format", "json"],
        ["graph"], ["graph", "--format", "dot"], ["graph", "--format", "svg"],
        ["validate"], ["validate", "--format", "sarif"], ["space"],
        ["diff", SPEAKER], ["diff", "--format", "markdown", SPEAKER], ["fmt", "--check"],
    ],
)  # fmt: skip
def test_a_recipe_without_mistakes(arguments: list[str], tmp_path: Path) -> None:
    for path in (
        written(tmp_path, {**RECIPE, "description": HOSTILE}),
        written(tmp_path, {**SERIES, "description": HOSTILE}, f"{HOSTILE}{UNREADABLE}.yaml"),
    ):
        result = run(*arguments, path)
        assert not hidden(result.output)
    if arguments == ["explain", "--blame"]:
        assert SHOWN in result.output


# Names on the command line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--" + HOSTILE],
        [HOSTILE],
        ["validate", "--" + HOSTILE],
        ["validate", SPEAKER, "--format", HOSTILE],
        ["validate", SPEAKER, "--set", HOSTILE],
        ["validate", SPEAKER, "--set", f"{HOSTILE}=1"],
        ["validate", SPEAKER, "--set", f"layers.{HOSTILE}.units=1"],
        ["validate", SPEAKER, "--set", f"name={HOSTILE}"],
        ["validate", SPEAKER, "--set", f"seed=[{HOSTILE}"],
        ["explain", SPEAKER, "--batch", HOSTILE],
        ["explain", SPEAKER, "--dim", HOSTILE],
        ["explain", SPEAKER, "--dim", f"{HOSTILE}=2", "--batch", "2"],
        ["explain-code", HOSTILE],
        ["graph", SPEAKER, "--model", HOSTILE],
        ["graph", SPEAKER, "-o", HOSTILE],
        ["init", "--from", HOSTILE],
        ["init", "--task", HOSTILE],
        ["init", "--features", HOSTILE],
        ["init", "--yes", "--task", "forecast", "-o", HOSTILE],
        ["build", SPEAKER, "--derive", HOSTILE],
        ["build", SPEAKER, "--model", HOSTILE],
        ["build", SPEAKER, "--weights", HOSTILE],
        ["export", SPEAKER, "--format", HOSTILE],
        ["export", SPEAKER, "--format", "onnx", "--weights", HOSTILE],
        ["transfer", HOSTILE, SPEAKER, "-o", HOSTILE],
        ["data", SPEAKER, "--data", HOSTILE],
        ["data", SPEAKER, "--data", f"{HOSTILE}:{HOSTILE}"],
        ["data", SPEAKER, "--data", f"{HOSTILE}.csv"],
        ["train", SPEAKER, "--data", HOSTILE, "-o", "x"],
        ["tune", SPEAKER, "--data", HOSTILE],
        ["tune", SPEAKER, "--data", "x", "--time", HOSTILE],
        ["report", HOSTILE],
        ["fmt", HOSTILE],
        ["fmt", "-", HOSTILE],
        ["migrate", HOSTILE],
        ["fmt", f"{HOSTILE}.keras"],
    ],
)
def test_words_of_the_command_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code != 0
    assert not hidden(result.output)
    assert result.output


@pytest.mark.slow
def test_files_that_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown("init", "--from", "next-frame", "-o", f"{HOSTILE}.yaml")
    shown("init", "--from", "next-frame", "-o", f"{HOSTILE}.yaml")
    shown("graph", SPEAKER, "-o", f"{HOSTILE}.svg")
    shown("fmt", written(tmp_path, json.dumps(RECIPE), f"{HOSTILE}2.yaml"))
    shown("fmt", f"{HOSTILE}2.yaml")


# Names in data


@pytest.mark.parametrize("ending", ["csv", "npz", "folder", "parquet"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_names_in_data(ending: str, form: str, tmp_path: Path) -> None:
    wanted = {
        **RECIPE,
        "data": {"inputs": {"x": {"columns": ["a", "b"]}}, "targets": {"y": {"columns": ["c"]}}},
    }
    path = tmp_path / f"data.{ending}"
    columns = {f"a{IN_TABLE}": [1.0, 2.0], f"b{IN_TABLE}": [1.0, 2.0]}
    if ending == "csv":
        path.write_text("\n".join([",".join(f'"{name}"' for name in columns), "1,2", "3,4"]))
    elif ending == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet  # noqa: PLC0415 - an extra

        parquet.write_table(pa.table(columns), path)
    else:
        wanted = RECIPE
        arrays = {f"x{HOSTILE}": np.ones((2, 2)), f"y{HOSTILE}": np.ones((2, 1))}
        if ending == "npz":
            np.savez(path, **arrays)
        else:
            path.mkdir()
            for name, array in arrays.items():
                np.save(path / f"{name}.npy", array)
    shown("data", written(tmp_path, wanted), "--data", path, "--format", form)


@pytest.mark.parametrize("cell", ["number", "series", "time"])
@pytest.mark.parametrize("command", ["data", "train", "tune"])
def test_cells_of_tables(cell: str, command: str, tmp_path: Path) -> None:
    days = [f"2024-01-0{day}" for day in range(1, 8)]
    rows = [["s" + IN_TABLE, day, "1", "2"] for day in days]
    if cell == "number":
        rows[3][2] = IN_TABLE
    elif cell == "time":
        rows[3][1] = IN_TABLE
    else:
        rows[3][1] = rows[2][1]  # the same time twice, which is reported with the series
    names = [IN_TABLE, "day", "a", "b" + IN_TABLE]
    text = "\n".join(",".join(f'"{value}"' for value in row) for row in [names, *rows])
    table = written(tmp_path, text, "table.csv")
    searched = {
        **SERIES,
        "layers": {"d": {**SERIES["layers"]["d"], "units": {"$search": {"choice": [1, 2]}}}},
    }
    recipe = searched if command == "tune" else SERIES
    more = {"data": [], "train": ["-o", tmp_path / "run"], "tune": ["-o", tmp_path / "search"]}
    shown(command, written(tmp_path, recipe), "--data", table, *more[command])


def test_a_summary_of_data(tmp_path: Path) -> None:
    rows = [
        [f"{name}{IN_TABLE}", f"2024-01-{step + 10}", "1", "2"]
        for name in "pq"
        for step in range(9)
    ]
    names = [IN_TABLE, "day", "a", "b" + IN_TABLE]
    text = "\n".join(",".join(f'"{value}"' for value in row) for row in [names, *rows])
    result = run("data", written(tmp_path, SERIES), "--data", written(tmp_path, text, "t.csv"))
    assert result.exit_code == 0, result.output
    assert not hidden(result.output)


# Names in weights


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_layers_of_weights(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415 - Keras brings it

    path = tmp_path / "hostile.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group(f"layers/{HOSTILE}/vars")
        group["0"] = np.ones((2, 1), "float32")
        file[f"layers/{HOSTILE}"].attrs["name"] = HOSTILE
    result = run("transfer", path, written(tmp_path, RECIPE), "-o", tmp_path / "out.keras")
    assert not hidden(result.output)
    assert result.output


# A terminal


def on_a_terminal(*arguments: object, folder: Path) -> str:
    """What a terminal is given on both outputs."""
    parent, child = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lstmgraph", *map(str, arguments)]
        if (Path(lstmgraph.__file__).parent / "__main__.py").exists()
        else [sys.executable, "-c", "from lstmgraph.cli import main; main()", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=child, stderr=child, cwd=folder, env=environment,
    )  # fmt: skip
    os.close(child)
    found = b""
    try:
        while part := os.read(parent, 65536):
            found += part
    except OSError:  # the other end is closed
        pass
    process.wait(timeout=60)
    os.close(parent)
    return found.decode().replace("\r\n", "\n")


RAW = f'recipe: 1\nname: small\ndescription:   "a \u202e \x9b \u2028"\nextra: {SHOWN}\n'


@pytest.mark.slow
def test_texts_of_files_on_a_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, RAW)
    for arguments in (["fmt", "--diff", path], ["migrate", "--diff", path], ["graph", SPEAKER]):
        assert not hidden(on_a_terminal(*arguments, folder=tmp_path))
    assert SHOWN in on_a_terminal("fmt", "--diff", path, folder=tmp_path)


def test_texts_of_files_stay_what_they_are_in_a_pipe(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fmt", "-"], input=RAW)
    assert result.exit_code == 0, result.output
    assert "\u202e" in result.stdout
    assert (
        lstmgraph.language.text.document.parse_document(result.stdout).data["description"]
        == "a \u202e \x9b \u2028"
    )
    assert "\u202e" in run("fmt", "--diff", written(tmp_path, RAW)).stdout


# What is no command


def test_what_a_search_shows() -> None:
    objectives = (Objective(HOSTILE, "min"),)
    row = TrialRow(
        number=1, status="failed", values={f"layers.{HOSTILE}": f"[red]{HOSTILE}"},
        metrics={HOSTILE: 1.0}, reason=HOSTILE,
    )  # fmt: skip
    assert not hidden(describe(row, objectives))
    wide = Console(width=200, color_system=None)

    class Live:
        console = wide

        def update(self, table: object) -> None:
            with wide.capture() as captured:
                wide.print(table)
            assert not hidden(captured.get())

    watcher = LiveWatcher(objectives, Path(), Live())  # type: ignore[arg-type]
    watcher.started(row)
    watcher.ended(row)


def test_pages_and_problems() -> None:
    section = Section(HOSTILE, [HOSTILE, "- a"], (HOSTILE,), [(f"[red]{HOSTILE}\n",)])
    for write in (as_text, as_markdown):
        found = write([section])
        assert not hidden(found)
        assert "[red]" in found or r"\[red]" in found
    problem = DataProblem("D201", f"a\n{HOSTILE}", HOSTILE, HOSTILE)
    assert not hidden(str(problem))
    assert str(problem).count("\n") == 1  # before the help


def test_lines_and_tabs_stay() -> None:
    assert printable_lines("a\n\tb\x1b\r") == "a\n\tb\\x1b\\r"
    assert printable("a\n\tb") == "a\\n\\tb"
    assert printable_lines(printable_lines(HOSTILE)) == printable_lines(HOSTILE)


NAMES: list[Callable[[str], dict[str, Any]]] = [
    lambda end: {**RECIPE, "name": f"small{end}"},
    lambda end: {**RECIPE, "inputs": {f"x{end}": {"shape": [2]}}},
    lambda end: {**RECIPE, "layers": {f"d{end}": RECIPE["layers"]["d"]}},
    lambda end: {**RECIPE, "outputs": {f"y{end}": "d"}},
    lambda end: {**RECIPE, "outputs": {"y": f"d{end}"}},
    lambda end: {**RECIPE, "inputs": {"x": {"shape": [f"time{end}", 2]}}},
]


@pytest.mark.parametrize("made", NAMES)
def test_a_name_ends_where_it_ends(made: Callable[[str], dict[str, Any]]) -> None:
    """Python's ``$`` passes over a line break: names of files and layers had one."""
    with pytest.raises(lstmgraph.RecipeError, match="L2"):
        lstmgraph.load(json.dumps(made("\n")))
