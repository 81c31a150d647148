"""The predictions of a model for data: to iterate, to turn into a table, to write to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.prediction.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Predictions(Batches):
    """The predictions of a model for data; nothing is computed before they are iterated.

    Each iteration runs the model anew, batch by batch. The keys of a batch are those of:

    - ``row``: the number of each example from 1, which without windows is its row in the table;
    - ``series``: the number of its series, (batch,); ``series_keys[number]`` has the values of
      ``series_columns``, in a table with series;
    - ``origin``: the time of the last row of its history, (batch,); of a table without times, how
      many rows of the series come before the forecast;
    - ``time``: the time of each step of the horizon, (batch, horizon), or (batch,) in a table
      without windows; for tables with times;
    - ``step``: the numbers of these steps, 1 to the horizon, (horizon,).
    """

    def tables(self) -> Iterator[Any]:
        """Yield the predictions as tables of pyarrow, batch by batch; see ``to_arrow``."""
        from lstmgraph.prediction.tabular import tables_of  # noqa: PLC0415 - needs pyarrow

        return tables_of(self)

    def to_arrow(self) -> Any:
        """Return the predictions as a ``pyarrow.Table``: keys first, then the columns of outputs.

        Outputs with steps have a row for each step, without those that lengths or short histories
        leave out; values of whole examples stand in each of them.
        """
        import pyarrow as pa  # noqa: PLC0415 - an extra

        return pa.concat_tables(list(self.tables()))

    def to_pandas(self) -> Any:
        """Return the predictions as a data frame of pandas; see ``to_arrow``."""
        return self.to_arrow().to_pandas()

    def write(self, path: str | Path) -> int:
        """Write the predictions to a CSV, Parquet or ``.npz`` file, whole or not at all.

        Batches are written as they are computed, so that the file may be larger than memory.

        Returns:
            The number of rows; in an ``.npz`` file, that of examples.

        Raises:
            ValueError: the file's ending is none of these.
            OSError: it cannot be written.
        """
        from lstmgraph.prediction.writing import write  # noqa: PLC0415 - needs pyarrow

        return write(self, path)
