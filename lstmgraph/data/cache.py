"""The cache of converted tables: temporary, or kept by fingerprint so as to be read once.

The fingerprint is of each file's path, size and time of change, and of the columns that are read
and their dtypes. A table that was kept is mapped again without a look at the file.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.convert import TIMES, convert, need_of
from lstmgraph.data.problems import DataProblem, Problems
from lstmgraph.data.store import Workspace, mapped
from lstmgraph.data.table import Table, key_of
from lstmgraph.data.values import storage_dtype
from lstmgraph.files import read_regular_file, refuse_link

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import DataDeclaration

LAYOUT = 1
"""Raised whenever kept tables of before cannot be read any more."""
CONTENTS = "table.json"
STARTS = "series-starts"


def converted(
    file: TableFile, data: DataDeclaration, needs: Needs, problems: Problems, cache: Path | None
) -> tuple[Table | None, Workspace | None]:
    """Return the table and its temporary folder, which is removed with that object."""
    if cache is None or not file.files:
        workspace = Workspace()
        return convert(file, data, needs, workspace.path, problems), workspace
    kept = cache / fingerprint(file, data, needs)
    try:
        if not (kept / CONTENTS).exists():
            made = _make(kept, file, data, needs, problems)
            if not made:
                return None, None
    except OSError as error:
        message = f"the cache {cache} cannot be written: {error.strerror or error}"
        problems.add("D107", message, "name another folder, with more free space, as the cache")
        return None, None
    try:
        table = read_table(kept, data)
        _refuse_other(table, data, needs)
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"what the cache keeps of it cannot be read: {reason}"
        problems.add("D102", message, f"delete {kept}; it is then made again")
        return None, None
    problems.found += [found for found in table.warnings if found not in problems.found]
    return table, None


def _make(
    kept: Path, file: TableFile, data: DataDeclaration, needs: Needs, problems: Problems
) -> bool:
    """Convert the table into the folder `kept`, whole or not at all; return whether it is right."""
    folder = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")  # no one can lay a link there
    folder.mkdir(parents=True)
    try:
        table = convert(file, data, needs, folder, problems)
        if table is None or problems.errors:
            return False
        write_table(table, folder)
        _put(folder, kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def fingerprint(file: TableFile, data: DataDeclaration, needs: Needs) -> str:
    """Return a hash of all that a conversion depends on, the name of its folder."""
    files = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in file.files]
    entries = [asdict(entry) for entry in data.all_columns]
    wanted = {**needs.inputs, **needs.targets}
    dtypes = {name: (need.dtype, [asdict(x) for x in need.limits]) for name, need in wanted.items()}
    text = json.dumps([LAYOUT, files, data.series, data.time, entries, dtypes], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _put(folder: Path, kept: Path) -> None:
    """Rename the folder to `kept`; where another process was faster, its table stays."""
    try:
        folder.rename(kept)
    except OSError:
        if not (kept / CONTENTS).exists():
            raise


def write_table(table: Table, folder: Path) -> None:
    """Write the rest of a table beside its matrices; the last file marks it as complete."""
    np.save(folder / f"{STARTS}.npy", table.series_starts)
    contents = {
        "series_names": table.series_names,
        "has_times": table.times is not None,
        "time_unit": table.time_unit,
        "warnings": [asdict(problem) for problem in table.warnings],
    }
    (folder / CONTENTS).write_text(json.dumps(contents), "utf-8")


def read_table(folder: Path, data: DataDeclaration) -> Table:
    """Return the table that ``write_table`` wrote, its matrices mapped.

    Raises:
        OSError: a file cannot be read, is no regular file, or a link.
        ValueError, TypeError, LookupError, RecursionError: it is damaged.
    """
    refuse_link(folder)
    contents = json.loads(read_regular_file(folder / CONTENTS, follow_links=False))
    return Table(
        {key: _mapped(folder, key) for key in map(key_of, data.all_columns)},
        np.array(_mapped(folder, STARTS)),
        tuple(contents["series_names"]),
        _mapped(folder, TIMES)[:, 0] if contents["has_times"] else None,
        contents["time_unit"],
        tuple(DataProblem(**problem) for problem in contents["warnings"]),
    )


def _mapped(folder: Path, name: str) -> Array:
    path = folder / f"{name}.npy"
    refuse_link(path)
    return mapped(path)


def _refuse_other(table: Table, data: DataDeclaration, needs: Needs) -> None:
    """Refuse a table whose parts do not belong together, or that is of other columns.

    Raises:
        ValueError: it is one.
    """
    starts, rows = table.series_starts, table.matrices and len(next(iter(table.matrices.values())))
    wanted = {
        key_of(entry): ((rows, len(entry.columns)), storage_dtype(need_of(entry, needs).dtype))
        for entry in data.all_columns
    }
    texts = [text for found in table.warnings for text in asdict(found).values()]
    fits = (
        {key: (array.shape, array.dtype) for key, array in table.matrices.items()} == wanted
        and starts.dtype == np.int64
        and starts.shape == (len(table.series_names) + 1,)
        and (starts[0], starts[-1]) == (0, rows)
        and bool((np.diff(starts) > 0).all())
        and (
            table.times is None or (table.times.shape == (rows,) and table.times.dtype.kind in "if")
        )
        and (table.times is not None) is (data.time is not None)
        and table.time_unit in ("", "D", "s", "ms", "us", "ns")
        and all(isinstance(text, str) for text in (*table.series_names, *texts) if text is not None)
    )
    if not fits:
        raise ValueError("its parts do not belong together")
