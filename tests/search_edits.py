"""Search folders edited at random: each is reported and gone on with, or refused by one message.

``python tests/search_edits.py 2000 SEED`` makes so many and prints figures.
"""

from __future__ import annotations

import copy
import errno
import json
import os
import random
import resource
import shutil
import socket
import sys
import tempfile
import time
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_trials import SPACE, arithmetic
from searching import ORACLES, TRIALS
from special_files import at_most

from lstmgraph.tuning.result import written_results
from lstmgraph.tuning.search import engine
from lstmgraph.tuning.search.errors import SearchError, cannot_use, fault_code
from lstmgraph.tuning.search.jobs import RunOptions, SearchJob
from lstmgraph.tuning.search.records import read_epochs
from lstmgraph.tuning.search.trial_server import RAISED, _run
from lstmgraph.tuning.search.workers import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.tuning.search.trial import TrialSpec

PATIENCE = 30
MOST_MEMORY = 4 << 30
"""Of the script's process, in bytes: an input that takes more is a fault."""
SECRET = "what stands in a file outside"
RECIPE = """\
recipe: 1
name: small
inputs: {x: {shape: [time, 3]}}
layers: {y: {type: lstm, input: x, units: 2}}
outputs: {y: y}
training: {loss: mse}
"""
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3.5, -0.0, 10**30, 1e308, float("nan"), float("inf"), "", "x", "\ud800",
    "2024-01-01", "completed", "../../outside", [], {}, [[]], [None], ["a"], {"a": 1}, [1e300, "b"],
    json.loads("[" * 200 + "]" * 200), {"trial": 0}, "[1, 2]", [{"metric": 3}],
)  # fmt: skip


class InProcess:
    """Runs trials where the search runs, in place of `Workers`: a start costs milliseconds."""

    running = False

    def __init__(self, *_: object) -> None:
        self.children: dict[int, Ending] = {}

    @property
    def free(self) -> int:
        return 1 - len(self.children)

    def start(self, spec: TrialSpec) -> None:
        try:
            path = spec.write()
        except OSError as error:
            raise cannot_use(Path(spec.folder), error) from None
        InProcess.running = True
        try:
            code = _run(arithmetic, path)
        except OSError as error:
            code = fault_code(error, of_trial=False) or RAISED
        finally:
            InProcess.running = False
        self.children[spec.number] = Ending(spec.number, code, 0.1, 1.0)

    def wait(self, _: float) -> list[Ending]:
        ended = list(self.children.values())
        self.children.clear()
        return ended

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def go_on(folder: Path, oracle: str) -> list[dict[str, Any]]:
    """The search of `folder` gone on with to its end; the metrics of its trials."""
    kept, engine.Workers = engine.Workers, InProcess  # type: ignore[assignment,misc]
    try:
        job = SearchJob("demo", SPACE, ORACLES[oracle], "search_trials:arithmetic", seed=3)
        results = engine.run_search(job, RunOptions(max_trials=TRIALS[oracle]), folder)
    finally:
        engine.Workers = kept  # type: ignore[misc]
    if results.unread:  # as `tune` does
        raise SearchError(results.unread[0])
    return [dict(trial.metrics) for trial in results.trials]


def whole_search(folder: Path, oracle: str) -> Path:
    """A search cut off in its last trial, with a recipe and epochs of each trial."""
    go_on(folder, oracle)
    journal = folder / "search.jsonl"
    lines = journal.read_text("utf-8").splitlines(keepends=True)
    last = json.loads(lines[-2])
    assert last["event"] in ("ended", "exhausted"), last
    while json.loads(lines[-1])["event"] != "started":
        lines.pop()
    journal.write_text("".join(lines), "utf-8")
    for place in (folder / "trials").iterdir():
        (place / "recipe.yaml").write_text(RECIPE, "utf-8")
        assert read_epochs(place)
    number = json.loads(lines[-1])["trial"]
    (folder / "trials" / f"{number:04d}" / "outcome.json").unlink()
    return folder


@dataclass
class Figures:
    """What became of the inputs."""

    inputs: int = 0
    reported: int = 0
    went_on: int = 0
    refused: int = 0
    slowest: float = 0.0
    messages: dict[str, int] = field(default_factory=dict)


def edit(folder: Path, outside: Path, chance: random.Random) -> str:
    """Edit one thing in `folder`; say what."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    weighed = [path for path in files if path.name in ("job.json", "search.jsonl")] * len(files)
    path = chance.choice([*files, *weighed])
    change = chance.choice([_structure] * 5 + [_lines, _bytes, _kind])
    return f"{path.relative_to(folder)}: {change(path, outside, chance)}"


def _structure(path: Path, _: Path, chance: random.Random) -> str:
    lines = path.read_bytes().splitlines()
    number = chance.randrange(len(lines)) if lines else 0
    try:
        data = json.loads(lines[number])
    except (ValueError, IndexError):
        return _bytes(path, path, chance)
    said = []
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        parent, key = chance.choice([*_places(data)] or [({"": data}, "")])
        act = chance.choice(["delete", "replace", "replace", "replace", "add", "copy"])
        said.append(f"line {number + 1} {act} {key!r}")
        if act == "delete":
            parent.pop(key)
        elif act == "replace":
            parent[key] = chance.choice(ODD)
        elif act == "copy":
            parent[key] = copy.deepcopy(chance.choice([p[k] for p, k in _places(data)] or [None]))
        elif isinstance(parent, dict):
            parent[chance.choice(["x", "\ud800", "event", "trial", ""])] = chance.choice(ODD)
        with suppress(RecursionError, ValueError):
            lines[number] = json.dumps(data).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    return ", ".join(said)


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every key in `data`, with what holds it."""
    waiting = [data] if isinstance(data, dict | list) else []
    while waiting:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each))
        for key in keys:
            yield each, key
            if isinstance(each[key], dict | list) and len(waiting) < 1000:
                waiting.append(each[key])


def _lines(path: Path, _: Path, chance: random.Random) -> str:
    lines = path.read_bytes().splitlines(keepends=True)
    one, other = chance.randrange(len(lines) or 1), chance.randrange(len(lines) or 1)
    act = chance.choice(["drop", "double", "swap", "move"])
    if lines and act == "drop":
        del lines[one]
    elif lines and act == "double":
        lines.insert(other, lines[one])
    elif lines and act == "swap":
        lines[one], lines[other] = lines[other], lines[one]
    elif lines:
        lines.insert(other, lines.pop(one))
    path.write_bytes(b"".join(lines))
    return f"{act} line {one + 1}, {other + 1}"


def _bytes(path: Path, _: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content) + 1)
    act = chance.choice(["cut", "flip", "deep", "letters", "empty", "long number"])
    if act == "cut":
        del content[at:]
    elif act == "flip" and content:
        content[at % len(content)] ^= 1 << chance.randrange(8)
    elif act == "empty":
        content.clear()
    else:
        content[at:at] = {"deep": b"[" * 100_000, "letters": b"\xff\xfe\x00"}.get(act, b"9" * 9999)
    path.write_bytes(content)
    return f"{act} at {at}"


def _kind(path: Path, outside: Path, chance: random.Random) -> str:
    """Something else in place of the file, of its folder, or of what a search writes."""
    here = path.parent if path.name not in ("job.json", "search.jsonl") else path.parent / "trials"
    written = path.parent / chance.choice(["lock", "server.log", "data", "report.html", "x.csv"])
    path = chance.choice([path, path, path, here, written])
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    act = chance.choice(["nothing", "folder", "pipe", "socket", "link", "zero", "folder link"])
    if act == "folder":
        path.mkdir()
    elif act == "pipe":
        os.mkfifo(path)
    elif act == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif act != "nothing":
        targets = {"link": outside / "secret", "zero": Path("/dev/zero")}
        path.symlink_to(targets.get(act, outside))
    return f"{act} at {path.name}"


def try_edits(place: Path, count: int, seed: int) -> Figures:
    """Edit searches of every oracle `count` times in all.

    Raises:
        AssertionError: an edit ended in another error than `SearchError`, or led out of the folder.
    """
    whole = {oracle: whole_search(place / f"whole-{oracle}", oracle) for oracle in ORACLES}
    wanted = {}
    for oracle, folder in whole.items():
        wanted[oracle] = go_on(Path(shutil.copytree(folder, place / f"end-{oracle}")), oracle)
    figures = Figures()
    for number in range(count):
        oracle = list(ORACLES)[number % len(ORACLES)]
        chance = random.Random(f"{seed} {number}")
        edited = place / "edited"
        shutil.copytree(whole[oracle], edited)
        outside = place / "outside"
        outside.mkdir()
        (outside / "secret").write_text(SECRET, "utf-8")
        said = f"input {number} of seed {seed}, {oracle}: "
        try:
            said += "; ".join(
                edit(edited, outside, chance) for _ in range(chance.choice([1, 1, 2]))
            )
            _try(edited, oracle, figures, wanted[oracle], said)
        except Exception as error:
            raise AssertionError(said) from error
        assert [path.name for path in outside.iterdir()] == ["secret"], said
        assert (outside / "secret").read_text("utf-8") == SECRET, said
        shutil.rmtree(edited)
        shutil.rmtree(outside)
        figures.inputs += 1
    return figures


def _try(
    edited: Path, oracle: str, figures: Figures, wanted: list[dict[str, Any]], said: str
) -> None:
    began = time.monotonic()
    with at_most(PATIENCE):
        if _refused(lambda: written_results(edited), figures) is not None:
            figures.reported += 1
            page = edited / "report.html"
            assert SECRET not in page.read_text("utf-8"), said
        found = _refused(lambda: go_on(edited, oracle), figures)
        figures.went_on += found is not None
        figures.refused += found is None
        assert found is None or len(found) == len(wanted)
    figures.slowest = max(figures.slowest, time.monotonic() - began)


def _refused(act: Callable[[], Any], figures: Figures) -> Any:
    try:
        return act()
    except SearchError as error:
        if os.strerror(errno.ENOMEM) in str(error):
            raise MemoryError from error
        first = str(error).split(": ")[-1][:60]
        figures.messages[first] = figures.messages.get(first, 0) + 1
        return None


def main(count: int, seed: int) -> None:
    """Print figures."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as place,
        Path(os.devnull).open("w") as nothing,
        redirect_stderr(nothing),
    ):
        figures = try_edits(Path(place), count, seed)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    for message, times in sorted(figures.messages.items(), key=lambda each: -each[1])[:20]:
        print(f"{times:6} {message}")
    print(
        f"{figures.inputs} inputs in {time.monotonic() - began:.0f} s, the slowest "
        f"{figures.slowest:.2f} s, {memory:.0f} MiB: {figures.reported} reported, "
        f"{figures.went_on} gone on with, {figures.refused} refused"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
