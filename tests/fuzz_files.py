"""Bytes and structure of files that others made, changed, into everything that reads them.

    python tests/fuzz_files.py --seconds 600 --seed 1 [--target keras]

Targets are models, data, state files, and folders of searches and of trainings. A failure is an
exception that is not documented, a bound of time or memory that is broken, a file outside of the
given folder that is changed, or whose content is in a result, and code that runs. Its traceback is
written to --findings; ``--only N`` with the same seed and target makes input N again, and keeps it
there.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz_targets import TARGETS, Reader, Target
from fuzzing import Failure, Found, Run, watched
from hostile_bytes import Outside, removed

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("given.", "checkpoint.keras", "/run")
"""Parts of the names of what is read: a message has one."""
ACCIDENTAL = r"\d+|'[^']*'|0x\w+"
"""What differs between messages of one kind."""
SHADOWS = ("json", "h5py", "numpy", "zipfile", "search_trials")
"""Modules that lie in the current folder, to be imported by mistake."""


class Place:
    """The folders of a run: ``case`` for each input, files beside it, a current folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.outside, self.case = root, Outside(root / "outside"), root / "case"
        self.marker = root / "ran"
        self.outside.write()
        self.here = root / "here"
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        self.here.mkdir()
        self.before = self.outside.state()

    def lay_shadows(self) -> None:
        """Modules in the current folder that tell when they are imported."""
        for name in SHADOWS:
            (self.here / f"{name}.py").write_text(f"import os\nos.mkdir({str(self.marker)!r})\n")

    def clear(self) -> None:
        """An empty folder for the next input."""
        for path in (self.case, self.temporary):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()

    def damage(self) -> str:
        """What was done outside of the case; put right then."""
        said = ""
        if self.marker.exists():
            said = "code of the input has run"
            self.marker.rmdir()
        if self.outside.state() != self.before:
            said = f"a file outside was changed: {changes(self.before, self.outside.state())}"
            shutil.rmtree(self.outside.folder)
            self.outside.write()
            self.before = self.outside.state()
        names = {path.name for path in self.root.iterdir()} - KEPT
        if names:
            said = f"made outside: {sorted(names)}"
            for name in names:
                removed(self.root / name)
        return said


KEPT = {"outside", "case", "here", "tmp", "seeds"}


def changes(before: dict[str, tuple[bytes, int]], now: dict[str, tuple[bytes, int]]) -> str:
    """Names of the files that differ, and in what."""
    found = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            found.append(
                f"{name} ({'content' if not (old and new) or old[0] != new[0] else 'time'})"
            )
    return ", ".join(found)


@contextmanager
def place() -> Iterator[Place]:
    """Folders for a run, as the current and the temporary one."""
    before = Path.cwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        made = Place(Path(root).resolve())
        os.chdir(made.here)
        tempfile.tempdir = str(made.temporary)
        try:
            yield made
        finally:
            os.chdir(before[0])
            tempfile.tempdir = before[1]


def target_of(name: str, where: Place) -> Target:
    """A target with its valid files."""
    seeds = where.root / "seeds" / name
    seeds.mkdir(parents=True)
    target = TARGETS[name](seeds, where.outside, str(where.marker))
    where.lay_shadows()
    return target


def one(target: Target, where: Place, seed: int, number: int, found: Found) -> None:
    """Make input `number` and have it read."""
    chance = random.Random(f"{seed} {target.name} {number}")
    where.clear()
    target.make(where.case, chance)
    reads = [reader for reader in target.readers if chance.random() < reader.share]
    seconds, memory = 0.0, 0
    for reader in reads:
        done = quiet_run(reader, where.case)
        found.outcomes[f"{reader.name}: {type(done.error).__name__ if done.error else 'read'}"] += 1
        seconds, memory = max(seconds, done.seconds), max(memory, done.memory)
        wrong = "\n".join(each for each in (fault(reader, done), where.damage()) if each)
        if wrong:
            found.failures.append(Failure(f"{target.name}-{number}-{reader.name}", wrong))
    found.note(seconds, memory)


def quiet_run(reader: Reader, case: Path) -> Run:
    """One reader on the input; what it prints and warns of is not shown."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            return watched(lambda: reader.read(case), reader.seconds, reader.memory)


def fault(reader: Reader, done: Run) -> str:
    """What is wrong with how a reader ended; empty where nothing is."""
    if done.error is None:
        return ""
    if not isinstance(done.error, reader.documented):
        return done.trace
    text = str(done.error)
    if not text.strip():
        return "an error without a word"
    if reader.names_file and not any(name in text for name in NAMES):
        return f"an error without the file's name: {text}"
    return ""


def run(  # noqa: PLR0913 - a run's own
    target: Target,
    where: Place,
    *,
    seconds: float,
    seed: int,
    executions: int | None = None,
    start: int = 0,
) -> Found:
    """Make inputs and have them read, for so long or so many times."""
    found, end, number = Found(), time.monotonic() + seconds, start
    while time.monotonic() < end and found.executions != executions:
        one(target, where, seed, number, found)
        number += 1
    return found


def kind_of(failure: Failure) -> str:
    """What failures of one cause share: the last line, and the last place in lstmgraph."""
    lines = [line.strip() for line in failure.text.splitlines() if line.strip()]
    inside = [line for line in lines if line.startswith("File") and "lstmgraph/" in line]
    where = inside[-1].rpartition("lstmgraph/")[2].replace('", line ', ":") if inside else ""
    return f"{re.sub(ACCIDENTAL, '#', lines[-1])[:120]} | {where}"


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    parser.add_argument("--only", type=int, metavar="N", help="input N alone")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    chosen = parser.parse_args()
    findings = chosen.findings.absolute()
    names = chosen.target or list(TARGETS)
    own = {} if chosen.only is None else {"start": chosen.only, "executions": 1}
    failed = False
    for name in names:
        with place() as where:
            target = target_of(name, where)
            began, share = time.monotonic(), chosen.seconds / len(names)
            found = run(target, where, seconds=share, seed=chosen.seed, **own)
            print(f"{name}: {found.summary(time.monotonic() - began)}")
            print(f"{found.memory >> 20} MiB at most for one", flush=True)
            if chosen.only is not None:
                shutil.copytree(where.case, findings / f"{name}-{chosen.only}", symlinks=True)
        report(found, findings)
        failed |= bool(found.failures)
    return int(failed)


def report(found: Found, findings: Path) -> None:
    """Print the failures, those of one cause together, and keep the text of the first of each."""
    kinds: dict[str, list[Failure]] = {}
    for failure in found.failures:
        kinds.setdefault(kind_of(failure), []).append(failure)
    for kind, same in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        findings.mkdir(parents=True, exist_ok=True)
        path = findings / f"{same[0].name}.txt"
        path.write_text(same[0].text, "utf-8", "replace")
        print(f"--- {len(same)} times, first {path}\n{kind}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
