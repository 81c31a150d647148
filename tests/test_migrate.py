"""`lstmgraph migrate`: recipes of an older version, rewritten with their comments.

Version 0 is invented for these tests, with one change of each kind. Each recipe under
recipes/version-0 has beside it what it must become.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.authoring.editing import migration
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.authoring.editing.migration import Migration, Rename, Wrap, migrate_text
from lstmgraph.cli import app
from lstmgraph.language.schema import structure
from lstmgraph.language.schema.structure import OLDEST_VERSION, SUPPORTED_VERSION
from lstmgraph.language.text.document import parse_document

FOLDER = Path(__file__).parent / "recipes" / "version-0"
EXPECTED = sorted(FOLDER.glob("*.expected.yaml"))
FORECASTER = FOLDER / "forecaster.yaml"
MIGRATED = FOLDER / "forecaster.expected.yaml"
OLD = [path.with_name(path.name.replace(".expected", "")) for path in EXPECTED]


VERSION_0 = Migration(
    0,
    (
        Wrap(("inputs", "*"), "shape", lists=True),
        Rename(("layers", "*", "from"), "input"),
        Rename(("layers", "*", "hidden_size"), "units"),
        Rename(("layers", "*", "num_layers"), "depth"),
        Rename(("layers", "*", "lengths"), "mask"),
        Wrap(("layers", "*", "lengths"), "lengths"),
        Rename(("layers", "*", "init"), "initial_state"),
        Rename(("layers", "*", "init", "features"), "static"),
    ),
)
RELEASED = migration.MIGRATIONS


@pytest.fixture(autouse=True)
def _version_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "MIGRATIONS", (VERSION_0, *RELEASED))
    monkeypatch.setattr(structure, "OLDEST_VERSION", 0)


def migrate(*arguments: str, input: bytes | None = None) -> Result:  # noqa: A002 - as CliRunner has it
    result = CliRunner().invoke(app, ["migrate", *arguments], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_every_version_before_the_current_one_has_its_migration() -> None:
    versions = [each.version for each in RELEASED]
    assert versions == list(range(OLDEST_VERSION, SUPPORTED_VERSION))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_an_old_recipe_becomes_what_stands_beside_it(path: Path) -> None:
    expected = path.with_suffix(".expected.yaml").read_text("utf-8")
    migrated = migrate_text(path.read_text("utf-8"))
    assert migrated == expected
    assert migrate_text(migrated) == migrated
    lstmgraph.load(migrated)
    lstmgraph.load(format_text(migrated))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_every_comment_is_kept(path: Path) -> None:
    text = path.read_text("utf-8")
    comments = re.findall(r"#.*", text)
    assert len(comments) >= 2
    assert re.findall(r"#.*", migrate_text(text)) == comments


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_validate_names_the_command(path: Path) -> None:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "L211"
    assert diagnostic.hint == f"run `lstmgraph migrate {path}` to rewrite it"
    with pytest.raises(lstmgraph.RecipeError, match="`lstmgraph migrate FILE`"):
        lstmgraph.load(path.read_text("utf-8"))


def test_what_is_built_is_what_the_old_recipe_said() -> None:
    """The fixture, written by hand as data of version 1."""
    migrated = migrate_text((FOLDER / "forecaster.yaml").read_text("utf-8"))
    assert parse_document(migrated).data["layers"]["encoder"] == {
        "type": "lstm",
        "input": "history",
        "units": 64,
        "depth": 2,
        "dropout": 0.1,
        "mask": {"lengths": "lengths"},
        "initial_state": {"static": ["store"], "activation": "tanh"},
    }


# The command.


def test_a_file_is_rewritten_and_then_is_current(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_bytes(FORECASTER.read_bytes())
    result = migrate(str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}: rewritten\n")
    assert path.read_bytes() == MIGRATED.read_bytes()
    result = migrate(str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}: is of version 1 already\n")


def test_a_current_recipe_is_not_touched_in_any_byte(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    content = b"\xef\xbb\xbf" + MIGRATED.read_bytes().replace(b"\n", b"\r\n", 3)
    path.write_bytes(content)
    assert migrate(str(path)).exit_code == 0
    assert path.read_bytes() == content


def test_a_recipe_may_stand_before_what_it_extends(tmp_path: Path) -> None:
    own, base = tmp_path / "a-first.yaml", tmp_path / "base.yaml"
    own.write_text("recipe: 0\nname: own\nextends: base.yaml\n")
    base.write_bytes(FORECASTER.read_bytes())
    result = migrate(str(own), str(base))
    assert (result.exit_code, result.stderr) == (0, "")
    assert lstmgraph.load(own).name == "own"


def test_check_and_diff_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_bytes(FORECASTER.read_bytes())
    assert migrate("--check", str(path)).stdout == f"{path}: would be rewritten\n"
    assert migrate("--check", str(path)).exit_code == 1
    assert "\n-recipe: 0" in migrate("--diff", str(path)).stdout
    assert path.read_bytes() == FORECASTER.read_bytes()


def test_a_pipe_is_read_and_written() -> None:
    result = migrate("-", input=FORECASTER.read_bytes())
    assert (result.exit_code, result.stdout) == (0, MIGRATED.read_text("utf-8"))


def test_what_is_still_wrong_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(FORECASTER.read_text("utf-8").replace("from: history", "from: histroy"))
    result = migrate(str(path))
    assert result.exit_code == 1
    assert "error[L301]" in result.stderr
    assert "input: histroy" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("recipe: 2\n", "L201"),
        ("recipe: true\n", "L205"),
        ("name: x\n", "L202"),
        ("recipe: 0\nlayers: {a: {from: x, input: y}}\n", "L105"),
        ("recipe: [0\n", "L104"),
        ("- 0\n", "L204"),
    ],
)
def test_what_cannot_be_migrated_is_refused_and_stays(text: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    result = migrate(str(path))
    assert (result.exit_code, path.read_text()) == (1, text)
    assert f"error[{code}]" in result.stderr
    assert result.stdout == ""


def test_a_version_that_never_was_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "MIGRATIONS", RELEASED)
    monkeypatch.setattr(structure, "OLDEST_VERSION", OLDEST_VERSION)
    path = tmp_path / "old.yaml"
    path.write_bytes(FORECASTER.read_bytes())
    result = migrate(str(path))
    assert result.exit_code == 1
    assert "error[L211]" in result.stderr
    assert "there is no such version: write `recipe: 1`" in result.stderr
    assert path.read_bytes() == FORECASTER.read_bytes()
