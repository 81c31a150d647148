"""Converted tables, in a temporary folder or in a cache that saves the next conversion.

A cache folder is named by a fingerprint of each file's path, size and modification time and of the
columns that are read and their dtypes. A cached table is mapped without opening the file.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.data.cleaning import is_interpolated
from lstmgraph.data.convert import TIMES, convert, need_of, stored_dtype
from lstmgraph.data.grid import ALL_TIMES
from lstmgraph.data.problems import DataProblem, Problems
from lstmgraph.data.store import Workspace, mapped
from lstmgraph.data.table import Interpolated, Table, key_of
from lstmgraph.data.texts import ENDS, TEXTS, Labels, Texts, mapped_texts
from lstmgraph.files import read_regular_file, refuse_link
from lstmgraph.keras_facts.layers.lookups import STRING
from lstmgraph.language.declaration.data import INTERPOLATE, MASK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import DataDeclaration

LAYOUT = 2
"""The version of the cached form; a new one makes old cached tables unused."""
CONTENTS = "table.json"
STARTS = "series-starts"


def converted(
    file: TableFile, data: DataDeclaration, needs: Needs, problems: Problems, cache: Path | None
) -> tuple[Table | None, Workspace | None]:
    """Return the converted table, and the temporary folder that holds it if there is no cache.

    The folder is removed with its ``Workspace``. The table is None if a problem was reported.
    """
    if cache is None or not file.files:
        workspace = Workspace()
        return convert(file, data, needs, workspace.path, problems), workspace
    kept = cache / fingerprint(file, data, needs)
    try:
        if not (kept / CONTENTS).exists() and not _make(kept, file, data, needs, problems):
            return None, None
    except OSError as error:
        message = f"the cache {cache} cannot be written: {error.strerror or error}"
        problems.add("D107", message, "choose another folder, with enough free space, as the cache")
        return None, None
    try:
        wanted = {key_of(entry): need_of(entry, needs) for entry in data.all_columns}
        texts = [key for key, need in wanted.items() if need.dtype == STRING]
        table = read_table(kept, data, texts)
        _refuse_other(table, data, needs)
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"its cached copy cannot be read: {reason}"
        problems.add("D102", message, f"delete {kept}; the next run makes it again")
        return None, None
    problems.found += [warning for warning in table.warnings if warning not in problems.found]
    return table, None


def _make(
    kept: Path, file: TableFile, data: DataDeclaration, needs: Needs, problems: Problems
) -> bool:
    """Convert the table into the folder `kept`, whole or not at all; return whether it is there."""
    # An unpredictable name, so that nobody can put a link there first.
    folder = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
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
    """Return a hash of all that a conversion depends on, which names its folder."""
    files = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in file.files]
    entries = [asdict(entry) for entry in data.all_columns]
    wanted = {**needs.inputs, **needs.targets}
    dtypes = {name: (need.dtype, [asdict(x) for x in need.limits]) for name, need in wanted.items()}
    cleaning = [data.every, data.calendar, _preparations(data)]
    if any(column.missing == INTERPOLATE for column in data.columns.values()):
        cleaning.append(asdict(data.split))  # nothing is interpolated across its cuts
    read = [data.series, data.time, entries, dtypes]
    text = json.dumps([LAYOUT, files, *read, *cleaning], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _preparations(data: DataDeclaration) -> dict[str, tuple[object, object]]:
    """Return what is done to columns before a model reads them."""
    return {name: (column.missing, column.clip) for name, column in data.columns.items()}


def _put(folder: Path, kept: Path) -> None:
    """Rename `folder` to `kept`; if another process was faster, keep its table."""
    try:
        folder.rename(kept)
    except OSError:
        if not (kept / CONTENTS).exists():
            raise


def write_table(table: Table, folder: Path) -> None:
    """Write the parts of a table beside its matrices; the last file marks the folder complete."""
    np.save(folder / f"{STARTS}.npy", table.series_starts)
    contents = {
        "series_names": table.series_names,
        "has_times": table.times is not None,
        "time_unit": table.time_unit,
        "zone": table.zone,
        "warnings": [asdict(problem) for problem in table.warnings],
        "labels": {key: asdict(labels) for key, labels in table.labels.items()},
    }
    (folder / CONTENTS).write_text(json.dumps(contents), "utf-8")


def read_table(folder: Path, data: DataDeclaration, texts: Iterable[str] = ()) -> Table:
    """Return the table that ``write_table`` wrote, its matrices mapped.

    Args:
        folder: where it is.
        data: the declaration that it was read by.
        texts: the keys of the entries that are texts.

    Raises:
        OSError: A file cannot be read, or is a link or not a regular file.
        ValueError, TypeError, LookupError, RecursionError: The table is damaged.
    """
    refuse_link(folder)
    contents = json.loads(read_regular_file(folder / CONTENTS, follow_links=False))
    return Table(
        {key: _mapped(folder, key) for key in map(key_of, data.all_columns)},
        np.array(_mapped(folder, STARTS)),
        tuple(contents["series_names"]),
        _mapped(folder, ALL_TIMES if data.every is not None else TIMES)[:, 0]
        if contents["has_times"]
        else None,
        contents["time_unit"],
        tuple(DataProblem(**problem) for problem in contents["warnings"]),
        zone=str(contents["zone"]),
        masks={key: _mapped(folder, f"{key}.mask") for key in _masked(data)},
        interpolated={
            key: Interpolated(_mapped(folder, f"{key}.forward"), _mapped(folder, f"{key}.ahead"))
            for key in [key_of(entry) for entry in data.all_columns if is_interpolated(entry, data)]
        },
        texts={key: _mapped_texts(folder, key) for key in texts},
        labels={key: Labels.of(given) for key, given in contents["labels"].items()},
    )


def _masked(data: DataDeclaration) -> list[str]:
    """Return the keys of the entries with columns of ``missing: mask``."""
    masked = {name for name, column in data.columns.items() if column.missing == MASK}
    return [key_of(entry) for entry in data.all_columns if masked.intersection(entry.columns)]


def _mapped_texts(folder: Path, key: str) -> Texts:
    for name in (TEXTS, ENDS):
        refuse_link(folder / f"{key}.{name}.npy")
    return mapped_texts(folder, key)


def _dtypes(data: DataDeclaration, needs: Needs) -> dict[str, np.dtype[Any]]:
    return {key_of(entry): stored_dtype(need_of(entry, needs)) for entry in data.all_columns}


def _mapped(folder: Path, name: str) -> Array:
    path = folder / f"{name}.npy"
    refuse_link(path)
    return mapped(path)


def _refuse_other(table: Table, data: DataDeclaration, needs: Needs) -> None:
    """Check that the parts of a cached table belong together and hold the recipe's columns.

    Raises:
        ValueError: They do not.
    """
    starts, rows = table.series_starts, table.matrices and len(next(iter(table.matrices.values())))
    dtypes = _dtypes(data, needs)
    wanted = {
        key_of(entry): ((rows, len(entry.columns)), dtypes[key_of(entry)])
        for entry in data.all_columns
    }
    texts = [text for warning in table.warnings for text in asdict(warning).values()]
    fits = (
        {key: (array.shape, array.dtype) for key, array in table.matrices.items()} == wanted
        and all(
            mask.shape == table.matrices[key].shape and mask.dtype == np.uint8
            for key, mask in table.masks.items()
        )
        and all(
            (later.forward.shape, later.forward.dtype) == wanted[key]
            and (later.ahead.shape, later.ahead.dtype) == (wanted[key][0], np.dtype(np.int32))
            for key, later in table.interpolated.items()
        )
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
        raise ValueError("its files do not belong together")
