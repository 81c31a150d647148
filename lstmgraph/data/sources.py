"""Readers for each kind of data source: files, folders, arrays, data frames, datasets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.data.archives import (
    PREFIXES,
    Stored,
    from_pair,
    named_parts,
    stored_npy,
    stored_npz,
    stored_values,
)
from lstmgraph.data.arrays import examples_of_arrays
from lstmgraph.data.cache import converted
from lstmgraph.data.convert import wanted_columns
from lstmgraph.data.ragged import evened
from lstmgraph.data.store import Workspace
from lstmgraph.data.table_files import (
    TableFile,
    open_table,
    report_missing,
    report_unreadable,
    table_ending,
)
from lstmgraph.data.tf_datasets import arrays_of_dataset, is_dataset, is_saved_dataset, load_saved
from lstmgraph.data.timeline import timeline_of_rows
from lstmgraph.data.windows import windowed
from lstmgraph.files import require_regular_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.data.examples import ExampleSource
    from lstmgraph.data.named import NamedArrays
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.language.declaration.data import DataDeclaration

KINDS = "a .npz file, a folder of .npy files, .csv, .parquet, or a saved tf.data.Dataset"


@dataclass(frozen=True)
class Given:
    """A source and the name that messages use for it: ``Given(arrays, "measurements:load")``."""

    value: Any
    name: str


@dataclass(frozen=True)
class Loaded:
    """All examples of a source, or of one part of it."""

    source: ExampleSource
    timeline: Timeline


@dataclass(frozen=True)
class Opened:
    """What a source holds: a table whose columns are still to be read, or arrays by part."""

    table: TableFile | None = None
    parts: Mapping[str, NamedArrays | None] = field(default_factory=dict)
    keeps: Workspace | None = None
    """The temporary folder of the arrays' files, if they have one."""


@contextmanager
def reporting(value: Any, problems: Problems) -> Iterator[None]:
    """Report why a file cannot be read; errors of values in memory are raised."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:
        if not isinstance(value, str | Path):
            raise
        report_unreadable(error, problems)


@dataclass(frozen=True)
class Reader:
    """Reads sources for one recipe."""

    data: DataDeclaration
    needs: Needs
    cache: Path | None = None

    def read(self, value: Any, problems: Problems) -> Mapping[str, Loaded]:
        """Return the examples of a source by part: ``all``, or the parts that its arrays name.

        The result is empty if a problem was reported.
        """
        opened = self.open(value, problems)
        with reporting(value, problems):
            if opened and opened.table:
                return self._windows(opened.table, problems)
            return self.arrays(opened, problems) if opened else {}
        return {}

    def open(self, value: Any, problems: Problems) -> Opened | None:
        """Return the table or the ready arrays of a source; None if a problem was reported.

        A recipe that makes its inputs from columns also takes arrays with the names of its inputs.
        """
        if isinstance(value, str | Path):
            with reporting(value, problems):
                return self._path(Path(value), problems)
            return None
        if is_dataset(value):
            return self._dataset(value, problems)
        if isinstance(value, tuple | list):
            return Opened(parts={"all": from_pair(tuple(value), self.needs, problems)})
        if isinstance(value, Mapping) or hasattr(value, "__arrow_c_stream__"):
            return self._named(value, problems)
        kind = type(value).__name__
        problems.add("D103", f"{kind} cannot be read as data", f"give {KINDS}, or arrays")
        return None

    def arrays(self, opened: Opened, problems: Problems) -> Mapping[str, Loaded]:
        """Return the examples of ready arrays by part, without those with a problem."""
        loaded = {}
        for part, arrays in opened.parts.items():
            even = evened(arrays, self.needs, problems) if arrays else None
            examples = examples_of_arrays(even, self.needs, problems) if even else None
            if examples:
                source, count = examples
                source = replace(source, keeps=opened.keeps or source.keeps)
                loaded[part] = Loaded(source, timeline_of_rows(count))
        return loaded

    def _windows(self, file: TableFile, problems: Problems) -> Mapping[str, Loaded]:
        table, workspace = converted(file, self.data, self.needs, problems, self.cache)
        if table is None or problems.errors:
            return {}
        source, timeline = windowed(table, self.data, self.needs, problems)
        return {"all": Loaded(replace(source, keeps=workspace), timeline)}

    def _path(self, path: Path, problems: Problems) -> Opened | None:
        if not path.exists():
            report_missing(path, problems)
            return None
        if path.is_dir():
            return self._folder(path, problems)
        require_regular_file(path)
        if path.suffix.lower() == ".npz":
            with ExitStack() as stack:
                arrays = stored_npz(path, stack, problems)
                return None if arrays is None else self._stored(arrays, problems)
        elif table_ending(path):
            if path.stat().st_size:
                return self._table(path, problems)
            problems.add("D106", "the file is empty", "give a table with rows below its header")
        elif path.suffix.lower() == ".npy":
            hint = "give its folder instead: each file there is one array, named like the file"
            problems.add("D103", "a single .npy file holds an array without a name", hint)
        else:
            problems.add(
                "D103", f"files that end in '{path.suffix}' cannot be read", f"give {KINDS}"
            )
        return None

    def _folder(self, path: Path, problems: Problems) -> Opened | None:
        names = [file.name.lower() for file in path.iterdir()]
        if is_saved_dataset(path):
            for file in path.rglob("*"):
                if not file.is_dir():
                    require_regular_file(file)
            dataset = load_saved(path, problems)
            return None if dataset is None else self._dataset(dataset, problems)
        if any(name.endswith(".npy") for name in names):
            return self._stored(stored_npy(path, problems), problems)
        if any(table_ending(Path(name)) for name in names):
            return self._table(path, problems)
        problems.add("D103", "the folder holds no data that can be read", f"give {KINDS}")
        return None

    def _named(self, value: Any, problems: Problems) -> Opened | None:
        """Open named arrays, or named columns if the recipe reads columns."""
        if not isinstance(value, Mapping):
            return self._table(value, problems)
        stored = stored_values(value)
        if self._has_columns(stored.names):
            return self._table(value, problems)
        return Opened(parts=named_parts(stored, self.needs, problems))

    def _has_columns(self, names: Collection[str]) -> bool:
        """Return whether arrays of these names are columns rather than ready inputs."""
        optional = {name for name, need in self.needs.targets.items() if need.optional}
        targets = {n: entry for n, entry in self.data.targets.items() if n not in optional}
        wanted = {*wanted_columns(replace(self.data, targets=targets))}
        if not self.data.is_table or wanted <= {*names}:
            return self.data.is_table
        if (wanted - self.needs.inputs.keys() - self.needs.targets.keys()) & {*names}:
            return True
        return not any(
            {f"{prefix}{name}" for name in self.needs.inputs} <= {*names} for prefix in PREFIXES
        )

    def _stored(self, stored: Stored, problems: Problems) -> Opened | None:
        """Open stored arrays; only those that the recipe names are read."""
        if not self._has_columns(stored.names):
            return Opened(parts=named_parts(stored, self.needs, problems))
        wanted = [name for name in wanted_columns(self.data) if name in stored.names]
        columns = {name: stored.read(name) for name in wanted}
        return None if problems.errors else self._table(columns, problems, stored.names)

    def _dataset(self, dataset: Any, problems: Problems) -> Opened:
        workspace = Workspace()
        arrays = arrays_of_dataset(dataset, self.needs, workspace.path, problems)
        return Opened(parts={"all": arrays}, keeps=workspace)

    def _table(self, value: Any, problems: Problems, names: tuple[str, ...] = ()) -> Opened | None:
        """Open a table; `names` are all its columns if `value` has only some."""
        if not self.data.is_table:
            problems.add(
                "D201",
                "the recipe does not say which columns its inputs are made of",
                "add `data:` with `inputs:`, such as {history: {columns: [sales, price]}}",
            )
            return None
        file = open_table(value, problems)
        return None if file is None else Opened(replace(file, columns=names or file.columns))
