"""Faults of the machine end a search, blame no trial, and leave what goes on to the same end.

``LSTMGRAPH_FAULTS=20`` meets each search with twenty faults, five of a kind, in place of two.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
import time
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from search_edits import InProcess, go_on
from search_trials import SPACE
from searching import ORACLES, PATIENCE, Searcher, findings, weights

from lstmgraph.tuning.search.endings import ended_event
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.errors import MACHINE_FAULTS, SearchError, fault_code, fault_of
from lstmgraph.tuning.search.jobs import RunOptions, SearchJob
from lstmgraph.tuning.search.results import COMPLETED, RUNNING
from lstmgraph.tuning.search.trial_server import RAISED
from lstmgraph.tuning.search.workers import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULTS = int(os.environ.get("LSTMGRAPH_FAULTS", "2"))
KINDS = ("read-only", "full", "no descriptors", "no memory")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with Searcher(tmp_path_factory.mktemp("searcher")) as searcher:
        yield searcher


# --- real ones, at drawn moments ---


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Root writes where permissions forbid it, and not where files are immutable."""
    paths = [*folder.rglob("*"), folder] if folder.exists() else [folder.parent]
    if os.geteuid() == 0:
        _attribute("+i", paths)
    else:
        modes = {path: path.stat().st_mode for path in paths if path.exists()}
        for path in modes:
            path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            _attribute("-i", [*folder.rglob("*"), *paths])
        else:
            for path, mode in modes.items():
                path.chmod(mode)


def _attribute(change: str, paths: list[Path]) -> None:
    for first in range(0, len(paths), 500):
        names = [str(path) for path in paths[first : first + 500]]
        subprocess.run(["chattr", change, *names], check=False, capture_output=True)


def limit(pid: int, what: int, value: int) -> None:
    """Of a process that runs; of one that has ended, nothing."""
    try:
        resource.prlimit(pid, what, (value, resource.prlimit(pid, what)[1]))
    except ProcessLookupError:
        return


def meet(kind: str, folder: Path, search: psutil.Process, chance: random.Random) -> None:
    """Let a search, or the processes of it, lack something."""
    children = search.children(recursive=True)
    whom = [search] if kind == "no memory" or chance.random() < 0.5 else children
    for process in whom:
        if kind == "full":
            limit(process.pid, resource.RLIMIT_FSIZE, chance.choice([0, 50]))
        elif kind == "no descriptors":
            limit(process.pid, resource.RLIMIT_NOFILE, chance.choice([0, 3]))
        else:
            limit(process.pid, resource.RLIMIT_AS, 1 << 20)


def fill(folder: Path) -> None:
    """Leave no space on a disk that is small."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def run_with_fault(
    searcher: Searcher, folder: Path, oracle: str, kind: str, chance: random.Random, **job: Any
) -> int:
    """The exit code of a search that meets a fault at a drawn moment, or ends before."""
    number = searcher.start(folder, oracle, **job)
    deadline = time.monotonic() + PATIENCE
    path = folder / "search.jsonl"
    later = _lines(path) + chance.randrange(1, 4)
    while _lines(path) < later:  # it may be importing, or replaying
        assert time.monotonic() < deadline
        for ending in searcher.workers.wait(0.01):
            return ending.exit_code
    time.sleep(chance.uniform(0.0, 0.1))
    pid = searcher.workers.children[number].pid
    assert pid is not None
    with read_only(folder) if kind == "read-only" else nullcontext():
        if kind == "full" and folder.parent.is_mount():
            fill(folder)
        elif kind != "read-only":
            with suppress(psutil.NoSuchProcess):
                meet(kind, folder, psutil.Process(pid), chance)
        (ending,) = searcher.workers.wait(PATIENCE)
    (folder / "filler").unlink(missing_ok=True)
    return ending.exit_code


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture(params=[False, True], ids=["limits", "small disk"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder; where the system allows it, on a small disk of its own."""
    if not request.param:
        yield tmp_path
        return
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no disk can be mounted")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


SLOWED = {"sleep": 0.1}
"""Trials that take so long that a fault can begin in one."""


@pytest.fixture(scope="module")
def whole_of(searcher: Searcher, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """By oracle, the folder of a search that no fault meets."""

    @cache
    def found(oracle: str) -> Path:
        folder = tmp_path_factory.mktemp("whole") / oracle
        assert searcher.run(folder, oracle, payload=SLOWED).exit_code == 0
        return folder

    return found


needs_limits = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of Linux")


@pytest.mark.slow
@needs_limits
@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("chattr") is None, reason="root writes everywhere"
)
@pytest.mark.parametrize("oracle", ORACLES)
def test_faults_lose_nothing_and_repeat_nothing(
    searcher: Searcher,
    whole_of: Callable[[str], Path],
    disk: Path,
    oracle: str,
    record_property: Any,
) -> None:
    whole, faulty = whole_of(oracle), disk / "faulty"
    payload = SLOWED
    chance = random.Random(f"{oracle}{FAULTS}")
    ends = []
    on_small_disk = disk.is_mount()  # of all kinds only that one differs there
    first = list(ORACLES).index(oracle)  # few faults are of another kind for each oracle
    drawn = islice(cycle(KINDS), first, first + FAULTS)
    kinds = ["full"] * (FAULTS // 2) if on_small_disk else list(drawn)
    for kind in kinds:
        code = run_with_fault(searcher, faulty, oracle, kind, chance, payload=payload)
        ends.append((kind, fault_of(code) or code))
        # The search runs as a trial here: its exit code is that of a trial.
        assert code in (0, RAISED) or fault_of(code), ends
        assert {row["status"] for row in findings(faulty)} <= {COMPLETED, RUNNING}, ends
    assert searcher.run(faulty, oracle, payload=payload).exit_code == 0
    assert findings(faulty) == findings(whole), ends
    assert weights(faulty) == weights(whole)
    record_property("faults that ended a search", sum(end != 0 for _, end in ends))


# --- each call of the system failing, in a search within this process ---

CALLS = ("open", "write", "fsync", "mkdir", "replace", "unlink", "ftruncate", "lseek", "scandir")
MEMORY = (MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
ERRORS = (*(OSError(number, os.strerror(number)) for number in MACHINE_FAULTS), *MEMORY)


class Failing:
    """Lets one of the calls of the system fail, counted from 0, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.fails, self.error = 0, -1, ERRORS[0]
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Any) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            # A trial that asks for too much memory fails, and may.
            its_own = InProcess.running and self.error in MEMORY
            if self.count - 1 == self.fails and not its_own:
                raise self.error
            return call(*arguments, **options)

        return counted

    def at(self, call: int, error: BaseException) -> None:
        self.count, self.fails, self.error = 0, call, error


@pytest.mark.slow
@pytest.mark.parametrize("oracle", ORACLES)
def test_calls_that_fail_lose_nothing_and_repeat_nothing(
    tmp_path: Path, oracle: str, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    whole, faulty = tmp_path / "whole", tmp_path / "faulty"
    failing = Failing(monkeypatch)
    go_on(whole, oracle)
    calls = failing.count // 3
    chance = random.Random(oracle)
    ended = 0
    for turn in range(10 * FAULTS):
        failing.at(chance.randrange(calls), ERRORS[turn % len(ERRORS)])
        with suppress(SearchError):
            go_on(faulty, oracle)
            ended -= 1
        ended += 1
        failing.at(-1, ERRORS[0])
        statuses = {row["status"] for row in findings(faulty)} if faulty.exists() else set()
        assert statuses <= {COMPLETED, RUNNING}
    go_on(faulty, oracle)
    assert findings(faulty) == findings(whole)
    assert weights(faulty) == weights(whole)
    assert ended > FAULTS
    record_property("calls that failed and ended a search", ended)


# --- the trial's own ---


def as_it_is(number: int) -> Exception:
    return OSError(number, os.strerror(number), "some file")


def under_another(number: int) -> Exception:
    error = RuntimeError("cannot save the model")
    error.__cause__ = as_it_is(number)
    return error


def in_words(number: int) -> Exception:
    """As HDF5 and TensorFlow say it."""
    return RuntimeError(f"Unable to write (file name 'x', error message = '{os.strerror(number)}')")


@pytest.mark.parametrize("form", [as_it_is, under_another, in_words])
@pytest.mark.parametrize("number", MACHINE_FAULTS, ids=errno.errorcode.get)
def test_a_fault_that_a_trial_meets_is_told(number: int, form: Any) -> None:
    code = fault_code(form(number))
    assert code is not None
    said = fault_of(code)
    assert said is not None
    assert said.startswith(os.strerror(number))
    with pytest.raises(SearchError, match="trial 3 could not end"):
        ended_event(Ending(3, code, 0.1, 1.0), Path("trials/0003"), ())


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "x"), KeyError("x")])
def test_what_a_trial_does_itself_is_its_own_fault(error: Exception) -> None:
    assert fault_code(error) is None
    assert fault_of(RAISED) is None
    assert fault_of(-9) is None


@pytest.mark.slow
def test_a_process_that_cannot_fork_blames_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    lines = "import os\n\ndef fork():\n    raise OSError(11, 'no')\n\nos.fork = fork\n"
    (modules / "sitecustomize.py").write_text(lines, "utf-8")
    job = SearchJob("demo", SPACE, ORACLES["random"], "search_trials:arithmetic", seed=3)
    with monkeypatch.context() as changed:
        changed.syspath_prepend(modules)
        with pytest.raises(SearchError, match=r"trials cannot start: .*allow more processes"):
            run_search(job, RunOptions(preload=(), max_trials=2), tmp_path / "out")
    assert [row["status"] for row in findings(tmp_path / "out")] == [RUNNING]
    found = run_search(job, RunOptions(preload=(), max_trials=2), tmp_path / "out")
    assert [trial.status for trial in found.trials] == [COMPLETED] * 2
