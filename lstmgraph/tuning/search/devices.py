"""Which GPUs and how many CPU threads each worker's trials get, through their environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def visible_gpus(count: int, environment: Mapping[str, str]) -> list[str]:
    """Return the names of this machine's `count` GPUs, as CUDA_VISIBLE_DEVICES has them."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(index) for index in range(count)]
    return [name.strip() for name in named.split(",") if name.strip()][:count]


def worker_environments(workers: int, gpus: list[str]) -> list[dict[str, str]]:
    """Return what each worker's trials find in their environment, beyond what all find.

    With as many GPUs as workers or more, each GPU is one worker's alone. With fewer, workers share
    one, and TensorFlow takes its memory as it needs it instead of all at once.
    """
    if not gpus:
        return [{} for _ in range(workers)]
    if len(gpus) >= workers:
        return [{"CUDA_VISIBLE_DEVICES": ",".join(gpus[w::workers])} for w in range(workers)]
    return [
        {"CUDA_VISIBLE_DEVICES": gpus[w % len(gpus)], "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        for w in range(workers)
    ]


def shared_environment(workers: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the process that forks all trials: CPU threads shared out.

    Libraries read these when they are loaded, which is before a trial starts. What the user has set
    stays.
    """
    threads = str(max(1, available_cpus() // workers))
    defaults = dict.fromkeys(THREADS, threads) if workers > 1 else {}
    # Sets of texts have the same order in every process, so a trial run again gives the same.
    defaults |= {"PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return {**defaults, **environment}


def node_environment(cpus: float, gpus: float, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what changes in the environment of a Ray task with so many CPUs and GPUs.

    Ray has put the GPUs that the task got into CUDA_VISIBLE_DEVICES; it does not keep a task that
    asked for none from using all of the node's in every version.
    """
    threads = dict.fromkeys(THREADS, str(max(1, int(cpus))))
    found = {name: value for name, value in threads.items() if name not in environment}
    if gpus == 0:
        found["CUDA_VISIBLE_DEVICES"] = ""
    elif gpus < 1:
        found["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return found


def available_cpus() -> int:
    """Return the CPUs that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
