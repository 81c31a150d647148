"""Find the devices and backend of this machine without importing TensorFlow."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch", "openvino")


@dataclass(frozen=True)
class Machine:
    """The devices and the Keras backend that a model would run on."""

    gpus: int = 0
    no_gpu_because: str = "this machine has none"
    backend: str = "tensorflow"
    """Keras's backend. Backends other than TensorFlow do not have TensorFlow's settings."""


def this_machine() -> Machine:
    """Return the devices and backend of this machine.

    GPUs are counted by the device files of NVIDIA's driver: asking the driver would start it in
    this process, and a child forked later could not use it. TensorFlow may see fewer, for example
    without its CUDA libraries; building a model asks TensorFlow.
    """
    gpus, reason = _gpus()
    return Machine(gpus, reason, keras_backend())


def _gpus() -> tuple[int, str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in {"", "-1"}:
        return 0, "CUDA_VISIBLE_DEVICES hides them"
    count = len(list(Path("/dev").glob("nvidia[0-9]*"))) or int(Path("/dev/dxg").exists())
    if visible is not None:
        count = min(count, len(visible.split(",")))
    return count, "" if count else "this machine has none"


def keras_backend() -> str:
    """Return the backend that Keras will use, from the environment or its configuration file.

    Source: ``keras/src/backend/config.py``.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        configured = json.loads((home / "keras.json").read_text("utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        configured = None
    backend = os.environ.get("KERAS_BACKEND") or configured
    return backend if backend in BACKENDS else "tensorflow"
