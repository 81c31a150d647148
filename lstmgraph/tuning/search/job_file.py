"""job.json: which search a folder holds, and that it is the same one that goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lstmgraph.explain.diff.items import changed_lines
from lstmgraph.language.text.document import parse_document
from lstmgraph.tuning.search.checked import JOB_SHAPES, NO_SEARCH, parsed
from lstmgraph.tuning.search.errors import JobChangedError, SearchError, cannot_use
from lstmgraph.tuning.search.own_files import read_own
from lstmgraph.tuning.search.trial import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

JOB = "job.json"


def check_job(folder: Path, fingerprint: Mapping[str, Any]) -> None:
    """Write job.json into a new folder; in an old one, hold it to `fingerprint`.

    Raises:
        JobChangedError: the folder holds another job; the message shows what differs.
        SearchError: job.json cannot be read or written.
    """
    path = folder / JOB
    found = read_job(path)
    if found is None:
        try:
            write_json(path, dict(fingerprint))
        except OSError as error:
            raise cannot_use(path, error) from None
        return
    wanted = json.loads(json.dumps(dict(fingerprint)))
    if found != wanted:
        changes = "\n".join(_changes(found, wanted))
        raise JobChangedError(
            f"{folder} holds another search; this differs:\n{changes}\n"
            "go on with what it was started with, choose another folder, or begin anew with "
            "--restart, which keeps this folder under another name"
        )


def read_job(path: Path, problems: list[str] | None = None) -> dict[str, Any] | None:
    """Return the fingerprint in job.json; None where there is no such file.

    Args:
        path: of job.json.
        problems: takes what is wrong, in place of an error; what is wrong is then left out.

    Raises:
        SearchError: it is no fingerprint, or cannot be read.
    """
    found_problems: list[str] = []
    found: Any = {}
    try:
        found = parsed(read_own(path), str(path))
    except FileNotFoundError:
        return None
    except SearchError as error:
        found_problems.append(str(error))
    if not isinstance(found, dict):
        found_problems.append(f"{path}: it must be a mapping; {NO_SEARCH}")
        found = {}
    for key, (shape, default) in JOB_SHAPES.items() if not found_problems else ():
        wrong = shape(found[key]) if key in found else "there is none"
        if wrong:
            found_problems.append(f"{path}: {key}: {wrong}; {NO_SEARCH}")
            found[key] = default
    if problems is None and found_problems:
        raise SearchError(found_problems[0])
    if problems is not None:
        problems += found_problems
    return {**{key: default for key, (_, default) in JOB_SHAPES.items()}, **found}


def _changes(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*found, *wanted}):
        old, new = found.get(key), wanted.get(key)
        if old != new:
            yield from (f"--- {key}, as it was", f"+++ {key}, as it is now")
            yield from changed_lines(_plain(key, old), _plain(key, new))


def _plain(key: str, value: Any) -> dict[str, Any]:
    """Return the data of a recipe's text, a mapping as it is, and anything else by its key."""
    data = parse_document(value).data if isinstance(value, str) else value
    return data if isinstance(data, dict) else {key: value}


def move_aside(folder: Path) -> Path:
    """Rename `folder` to the first free ``folder.1``, ``folder.2``, ...; return the new name.

    Raises:
        SearchError: the folder around it cannot be written.
    """
    number = 1
    while (target := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    try:
        return folder.rename(target)
    except OSError as error:
        raise cannot_use(folder, error) from None
