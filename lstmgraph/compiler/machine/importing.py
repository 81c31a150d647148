"""Import Keras and TensorFlow without the packages that they import only where they find them.

Three tenths of the time of ``import keras`` are scikit-learn, pandas and SciPy, for
``keras.wrappers``, for arguments that are data frames, and for TensorFlow 1.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lstmgraph.compiler.machine.machine import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONAL = ("sklearn", "pandas", "scipy", "matplotlib", "IPython", "jax")
"""What Keras 3.15 and TensorFlow 2.21 import within ``try``, and commands do not use through
them."""
QUICK_XLA = "--xla_backend_optimization_level=1"
"""On a CPU, XLA compiles a training step in 0.8 to 0.9 of the processor time, and steps take as
long (``python -m benchmarks.xla_flags``)."""


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import Keras quicker, and have XLA compile quicker, in a process that runs only a command.

    With Keras's backend TensorFlow, imports in the block do not find ``OPTIONAL`` packages, which
    can be imported as ever afterwards. Python's garbage collector never looks at what the block
    made: modules stay, and tracing a model makes it run many times. XLA reads ``QUICK_XLA`` unless
    there are GPUs, or ``XLA_FLAGS`` is set. Where Keras has been imported before, nothing is
    different.
    """
    if "keras" in sys.modules:
        yield
        return
    machine = this_machine()
    on_tensorflow = machine.backend == "tensorflow"
    if on_tensorflow and not machine.gpus:
        os.environ.setdefault("XLA_FLAGS", QUICK_XLA)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        with without(*(OPTIONAL if on_tensorflow else ())):
            yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Have imports of `packages` raise ``ModuleNotFoundError``, but of those already imported."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: Python refuses it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
