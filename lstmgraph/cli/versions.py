"""What ``--version`` prints."""

from __future__ import annotations

from lstmgraph import __version__
from lstmgraph.compiler.machine.machine import keras_backend
from lstmgraph.compiler.machine.versions import versions

PACKAGES = {"Keras": "keras", "TensorFlow": "tensorflow"}


def versions_text() -> str:
    """Return the versions of lstmgraph, Keras and TensorFlow, and the backend that Keras will take.

    None of them is imported: that would take seconds.
    """
    found = versions(*PACKAGES.values())
    lines = [f"lstmgraph {__version__}"]
    lines += [
        f"{name} {found.get(package, 'is not installed')}" for name, package in PACKAGES.items()
    ]
    return "\n".join([*lines, f"backend {keras_backend()}"])
