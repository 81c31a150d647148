"""The hostile corpus through every command and function that reads it.

Each ends as its entry says, soon and in little memory; nothing beside the folder is changed or
copied, nothing runs, and what is printed is printable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import with_header
from data_building import ROWS, SEQUENCES
from fuzz_files import Place, place, target_of
from fuzz_targets import MODEL, TRAINED, run_command
from fuzzing import Run, watched
from hostile_bytes import Outside
from hostile_corpus import CORPUS, STORED, Hostile, Read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fuzz_targets import Target

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Keras and pyarrow warn of much in damaged files.
    pytest.mark.filterwarnings("ignore"),
]

SECONDS = 8
"""Of processor time, for one reader: a training takes most of it."""
MEMORY = 300 << 20

COMMANDS = {
    "validate": "validate {file}",
    "validate --format sarif": "validate --format sarif {file}",
    "explain": "explain {file}",
    "explain --blame": "explain --blame {file}",
    "graph": "graph {file}",
    "space": "space {file}",
    "fmt --diff": "fmt --diff {file}",
    "migrate --diff": "migrate --diff {file}",
    "diff": "diff {file} {recipe}",
    "transfer": "transfer {file} {recipe} -o {out}/t.keras",
    "build --weights": "build {recipe} --weights {file} -o {out}",
    "export --weights": "export {recipe} --weights {file} --format onnx -o {out}",
    "data": "data {recipe} --data {file}",
    "data rows": "data {rows} --data {file}",
    "train": "train {recipe} --data {data} -o {file} --epochs 3",
    "report": "report {file}",
}
MOST_TEXT = 1_000_000
"""Characters that a command prints."""


FUNCTIONS: dict[str, Callable[[Any, Path], Any]] = {
    "load_model": lambda target, case: target.load_model(case),
    "restore_state": lambda target, case: target.restore(case),
    "restore_states": lambda target, case: target.restore_carried(case),
    "tune": lambda target, case: target.go_on(case),
    "read_checkpoint": lambda target, case: target.readers[0].read(case),
    "epochs_done": lambda target, case: target.readers[1].read(case),
}


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def targets(where: Place) -> Callable[[str], Target | None]:
    """Valid files, made when they are first asked for."""
    made: dict[str, Target | None] = {"": None}

    def target(name: str) -> Target | None:
        if name not in made:
            made[name] = target_of(name, where)
        return made[name]

    return target


def of_corpus() -> list[Any]:
    return [
        pytest.param(hostile, read, id=f"{hostile.name}-{read.by.replace(' ', '')}")
        for hostile in CORPUS
        for read in hostile.reads
    ]


@pytest.mark.parametrize(("hostile", "read"), of_corpus())
def test_the_corpus(hostile: Hostile, read: Read, where: Place, targets: Any) -> None:
    target = targets(hostile.target)
    where.clear()
    hostile.make(target, where.case / hostile.file)
    (where.case / "oracle").write_text("random", "utf-8")
    if read.by in COMMANDS:
        words = words_of(hostile, target, where.case)
        command = [word.format_map(words) for word in COMMANDS[read.by].split()]
        done = watched(lambda: run_command(command), SECONDS, MEMORY)
        assert done.error is None, done.trace
        check_command(read, *done.result)
        if done.result[0]:
            assert not list((where.case / "out").rglob("*")), "something was written"
    else:
        done = watched(lambda: FUNCTIONS[read.by](target, where.case), SECONDS, MEMORY)
        check_function(read, done)
    if hostile.target == "search":
        target.check_leaks(where.case / "s")
    assert not where.damage()


def words_of(hostile: Hostile, target: Any, case: Path) -> dict[str, str]:
    """What stands in commands for files, which are written."""
    texts = {"keras": MODEL, "training": TRAINED, "data": with_header(SEQUENCES)}
    (case / "recipe.yaml").write_text(texts.get(hostile.target, MODEL), "utf-8")
    (case / "rows.yaml").write_text(with_header(ROWS), "utf-8")
    if hostile.target == "training":
        np.savez(case / "data.npz", **target.data)
    named = {"recipe": "recipe.yaml", "rows": "rows.yaml", "data": "data.npz", "out": "out"}
    return {**{n: str(case / f) for n, f in named.items()}, "file": str(case / hostile.file)}


def check_command(read: Read, code: int, output: str) -> None:
    assert len(output) < MOST_TEXT
    assert Outside.TEXT not in output
    if isinstance(read.ends, int):
        assert (code, read.says in output) == (read.ends, True), output[:2000]


def check_function(read: Read, done: Run) -> None:
    ends = str(read.ends).split(" or ")
    kinds = [kind.__name__ for kind in type(done.error).__mro__] if done.error else ["fine"]
    assert set(kinds) & set(ends), done.trace or "it was taken"
    if done.error is not None:
        assert read.says in str(done.error)


def test_every_command_that_reads_files_reads_the_corpus() -> None:
    read = {each.by for hostile in CORPUS for each in hostile.reads}
    assert read == {*COMMANDS, *FUNCTIONS}


def test_no_file_of_the_corpus_is_large() -> None:
    assert all(path.stat().st_size < 20_000 for path in STORED.rglob("*") if path.is_file())
