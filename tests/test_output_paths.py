"""A path that cannot be written is refused before any work, by every command in the same words."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import training_cases
import typer
from test_cli import invoke

from lstmgraph.cli import app
from lstmgraph.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {
    "code": ("code small.yaml", ".py"),
    "graph": ("graph small.yaml", ".svg"),
    "init": ("init --task forecast --features 3 --horizon 2 --yes", ".yaml"),
    "transfer": ("transfer m.keras small.yaml", ".keras"),
    "import": ("import m.keras --no-weights", ".yaml"),
    "predict": ("predict m.keras --data none.npz", ".csv"),
    "evaluate": ("evaluate m.keras --data none.npz", ".html"),
}
FOLDERS = {
    "build": "build small.yaml",
    "export": "export small.yaml --to keras",
    "train": "train small.yaml --data none.npz",
    "tune": "tune small.yaml --data none.npz",
}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def file(path: Path) -> Path:
    path.touch()
    return path


def link(path: Path) -> Path:
    path.symlink_to("nothing")
    return path


BAD: dict[str, tuple[Callable[[str], Path], str]] = {
    "a file as a folder": (lambda end: file(Path("file")) / f"out{end}", "file is not a folder"),
    "below a file": (lambda end: file(Path("file")) / "a" / f"out{end}", "file is not a folder"),
    "no file system": (lambda end: Path(f"/proc/out{end}"), os.strerror(errno.ENOENT)),
    "a name too long": (lambda end: Path("n" * 300 + end), os.strerror(errno.ENAMETOOLONG)),
    "a path too long": (
        lambda end: Path("/".join(["d" * 200] * 25)) / f"out{end}",
        os.strerror(errno.ENAMETOOLONG),
    ),
    "below a dangling link": (
        lambda end: link(Path("link")) / f"out{end}",
        "link is a symbolic link to nothing",
    ),
}
OF_FOLDERS = {
    "a file": (lambda: file(Path("out")), "out is not a folder"),
    "a dangling link": (lambda: link(Path("out")), "out is a symbolic link to nothing"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(training_cases.recipe().resolved())
    (tmp_path / "m.keras").touch()
    return tmp_path


def refuses(command: str, path: Path, says: str) -> None:
    before = sorted(Path().iterdir())
    result = invoke(*command.split(), "-o", str(path))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"cannot write {path}")
    assert line.endswith(f"{says}; choose another -o")
    assert sorted(Path().iterdir()) == before


def test_every_command_that_writes_is_here() -> None:
    commands = typer.main.get_group(app).commands
    writing = {
        name
        for name, command in commands.items()
        if any("-o" in option.opts for option in command.params)
    }
    assert {*FILES, *FOLDERS} == writing


@pytest.mark.parametrize("command", [*FILES, *FOLDERS])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_path(command: str, bad: str, place: Path) -> None:
    make, says = BAD[bad]
    line, ending = FILES.get(command) or (FOLDERS[command], "")
    refuses(line, make(ending), says)


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize("bad", OF_FOLDERS)
def test_a_bad_folder(command: str, bad: str, place: Path) -> None:
    make, says = OF_FOLDERS[bad]
    refuses(FOLDERS[command], make(), says)


@pytest.mark.parametrize("command", FILES)
def test_a_folder_in_place_of_a_file(command: str, place: Path) -> None:
    line, ending = FILES[command]
    out = folder(Path(f"out{ending}"))
    refuses(line, out, f"{out} is a folder")


@pytest.mark.parametrize("length", [240, 251])
def test_a_file_may_have_as_long_a_name_as_the_system_allows(length: int, tmp_path: Path) -> None:
    """The temporary file beside it had a longer one."""
    target = tmp_path / ("n" * length + ".csv")
    with atomic_path(target) as temporary:
        temporary.write_text("1")
    assert target.read_text() == "1"


def test_an_error_names_the_file_and_no_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "out.csv"
    with pytest.raises(FileNotFoundError) as caught, atomic_path(target) as temporary:
        temporary.write_text("1")
    assert caught.value.filename == str(target)
