"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from special_files import at_most, pipe

from lstmgraph.files import (
    LinkError,
    NotAFileError,
    atomic_folder,
    atomic_path,
    made_folder,
    obstacle,
    open_file,
    read_regular_file,
)


def filled(folder: Path, text: str) -> Path:
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "file").write_text(text)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_folder_gets_its_name_when_the_block_ends(tmp_path) -> None:
    with atomic_folder(tmp_path / "a.model") as temporary:
        filled(temporary, "new")
        assert temporary.suffix == ".model"
        assert not (tmp_path / "a.model").exists()
    assert contents(tmp_path) == {"a.model/inside/file": "new"}


def test_a_folder_takes_the_place_of_another(tmp_path) -> None:
    (filled(tmp_path / "a", "old") / "more").write_text("old")
    with atomic_folder(tmp_path / "a") as temporary:
        filled(temporary, "new")
    assert contents(tmp_path) == {"a/inside/file": "new"}


@pytest.mark.parametrize("put", [pipe, lambda path: path.write_text("a")], ids=["pipe", "file"])
def test_a_folder_takes_the_place_of_what_is_none(put, tmp_path) -> None:
    put(tmp_path / "a")
    with at_most(20), atomic_folder(tmp_path / "a") as temporary:
        filled(temporary, "new")
    assert contents(tmp_path) == {"a/inside/file": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "nothing is left"


def test_a_block_that_fails_leaves_the_folder_as_it_was(tmp_path) -> None:
    filled(tmp_path / "a", "old")
    with pytest.raises(KeyError), atomic_folder(tmp_path / "a") as temporary:
        raise KeyError(filled(temporary, "half"))
    assert contents(tmp_path) == {"a/inside/file": "old"}


def test_the_old_folder_comes_back_where_the_new_one_gets_no_name(tmp_path, monkeypatch) -> None:
    filled(tmp_path / "a", "old")
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if ".tmp" in path.name:
            raise OSError("no space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="no space"), atomic_folder(tmp_path / "a") as temporary:
        filled(temporary, "new")
    assert contents(tmp_path) == {"a/inside/file": "old"}


def test_folders_are_made_and_go_again_where_the_block_fails(tmp_path) -> None:
    with made_folder(tmp_path / "kept" / "deep"):
        pass
    with pytest.raises(KeyError), made_folder(tmp_path / "kept" / "gone" / "deep"):
        raise KeyError
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["deep"]


def test_folders_that_hold_something_by_then_stay(tmp_path) -> None:
    with pytest.raises(KeyError), made_folder(tmp_path / "new" / "deep"):
        raise KeyError((tmp_path / "new" / "mine").write_text("mine"))
    assert contents(tmp_path) == {"new/mine": "mine"}


def test_obstacles_are_named(tmp_path) -> None:
    filled(tmp_path / "a", "old")
    paths = [tmp_path / "a", tmp_path / "b"]
    assert f"{tmp_path / 'a'} would be overwritten" in str(
        obstacle(tmp_path, paths, overwrite=False, folders=True)
    )
    assert obstacle(tmp_path, paths, overwrite=True, folders=True) is None
    assert f"{tmp_path / 'a'} is a folder" in str(obstacle(tmp_path, paths, overwrite=True))
    assert obstacle(tmp_path / "new", [tmp_path / "new" / "a"], overwrite=False) is None
    file = tmp_path / "a" / "inside" / "file"
    assert f"{file} is not a folder" in str(obstacle(file / "x", [], overwrite=True))


def test_a_pipe_is_refused_without_waiting(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        # Writing to a pipe that nobody reads is refused by the system itself.
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            open_file(tmp_path / "pipe", flags)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(path) -> None:
    with pytest.raises(NotAFileError, match="not a regular file"):
        read_regular_file(Path(path))


def test_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(IsADirectoryError):
        read_regular_file(tmp_path)


@pytest.mark.parametrize("target", ["outside", "missing"])
def test_a_link_is_followed_only_where_that_is_allowed(tmp_path, target) -> None:
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / target)
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        with pytest.raises(LinkError, match="it is a symbolic link"):
            open_file(tmp_path / "link", flags, follow_links=False)
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "link"}
    assert (tmp_path / "outside").read_text() == "mine"


def test_a_file_is_emptied_where_that_is_asked_for(tmp_path) -> None:
    (tmp_path / "file").write_text("old")
    os.close(open_file(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    assert (tmp_path / "file").read_bytes() == b""


def test_a_link_is_replaced_by_what_is_written(tmp_path) -> None:
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "outside").read_text() == "mine"
    assert (tmp_path / "link").read_text() == "new"
    assert not (tmp_path / "link").is_symlink()
