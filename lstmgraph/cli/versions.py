"""What ``--version`` prints."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from lstmgraph import __version__
from lstmgraph.compiler.machine.machine import keras_backend

PACKAGES = {"Keras": "keras", "TensorFlow": "tensorflow"}


def versions_text() -> str:
    """Return the versions of lstmgraph, Keras and TensorFlow, and the backend that Keras will take.

    None of them is imported: that would take seconds.
    """
    lines = [f"lstmgraph {__version__}"]
    lines += [f"{name} {_installed(package)}" for name, package in PACKAGES.items()]
    return "\n".join([*lines, f"backend {keras_backend()}"])


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
