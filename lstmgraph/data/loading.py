"""Data sources of any kind to checked examples, split into parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgraph.compiler.checks.data_needs import data_needs
from lstmgraph.data.buckets import fitted_buckets
from lstmgraph.data.class_names import found_classes, with_ids
from lstmgraph.data.examples import Examples
from lstmgraph.data.problems import DataError, DataProblem, Problems, as_lines
from lstmgraph.data.sources import Given, Loaded, Reader
from lstmgraph.data.splits import Parts, split_examples
from lstmgraph.language.declaration.defaults import complete_data
from lstmgraph.language.declaration.read_data import read_data
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.checks.data_needs import Needs
    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.data.examples import ExampleSource
    from lstmgraph.data.summary import DataSummary
    from lstmgraph.data.timeline import Timeline
    from lstmgraph.data.values import Array
    from lstmgraph.language.declaration.data import DataDeclaration, DataSplit

TRAIN, VALIDATION, TEST = "train", "validation", "test"
ALL = "all"


@dataclass(frozen=True)
class Fold:
    """The examples of one round of cross-validation."""

    train: Examples
    validation: Examples


@dataclass(frozen=True)
class Data:
    """The checked examples of a recipe, split into parts.

    `validation` and `test` are None if the data has no such part. With cross-validation, `folds`
    holds the rounds, `train` all examples that are not kept for the test, and `validation` is
    None. `warnings` are the problems that do not prevent training.
    """

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    folds: tuple[Fold, ...] = ()
    warnings: tuple[DataProblem, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of the classes of each target that has some, in the order of their ids."""

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
        return "\n".join([str(self.summary()), *as_lines(self.warnings)])

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
    """Read, check and split data for a recipe; ``Recipe.load_data`` describes the arguments.

    Raises:
        DataError: The data does not fit the recipe; it holds every problem.
    """
    data = compiled.declaration.data or data_of_arrays(compiled)
    needs = data_needs(compiled.declaration, compiled.graph)
    own = data.split if validation is None else replace(data.split, validation=0.0)
    own = own if test is None else replace(own, test=0.0)
    reports: list[Problems] = []
    loaded = _read(Reader(replace(data, split=own), needs, cache), source, TRAIN, reports)
    # Nothing cuts the tables of other parts.
    whole = replace(data.split, validation=0.0, test=0.0, folds=None)
    reader = Reader(replace(data, split=whole), needs, cache)
    for part, given in ((VALIDATION, validation), (TEST, test)):
        if given is not None:
            parts = _read(reader, given, part, reports)
            loaded |= {part: parts[part]} if part in parts else {}
    if any(report.errors for report in reports):
        raise DataError(problem for report in reports for problem in report.found)
    result = _parts(loaded, data.split, reports[0])
    _check_batches(result, compiled.declaration.runtime.batch_size, reports[0])
    if not reports[0].errors:
        result = _with_ids(result, needs, reports[0])
    if reports[0].errors:
        raise DataError(reports[0].found)
    warnings = tuple(problem for report in reports for problem in report.warnings)
    result = _with_buckets(replace(result, warnings=warnings), data.bucket, needs, compiled.graph)
    return _with_classes(result, needs)


def data_of(
    compiled: CompiledRecipe, given: Any, *, validation: Any = None, test: Any = None
) -> Data:
    """Return the data to train a recipe with, reading what is not ``Data`` or a part of it yet.

    Raises:
        DataError: The data that is read does not fit the recipe.
        ValueError: Validation or test data is given beside ``Data``, which has its own, or the
            data was loaded for another recipe.
    """
    if isinstance(given, Data):
        if validation is not None or test is not None:
            raise ValueError(
                "the data has its own parts: give validation and test data to `load_data`"
            )
        data = given
    elif isinstance(given, Examples):
        others = [part for part in (validation, test) if part is not None]
        if not all(isinstance(part, Examples) for part in others):
            raise ValueError("if one part comes from `load_data`, the others must come from it too")
        data = Data(given, validation, test, classes=given.source.classes)
    else:
        return load_data(compiled, given, validation=validation, test=test)
    needs = data_needs(compiled.declaration, compiled.graph)
    for part in data.parts.values():
        tensors = part.source.inputs.keys(), part.source.targets.keys()
        if tensors != (needs.inputs.keys(), needs.targets.keys()):
            raise ValueError(
                f"the data was loaded for another recipe, not for {compiled.graph.name}"
            )
    return _with_classes(data, needs)


def _with_ids(data: Data, needs: Needs, problems: Problems) -> Data:
    """Return the data with the ids of its classes, which come from the training part alone."""
    classes = found_classes(data.train, needs, problems)
    done: dict[int, ExampleSource] = {}

    def changed(part: Examples) -> Examples:
        return with_ids(part, classes, needs, problems, done) if part.source.labels else part

    return replace(
        data,
        train=changed(data.train),
        validation=data.validation and changed(data.validation),
        test=data.test and changed(data.test),
        folds=tuple(Fold(changed(f.train), changed(f.validation)) for f in data.folds),
        classes=classes,
    )


def _with_buckets(data: Data, count: int | None, needs: Needs, graph: Graph) -> Data:
    """Return the data with the buckets of `data: {bucket: }`, fitted on the training examples."""
    if count is None:
        return data
    train = data.train
    buckets = fitted_buckets(count, needs, graph, train.source.inputs, train.numbers)

    def bucketed(part: Examples) -> Examples:
        return replace(part, buckets=buckets)

    return replace(
        data,
        train=bucketed(data.train),
        validation=data.validation and bucketed(data.validation),
        test=data.test and bucketed(data.test),
        folds=tuple(Fold(bucketed(f.train), bucketed(f.validation)) for f in data.folds),
    )


def _with_classes(data: Data, needs: Needs) -> Data:
    """Return the data with the recipe's class weights, as in ``fit`` for training alone."""
    weights = needs.class_weights
    return replace(
        data,
        train=replace(data.train, class_weights=weights),
        folds=tuple(
            replace(fold, train=replace(fold.train, class_weights=weights)) for fold in data.folds
        ),
    )


def data_of_arrays(compiled: CompiledRecipe) -> DataDeclaration:
    """Return the declaration for a recipe without ``data:``: named arrays and the default split."""
    return read_data(complete_data({}, carried=bool(compiled.graph.carrying)))


def _read(reader: Reader, source: Any, part: str, reports: list[Problems]) -> dict[str, Loaded]:
    """Return the parts of one source; a source without named parts is all `part`."""
    given = source if isinstance(source, Given) else Given(source, _name(source))
    problems = Problems(given.name)
    reports.append(problems)
    parts = {
        part if name == ALL else name: loaded
        for name, loaded in reader.read(given.value, problems).items()
    }
    if part not in parts and not problems.errors:
        problems.add(
            "D201", f"there are no arrays to {_USE[part]}", f"add arrays named {part}_NAME"
        )
    return parts


_USE = {TRAIN: "train on", VALIDATION: "validate on", TEST: "test on"}


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else f"the given {type(source).__name__}"


def _parts(loaded: Mapping[str, Loaded], split: DataSplit, problems: Problems) -> Data:
    """Split the training source into the parts that were not given separately."""
    own = loaded[TRAIN]
    given = {
        part: _examples(loaded[part], np.arange(len(loaded[part].timeline)))
        for part in (VALIDATION, TEST)
        if part in loaded
    }
    if VALIDATION in given and split.folds:
        message = "the recipe has folds, which use parts of the training data for validation"
        problems.add("D403", message, "remove `folds:`, or do not give validation data")
    if VALIDATION in given:
        split = replace(split, validation=0.0)
    if TEST in given:
        split = replace(split, test=0.0)
    parts = split_examples(own.timeline, split)
    _check_sizes(parts, split, own.timeline, problems)
    folds = (
        Fold(_examples(own, train), _examples(own, validation)) for train, validation in parts.folds
    )
    return Data(
        train=_examples(own, parts.train),
        validation=given.get(VALIDATION) or _examples_or_none(own, parts.validation),
        test=given.get(TEST) or _examples_or_none(own, parts.test),
        folds=tuple(folds),
    )


def _check_batches(data: Data, size: int | None, problems: Problems) -> None:
    """Check that every part fills a batch, if the model is built for a fixed batch size."""
    for name, part in data.parts.items() if size is not None else ():
        if 0 < len(part) < (size or 0):
            problems.add(
                "D403",
                f"{name}: {len(part)} examples do not fill one batch of {size}",
                "give more examples, or set a smaller `batch_size:` under `runtime:`",
            )


def _examples(loaded: Loaded, numbers: Array) -> Examples:
    return Examples(loaded.source, loaded.timeline, numbers)


def _examples_or_none(loaded: Loaded, numbers: Array) -> Examples | None:
    return _examples(loaded, numbers) if len(numbers) else None


def _check_sizes(parts: Parts, split: DataSplit, timeline: Timeline, problems: Problems) -> None:
    wanted = {TRAIN: True, VALIDATION: split.validation and not split.folds, TEST: split.test}
    empty = [part for part in wanted if wanted[part] and not len(getattr(parts, part))]
    uses = [_USE[part] for part in empty]
    for number, (train, validation) in enumerate(parts.folds, start=1):
        if not len(train) or not len(validation):
            use = _USE[VALIDATION] if len(train) else _USE[TRAIN]
            uses.append(f"{use} in fold {number}")
    steps = int((timeline.end - timeline.first).max(initial=1))
    span = "" if steps == 1 else f"; the targets of one example span {steps} steps"
    if len(empty) > 1 and len(empty) == sum(map(bool, wanted.values())):  # one cause for all
        count = counted(len(timeline), "example")
        verb = "is" if len(timeline) == 1 else "are"
        problems.add(
            "D403",
            f"{count} {verb} too few for {len(empty)} parts{span}",
            "give more rows, make the windows shorter, or change the parts under `split:`",
        )
        return
    for use in uses:
        problems.add(
            "D403",
            f"none of the {len(timeline):,} examples is left to {use}{span}",
            "make the windows shorter, or change the parts or the gap under `split:`",
        )
