"""Loading: a data source of any kind as checked examples in parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import data_needs
from lstmgraph.data.examples import Examples
from lstmgraph.data.problems import DataError, DataProblem, Problems
from lstmgraph.data.sources import Given, Loaded, Reader
from lstmgraph.data.splits import Parts, split_examples
from lstmgraph.language.declaration.defaults import complete_data
from lstmgraph.language.declaration.read_data import read_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.summary import DataSummary
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import DataDeclaration, DataSplit

TRAIN, VALIDATION, TEST = "train", "validation", "test"
ALL = "all"


@dataclass(frozen=True)
class Fold:
    """One round of cross-validation."""

    train: Examples
    validation: Examples


@dataclass(frozen=True)
class Data:
    """Checked examples in parts; a part that there is not is None.

    With folds, `train` is all that is not kept for the test, and `validation` is None.
    """

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    folds: tuple[Fold, ...] = ()
    warnings: tuple[DataProblem, ...] = ()

    @property
    def parts(self) -> Mapping[str, Examples]:
        """Return all parts by name: ``train``, ``validation``, ``test``, ``fold 1 train`` ..."""
        parts = {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}
        for number, fold in enumerate(self.folds, start=1):
            parts[f"fold {number} train"] = fold.train
            parts[f"fold {number} validation"] = fold.validation
        return {name: part for name, part in parts.items() if part is not None}

    def summary(self) -> DataSummary:
        """Return counts, spans and shapes, as ``lstmgraph data`` prints them."""
        from lstmgraph.data.summary import summarized  # noqa: PLC0415 - only where it is shown

        return summarized(self)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {len(part):,}" for name, part in self.parts.items())
        return f"<Data: {parts}>"

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def load_data(
    compiled: CompiledRecipe,
    source: Any,
    *,
    validation: Any = None,
    test: Any = None,
    cache: Path | None = None,
) -> Data:
    """Read, check and split data for a recipe; ``Recipe.load_data`` explains the arguments.

    Raises:
        DataError: with every problem that was found.
    """
    data = compiled.declaration.data or data_of_arrays(compiled)
    reader = Reader(data, data_needs(compiled.declaration, compiled.graph), cache)
    reports: list[Problems] = []
    loaded = _read(reader, source, TRAIN, reports)
    for part, given in ((VALIDATION, validation), (TEST, test)):
        if given is not None:
            found = _read(reader, given, part, reports)
            loaded |= {part: found[part]} if part in found else {}
    if any(report.errors for report in reports):
        raise DataError(problem for report in reports for problem in report.found)
    result = _parts(loaded, data.split, reports[0])
    _check_batches(result, compiled.declaration.runtime.batch_size, reports[0])
    if reports[0].errors:
        raise DataError(reports[0].found)
    warnings = tuple(problem for report in reports for problem in report.warnings)
    return replace(result, warnings=warnings)


def data_of(
    compiled: CompiledRecipe, given: Any, *, validation: Any = None, test: Any = None
) -> Data:
    """Return the data to train with: ``Data`` and its parts as they are, other sources read.

    Raises:
        DataError: what is read does not fit the recipe.
        ValueError: parts are given beside ``Data``, which has its own; or it is another recipe's.
    """
    if isinstance(given, Data):
        if validation is not None or test is not None:
            raise ValueError("give validation and test data to `load_data`, which made the data")
        data = given
    elif isinstance(given, Examples):
        others = [part for part in (validation, test) if part is not None]
        if not all(isinstance(part, Examples) for part in others):
            raise ValueError("beside a part that `load_data` made, the others are such parts too")
        data = Data(given, validation, test)
    else:
        return load_data(compiled, given, validation=validation, test=test)
    needs = data_needs(compiled.declaration, compiled.graph)
    for part in data.parts.values():
        tensors = part.source.inputs.keys(), part.source.targets.keys()
        if tensors != (needs.inputs.keys(), needs.targets.keys()):
            raise ValueError(f"the data was loaded for another recipe than {compiled.graph.name}")
    return data


def data_of_arrays(compiled: CompiledRecipe) -> DataDeclaration:
    """Load named arrays for a recipe without ``data:``, split by the defaults."""
    return read_data(complete_data({}, carried=bool(compiled.graph.carrying)))


def _read(reader: Reader, source: Any, part: str, reports: list[Problems]) -> dict[str, Loaded]:
    """Return the parts of one source; a source without parts is `part`."""
    given = source if isinstance(source, Given) else Given(source, _name(source))
    problems = Problems(given.name)
    reports.append(problems)
    found = {
        part if name == ALL else name: each
        for name, each in reader.read(given.value, problems).items()
    }
    if part in found and not len(found[part].timeline):
        problems.add("D403", "there is no example: every series is shorter than a window", _SHORTER)
    if part not in found and not problems.errors:
        problems.add("D201", f"there are no arrays to {_USE[part]}", f"add some named {part}_NAME")
    return found


_SHORTER = "write a shorter window, or allow a shorter history with `min_history:`"
_USE = {TRAIN: "train on", VALIDATION: "validate on", TEST: "test on"}


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else f"the given {type(source).__name__}"


def _parts(loaded: Mapping[str, Loaded], split: DataSplit, problems: Problems) -> Data:
    """Split the training data into the parts that were not given separately."""
    own = loaded[TRAIN]
    given = {
        part: _examples(loaded[part], np.arange(len(loaded[part].timeline)))
        for part in (VALIDATION, TEST)
        if part in loaded
    }
    if VALIDATION in given and split.folds:
        message = "the recipe asks for folds, which validate on parts of the training data"
        problems.add("D403", message, "leave `folds:` out, or the validation data")
    if VALIDATION in given:
        split = replace(split, validation=0.0)
    if TEST in given:
        split = replace(split, test=0.0)
    parts = split_examples(own.timeline, split)
    _check_sizes(parts, split, own.timeline, problems)
    folds = (Fold(_examples(own, train), _examples(own, held)) for train, held in parts.folds)
    return Data(
        train=_examples(own, parts.train),
        validation=given.get(VALIDATION) or _examples_or_none(own, parts.validation),
        test=given.get(TEST) or _examples_or_none(own, parts.test),
        folds=tuple(folds),
    )


def _check_batches(data: Data, size: int | None, problems: Problems) -> None:
    """Check that each part fills a batch where the model is built for one batch size."""
    for name, part in data.parts.items() if size is not None else ():
        if 0 < len(part) < (size or 0):
            problems.add(
                "D403",
                f"{name}: {len(part)} examples do not fill one batch of {size}",
                "give more, or write a smaller `batch_size:` under `runtime:`",
            )


def _examples(loaded: Loaded, numbers: Array) -> Examples:
    return Examples(loaded.source, loaded.timeline, numbers)


def _examples_or_none(loaded: Loaded, numbers: Array) -> Examples | None:
    return _examples(loaded, numbers) if len(numbers) else None


def _check_sizes(parts: Parts, split: DataSplit, timeline: Timeline, problems: Problems) -> None:
    wanted = {TRAIN: True, VALIDATION: split.validation and not split.folds, TEST: split.test}
    empty = [part for part in wanted if wanted[part] and not len(getattr(parts, part))]
    uses = [_USE[part] for part in empty]
    for number, (train, held) in enumerate(parts.folds, start=1):
        if not len(train) or not len(held):
            use = _USE[VALIDATION] if len(train) else _USE[TRAIN]
            uses.append(f"{use} in fold {number}")
    steps = int((timeline.end - timeline.first).max())
    span = "" if steps == 1 else f"; the targets of one span {steps} steps"
    for use in uses:
        problems.add(
            "D403",
            f"no example is left to {use}, of {len(timeline):,} in all{span}",
            "write shorter windows, other parts under `split:`, or a smaller gap",
        )
