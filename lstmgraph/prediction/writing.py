"""Predictions to CSV, Parquet and ``.npz`` files, batch by batch, whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from lstmgraph.csv_files import without_formula
from lstmgraph.data.table import PER_DAY
from lstmgraph.files import atomic_path, made_folder
from lstmgraph.prediction.tabular import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.data.values import Array
    from lstmgraph.prediction.batches import Batches

CSV, PARQUET, NPZ = (".csv", ".csv.gz"), (".parquet", ".pq"), (".npz",)
ENDINGS = (*CSV, *PARQUET, *NPZ)


def ending_of(path: str | Path) -> str:
    """Return the ending of a file of predictions.

    Raises:
        ValueError: it is none that can be written.
    """
    name = Path(path).name.lower()
    for ending in ENDINGS:
        if name.endswith(ending):
            return ending
    raise ValueError(f"{path}: predictions are written to {', '.join(ENDINGS)}")


def write(predictions: Batches, path: str | Path) -> int:
    """Write predictions to a file; ``Predictions.write`` describes it."""
    target, ending = Path(path), ending_of(path)
    with made_folder(target.parent), atomic_path(target) as temporary:
        if ending in NPZ:
            return _write_npz(predictions, temporary)
        if ending in PARQUET:
            return _write_parquet(predictions, temporary)
        with temporary.open("wb") as file:
            if ending == ".csv":
                return write_csv(predictions, file)
            import gzip  # noqa: PLC0415 - one ending's

            with gzip.open(file, "wb") as packed:
                return write_csv(predictions, cast("IO[bytes]", packed))


def write_csv(predictions: Batches, file: IO[bytes]) -> int:
    """Write predictions to an open file as CSV, and return the number of rows.

    Times have no more digits than those of the data; texts that a spreadsheet could take for a
    formula begin with ``'``.
    """
    from pyarrow import csv  # noqa: PLC0415 - an extra

    texts = [str(part) for key in predictions.series_keys for part in key]
    texts += [name for layout in predictions.layouts for name in layout.classes]
    style = "needed" if any(SPECIAL.search(text) for text in texts) else "none"
    options = csv.WriteOptions(include_header=False, quoting_style=style)
    kind, rows = _kind_of_times(predictions), 0
    for table in tables_of(predictions):
        if not rows:
            names = [_quoted(without_formula(name)) for name in table.column_names]
            file.write(f"{','.join(names)}\n".encode())
        csv.write_csv(_for_csv(table, kind), file, options)
        rows += table.num_rows
    return rows


SPECIAL = re.compile(r'[",\r\n]')
"""Characters of texts that stand in quotes."""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if SPECIAL.search(text) else text


def _for_csv(table: Any, times: Any) -> Any:
    """Return a table as CSV shows it, with times of the type `times`, if it has some."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    arrays = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            arrays.append(column.cast(times))
        elif pa.types.is_string(column.type):
            encoded = column.combine_chunks().dictionary_encode()
            words = [w if w is None else without_formula(w) for w in encoded.dictionary.to_pylist()]
            arrays.append(pa.array(words, pa.string()).take(encoded.indices))
        else:
            arrays.append(column)
    return pa.Table.from_arrays(arrays, table.column_names)


def _kind_of_times(predictions: Batches) -> Any:
    """Return the shortest type of pyarrow that holds all times: dates, or whole seconds."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    clock = predictions.query.clock
    if clock is None or not clock.unit:
        return None
    per_second = PER_DAY[clock.unit] // PER_DAY["s"]
    if clock.holds_whole(PER_DAY[clock.unit]) and not clock.zone:
        return pa.date32()
    is_whole = per_second and clock.holds_whole(per_second)
    return pa.timestamp("s" if is_whole else clock.unit, clock.zone or None)


def _write_parquet(predictions: Batches, path: Path) -> int:
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    rows, writer = 0, None
    try:
        for table in tables_of(predictions):
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema))
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _write_npz(predictions: Batches, path: Path) -> int:
    """Write an archive of arrays: outputs by name, and the keys, (examples, ...) each.

    An array must be whole in an archive, so each grows in a temporary file of its own first.
    """
    count, files = len(predictions), dict[str, IO[bytes]]()
    try:
        for batch in predictions:
            arrays = {**_keys(predictions, batch.keys), **batch.values}
            for name, values in arrays.items():
                if name not in files:
                    files[name] = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
                    shape = (count, *values.shape[1:])
                    _write_header(files[name], shape, values.dtype)
                files[name].write(values.tobytes())
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, file in files.items():
                file.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    shutil.copyfileobj(file, member, 1 << 20)
            for name, values in _of_all(predictions).items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, values, allow_pickle=False)
    finally:
        for file in files.values():
            file.close()
    return count


def _keys(predictions: Batches, keys: Mapping[str, Array]) -> dict[str, Array]:
    """Return the keys of each example: its series by the names of their columns."""
    query = predictions.query
    found = {name: values for name, values in keys.items() if name not in ("series", "step")}
    if "series" in keys and query.series_keys:
        columns = zip(query.series_columns, zip(*query.series_keys, strict=True), strict=True)
        for name, of_series in columns:
            values = np.array(of_series)
            if values.dtype.kind in "OM":
                values = np.array(list(map(str, of_series)))
            found[name] = values[keys["series"]]
    return {
        name: values
        for name, values in found.items()
        if name not in predictions.model.graph.outputs
    }


def _of_all(predictions: Batches) -> dict[str, Array]:
    """Return the names of classes of each output, for outputs whose recipe names them."""
    return {
        f"{layout.output}_classes": np.array(layout.classes)
        for layout in predictions.layouts
        if layout.classes
    }


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_2_0(file, header)
