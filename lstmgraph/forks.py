"""Detect processes forked after TensorFlow started, in which TensorFlow would hang.

A fork copies TensorFlow's state but none of its threads, so the first operation in the child
waits forever. Processes forked before TensorFlow starts, or started with ``spawn`` or
``forkserver``, are not affected.
"""

from __future__ import annotations

import os
import sys
from threading import Event
from typing import Any

_STARTED_BEFORE = Event()
"""Set in a process that cannot run TensorFlow, and in every process forked from it."""


def refuse_after_fork() -> None:
    """Raise an error where TensorFlow would hang.

    Raises:
        RuntimeError: if TensorFlow had started before this process was forked.
    """
    if _STARTED_BEFORE.is_set():
        raise RuntimeError(
            "TensorFlow had started before this process was forked, so it would hang here; "
            "start processes with multiprocessing.get_context('spawn'), or fork them before "
            "building or loading any model"
        )


def _has_started(tensorflow: Any) -> bool:
    """Return whether TensorFlow's runtime has started: it then refuses a new thread count."""
    threading = tensorflow.config.threading
    count = threading.get_inter_op_parallelism_threads()
    try:
        threading.set_inter_op_parallelism_threads(count + 1)
    except RuntimeError:
        return True
    threading.set_inter_op_parallelism_threads(count)
    return False


def _check_tensorflow() -> None:
    tensorflow = sys.modules.get("tensorflow")
    # It has no `config` while another thread is still importing it.
    if hasattr(tensorflow, "config") and _has_started(tensorflow):
        _STARTED_BEFORE.set()


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=_check_tensorflow)
