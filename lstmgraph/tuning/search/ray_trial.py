"""A trial on a node of a Ray cluster: what goes to the node, what runs there, what comes back.

Nothing here needs Ray. The node runs the trial as this machine would, by `Workers`, in a child of
its own with the same seed and the same limits, in a temporary folder. No file system is shared: the
files of the trial's folder come back with its ending.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lstmgraph.files import atomic_path
from lstmgraph.tuning.search.devices import node_environment
from lstmgraph.tuning.search.errors import SearchError, fault_of
from lstmgraph.tuning.search.jobs import Limits, RunOptions, search_versions
from lstmgraph.tuning.search.own_files import read_of_trial, trial_folder
from lstmgraph.tuning.search.trial import OUTCOME, SPEC, TrialSpec, earlier_specs
from lstmgraph.tuning.search.workers import Ending, Workers

if TYPE_CHECKING:
    from collections.abc import Mapping

Files = dict[str, bytes]
"""Content by path, relative to a folder."""
PATIENCE = 1.0
"""Seconds after which a trial that is cancelled notices."""


@dataclass(frozen=True)
class TrialOrder:
    """What a node is sent."""

    spec: TrialSpec
    function: str
    preload: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    cpus: float = 1.0
    gpus: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions on the machine of the search; a node with other versions gives other numbers."""
    earlier: Files = field(default_factory=dict)
    """The files of trials that this one continues, from `earlier_files`."""


@dataclass(frozen=True)
class TrialReturn:
    """What a node sends back."""

    ending: Ending | None = None
    files: Files = field(default_factory=dict)
    unable: str = ""
    """Why the node cannot run trials; empty where it has run this one, whatever became of it."""


def run_order(order: TrialOrder) -> TrialReturn:
    """Run a trial on the machine that this is called on; nothing of it stays there."""
    node = platform.node()
    here = search_versions()
    if here != dict(order.versions):
        return TrialReturn(unable=f"node {node} has {_differences(order.versions, here)}")
    os.environ.update(node_environment(order.cpus, order.gpus, os.environ))
    try:
        with TemporaryDirectory(prefix="lstmgraph-trial-") as temporary:
            ending, files = _run_in(Path(temporary), order)
    except (OSError, SearchError) as error:
        return TrialReturn(unable=f"node {node} cannot run trials: {error}")
    fault = None if ending.stopped else fault_of(ending.exit_code)
    if fault is not None:
        return TrialReturn(unable=f"node {node}: {fault}")
    return TrialReturn(ending, files)


def _run_in(folder: Path, order: TrialOrder) -> tuple[Ending, Files]:
    place = trial_folder(folder, order.spec.number)
    place.mkdir(parents=True)
    write_files(place.parent, order.earlier)
    spec = replace(order.spec, folder=str(place))
    if spec.continues is not None:
        spec = replace(spec, continues=str(place.with_name(Path(spec.continues).name)))
    options = RunOptions(limits=order.limits, gpus=(), preload=order.preload)
    with Workers(folder, order.function, options) as workers:
        workers.start(spec)
        while not (endings := workers.wait(PATIENCE)):
            pass
    files = read_files(place)
    del files[SPEC]  # it names the folder on the node
    if endings[0].stopped:  # as it ended at its limit
        files.pop(OUTCOME, None)
    return endings[0], files


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    names = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    has = ", ".join(f"{name} {found.get(name, 'not at all')}" for name in names)
    needs = ", ".join(f"{name} {wanted.get(name, 'not at all')}" for name in names)
    return f"{has}, and this machine {needs}; numbers would differ: install the same on all"


def earlier_files(spec: TrialSpec) -> Files:
    """Return the files, relative to the trials' folder, of the trials that a trial continues.

    These are all files of the last trial, and spec.json of every trial before it: the seed stands
    in that of the first.
    """
    if spec.continues is None:
        return {}
    folder = Path(spec.continues)
    files = {f"{folder.name}/{name}": content for name, content in read_files(folder).items()}
    for before in earlier_specs(spec):
        name = f"{before.number:04d}"
        files[f"{name}/{SPEC}"] = read_of_trial(folder.with_name(name), SPEC)
    return files


def read_files(folder: Path) -> Files:
    """Return every file in `folder` and in folders within it, and none that links lead to."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def write_files(folder: Path, files: Files) -> None:
    """Write `files`, each whole or not at all; outcome.json last, which tells that all are there.

    Raises:
        OSError: one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: (name == OUTCOME, name)):
        target = folder / PurePosixPath(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target) as temporary:
            temporary.write_bytes(files[name])
