"""Forked processes: TensorFlow does not work where it had started before the fork.

A fork copies TensorFlow's state and none of its threads, so that its first operation in the child
waits for ever. Processes that are forked before it has started, or started by ``spawn`` or
``forkserver``, are as good as any.
"""

from __future__ import annotations

import os
import sys
from threading import Event
from typing import Any

_STARTED_BEFORE = Event()
"""Set in a process, and in those that are forked from it, that cannot run TensorFlow."""


def refuse_after_fork() -> None:
    """Refuse to run TensorFlow where it could only hang.

    Raises:
        RuntimeError: it had started before this process was forked.
    """
    if _STARTED_BEFORE.is_set():
        raise RuntimeError(
            "TensorFlow had started before this process was forked, and would wait for ever here; "
            "start processes with multiprocessing.get_context('spawn'), or fork them before "
            "anything is built or loaded"
        )


def _has_started(tensorflow: Any) -> bool:
    """Whether TensorFlow's runtime runs: it then takes no other number of threads."""
    threading = tensorflow.config.threading
    count = threading.get_inter_op_parallelism_threads()
    try:
        threading.set_inter_op_parallelism_threads(count + 1)
    except RuntimeError:
        return True
    threading.set_inter_op_parallelism_threads(count)
    return False


def _look() -> None:
    tensorflow = sys.modules.get("tensorflow")
    # While it is being imported, by another thread, it has no `config` yet.
    if hasattr(tensorflow, "config") and _has_started(tensorflow):
        _STARTED_BEFORE.set()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_look)
