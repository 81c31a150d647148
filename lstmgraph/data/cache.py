"""Converted tables: in a temporary folder, or kept under a fingerprint so that they are read once.

The fingerprint is of each file's path, size and time of change, and of the columns that are read
and their dtypes. A table that was kept is mapped again without a look at the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.convert import TIMES, convert
from lstmgraph.data.problems import DataProblem, Problems
from lstmgraph.data.store import Workspace, mapped
from lstmgraph.data.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgraph.data.table_files import TableFile
    from lstmgraph.data_needs import Needs
    from lstmgraph.data_recipe import DataDeclaration

LAYOUT = 1
"""Raised whenever kept tables of before cannot be read any more."""
CONTENTS = "table.json"
STARTS = "series-starts"


def converted(
    file: TableFile, data: DataDeclaration, needs: Needs, problems: Problems, cache: Path | None
) -> tuple[Table | None, Workspace | None]:
    """The table, and the temporary folder that it is in, which goes away with that object."""
    if cache is None or not file.files:
        workspace = Workspace()
        return convert(file, data, needs, workspace.path, problems), workspace
    kept = cache / fingerprint(file, data, needs)
    if not (kept / CONTENTS).exists():
        folder = kept.with_name(f".{kept.name}.{os.getpid()}")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            table = convert(file, data, needs, folder, problems)
            if table is None or problems.errors:
                return None, None
            write_table(table, folder)
            _put(folder, kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    table = read_table(kept)
    problems.found += [found for found in table.warnings if found not in problems.found]
    return table, None


def fingerprint(file: TableFile, data: DataDeclaration, needs: Needs) -> str:
    """What a conversion depends on, as a name for its folder."""
    files = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in file.files]
    entries = [asdict(entry) for entry in data.all_columns]
    wanted = {**needs.inputs, **needs.targets}
    dtypes = {name: (need.dtype, [asdict(x) for x in need.limits]) for name, need in wanted.items()}
    text = json.dumps([LAYOUT, files, data.series, data.time, entries, dtypes], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _put(folder: Path, kept: Path) -> None:
    """Give the folder its name; where another process was faster, its table stays."""
    try:
        folder.rename(kept)
    except OSError:
        if not (kept / CONTENTS).exists():
            raise


def write_table(table: Table, folder: Path) -> None:
    """Write what makes the matrices in `folder` a table; the last file says that it is whole."""
    np.save(folder / f"{STARTS}.npy", table.series_starts)
    contents = {
        "keys": list(table.matrices),
        "series_names": table.series_names,
        "has_times": table.times is not None,
        "time_unit": table.time_unit,
        "warnings": [asdict(problem) for problem in table.warnings],
    }
    (folder / CONTENTS).write_text(json.dumps(contents), "utf-8")


def read_table(folder: Path) -> Table:
    """The table that ``write_table`` wrote, its matrices mapped."""
    contents = json.loads((folder / CONTENTS).read_text("utf-8"))
    return Table(
        {key: mapped(folder / f"{key}.npy") for key in contents["keys"]},
        np.load(folder / f"{STARTS}.npy"),
        tuple(contents["series_names"]),
        mapped(folder / f"{TIMES}.npy")[:, 0] if contents["has_times"] else None,
        contents["time_unit"],
        tuple(DataProblem(**problem) for problem in contents["warnings"]),
    )
