"""The process that sends trials to a Ray cluster: `trial_server`'s part, on many machines.

``python -P -m lstmgraph.tuning.search.ray_server JSON`` speaks with the search as `trial_server`
does. Ray, its threads, its signal handlers and what it prints stay in this process. There is no
scheduler here: each trial is a Ray task, which Ray places, and runs again where its node dies.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.tuning.search.errors import SearchError, cannot_use
from lstmgraph.tuning.search.jobs import Limits, search_versions
from lstmgraph.tuning.search.ray_trial import (
    TrialOrder,
    TrialReturn,
    earlier_files,
    run_order,
    write_files,
)
from lstmgraph.tuning.search.results import FAILED, OVERSIZED
from lstmgraph.tuning.search.trial import TrialSpec
from lstmgraph.tuning.search.trial_server import RAISED, end_with_parent, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import ray

RETRIES = 3
"""How many times Ray runs a trial again whose node has died."""
POLL = 0.1
"""Seconds between two looks at the tasks."""
GENTLE = 30.0
"""Seconds that cancelled trials are given to end and to delete their folders."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # a cluster that is gone: an error in 41 s, not in 13 minutes
    "RAY_task_oom_retries": str(RETRIES),  # Ray's default: a trial too large runs again for ever
}
"""Environment variables that Ray reads; what the user has set stays."""
HOW_TO_START = (
    "start one with 'ray start --head', or set RAY_ADDRESS to the address of one; "
    "without --cluster the search runs on this machine"
)
FIX = "once that is fixed, the same command goes on with the search"


class RayServer:
    """Sends trials to the cluster, and writes what comes back into their folders."""

    def __init__(self, options: Mapping[str, Any], answers: int) -> None:
        self.options = options
        self.answers = answers
        """The pipe to the search."""
        self.running: dict[ray.ObjectRef[TrialReturn], Path] = {}
        self.versions = search_versions()
        self._commands = b""

    def serve(self) -> None:
        """Serve until the input ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
            while True:
                if selector.select(POLL) and not self._read_commands():
                    return self._cancel_all()
                self._reap()

    def _read_commands(self) -> bool:
        data = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            self._send(Path(json.loads(line)["run"]))
        return bool(data)

    def _send(self, path: Path) -> None:
        import ray  # noqa: PLC0415 - an extra

        spec = TrialSpec.read(path)
        options = self.options
        order = TrialOrder(
            spec,
            options["function"],
            tuple(options["preload"]),
            Limits(**options["limits"]),
            options["cpus"],
            options["gpus"],
            self.versions,
            earlier_files(spec),
        )
        task = ray.remote(run_order).options(
            name=f"trial-{spec.number}",
            num_cpus=order.cpus,
            num_gpus=order.gpus,
            max_retries=RETRIES,
            retry_exceptions=False,
        )
        self.running[task.remote(order)] = path.parent

    def _reap(self) -> None:
        import ray  # noqa: PLC0415 - an extra

        if not self.running:
            return
        done, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
        for task in done:
            place = self.running.pop(task)
            end = self._end(task, place)
            send(self.answers, {"ended": int(place.name), **end})

    def _end(self, task: ray.ObjectRef[TrialReturn], place: Path) -> dict[str, Any]:
        found = _result(task)
        if isinstance(found, dict):
            return found
        if found.ending is None:
            raise SearchError(f"{found.unable}; {FIX}")
        try:
            write_files(place, found.files)
        except OSError as error:
            raise cannot_use(place, error) from None
        end = asdict(found.ending)
        return {"exit": end.pop("exit_code"), **end}

    def _cancel_all(self) -> None:
        import ray  # noqa: PLC0415 - an extra

        for task in self.running:
            ray.cancel(task)
        if self.running:
            ray.wait(list(self.running), num_returns=len(self.running), timeout=GENTLE)
        ray.shutdown()  # Ray kills what still runs


def _result(task: ray.ObjectRef[TrialReturn]) -> TrialReturn | dict[str, Any]:
    """Return what came back, or the end of a trial that Ray has run as often as it does.

    Raises:
        SearchError: nodes cannot run trials, or the cluster is gone: no trial is to blame.
    """
    import ray  # noqa: PLC0415 - an extra
    from ray import exceptions  # noqa: PLC0415

    try:
        found: TrialReturn = ray.get(task)
    except exceptions.OutOfMemoryError as error:
        return _lost(OVERSIZED, error)
    except (exceptions.NodeDiedError, exceptions.WorkerCrashedError) as error:
        return _lost(FAILED, error)
    except exceptions.TaskCancelledError as error:  # by someone else
        return _lost(FAILED, error)
    except exceptions.RayTaskError as error:
        reason = str(error.cause).strip().rpartition("\n")[2]
        raise SearchError(
            f"a node cannot run trials: {reason}; all need the same lstmgraph; {FIX}"
        ) from None
    except exceptions.RayError as error:
        raise SearchError(f"the Ray cluster is lost: {_first_line(error)}; {FIX}") from None
    return found


def _lost(status: str, error: Exception) -> dict[str, Any]:
    stopped = [status, f"{type(error).__name__}: {_first_line(error)}"]
    return {"exit": RAISED, "seconds": 0.0, "peak_memory_mb": 0.0, "stopped": stopped}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def connect(cpus: float, gpus: float) -> None:
    """Join the cluster that runs here or that RAY_ADDRESS names.

    Raises:
        SearchError: Ray is not installed, no cluster is found, or no node of it
            has as many CPUs and GPUs.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise SearchError("--cluster ray needs Ray: pip install 'lstmgraph[ray]'") from None
    if os.environ.get("RAY_ADDRESS") == "local":
        raise SearchError(f"RAY_ADDRESS is 'local', and no cluster is started here: {HOW_TO_START}")
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise SearchError(f"no Ray cluster: {str(error).strip()}; {HOW_TO_START}") from None
    if not has_room(ray.nodes(), cpus, gpus):
        raise SearchError(
            f"no node of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs, which each trial "
            "asks for; start such a node, or ask for less with --cpus-per-trial, --gpus-per-trial"
        )


def has_room(nodes: Iterable[Mapping[str, Any]], cpus: float, gpus: float) -> bool:
    """Return whether a node, one of ``ray.nodes()``, could run a trial that asks for so much."""
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    return any(each.get("CPU", 0) >= cpus and each.get("GPU", 0) >= gpus for each in resources)


def main() -> None:
    """Join the cluster, then serve."""
    options = json.loads(sys.argv[1])
    answers = os.dup(1)
    os.dup2(2, 1)  # what Ray prints is no answer
    end_with_parent(options["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir(Path.cwd().anchor)  # Ray's workers import from where their driver is
    try:
        connect(options["cpus"], options["gpus"])
        RayServer(options, answers).serve()
    except SearchError as error:
        send(answers, {"stop": str(error)})
        sys.exit(RAISED)


if __name__ == "__main__":
    main()
