"""The versions of the packages that numbers depend on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

TRAINING = ("lstmgraph", "tensorflow", "keras", "numpy")
"""What a training's numbers depend on, whatever Keras's backend is."""
BACKENDS = ("jax", "torch")
ORACLES = ("keras-tuner", "scikit-learn")
"""What the proposals of a search depend on."""


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of those of `packages` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
