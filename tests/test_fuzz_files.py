"""Short runs of tests/fuzz_files.py."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import fuzzing
import pytest
from fuzz_files import kind_of, one, place, run, target_of
from fuzz_targets import TARGETS, Reader, Target
from fuzzing import Found
from generated import EXAMPLES

if TYPE_CHECKING:
    import random
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

INPUTS = {"keras": 8, "data": 60, "states": 20, "search": 25, "training": 16}
"""As many as take a few seconds; ``LSTMGRAPH_EXAMPLES=1000`` tries so many of each."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_changed_files_are_read_or_refused_and_nothing_else(name: str) -> None:
    count = EXAMPLES or INPUTS[name]
    with place() as where:
        limit = max(120, count)
        found = run(target_of(name, where), where, seconds=limit, seed=4, executions=count)
    # Of hangs the script says more: here a busy machine could look like one.
    failures = {kind_of(f): f.name for f in found.failures if "s of processor" not in f.text}
    assert failures == {}
    assert found.executions == count
    assert len(found.outcomes) > 2


class Faulty(Target):
    """One whose reader does what it must not."""

    def make(self, case: Path, chance: random.Random) -> None:
        (case / "given.npz").write_bytes(chance.randbytes(8))


def reads(case: Path) -> None:
    case.joinpath("given.npz").read_bytes()


def crashes(case: Path) -> None:
    raise ZeroDivisionError


def is_silent(case: Path) -> None:
    raise ValueError(" ")


def says_nothing_of_the_file(case: Path) -> None:
    raise ValueError("no")


def writes_outside(case: Path) -> None:
    (case.parent / "outside" / "secret.txt").write_text("x")


def adds_outside(case: Path) -> None:
    (case.parent / "outside" / "more").touch()


def adds_beside(case: Path) -> None:
    (case.parent / "beside").mkdir()


def runs_code(case: Path) -> None:
    (case.parent / "ran").mkdir()


def eats(case: Path) -> None:
    b"x" * (100 << 20)


def turns(case: Path) -> None:
    while True:
        pass


def waits(case: Path) -> None:
    time.sleep(10)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (reads, None),
        (crashes, "ZeroDivisionError"),
        (is_silent, "an error without a word"),
        (says_nothing_of_the_file, "without the file's name"),
        (writes_outside, "changed: secret.txt"),
        (adds_outside, "changed: more"),
        (adds_beside, "made outside"),
        (runs_code, "has run"),
        (eats, "MiB of memory"),
        (turns, "HangError"),
        (waits, "it waits"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_fuzzer_sees(read, said, monkeypatch) -> None:
    monkeypatch.setattr(fuzzing, "WAIT", 1)
    reader = Reader("one", read, (ValueError,), seconds=0.5, memory=50 << 20, names_file=True)
    with place() as where:
        target = Faulty("faulty", where.outside, str(where.marker), readers=(reader,))
        found = Found()
        for number in range(2):
            one(target, where, 1, number, found)
    texts = [failure.text for failure in found.failures]
    assert len(texts) == (0 if said is None else 2)
    assert all(said in text for text in texts)


def test_an_input_follows_from_its_seed_and_number(tmp_path) -> None:
    made = []
    for _ in range(2):
        with place() as where:
            target = Faulty("faulty", where.outside, str(where.marker))
            one(target, where, 3, 5, Found())
            made.append((where.case / "given.npz").read_bytes())
    assert made[0] == made[1]
