"""The whole suite runs on TensorFlow; its numeric core on every backend of Keras (`.ci/run`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgraph.machine import keras_backend

if TYPE_CHECKING:
    import pytest

TENSORFLOWS_OWN = "tensorflow(reason): what the test is about is TensorFlow's own"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", TENSORFLOWS_OWN)
    if keras_backend() != "tensorflow":
        # Keras 3.15's variables have an `__array__` that NumPy 2 wants spelled otherwise.
        ignored = "ignore:__array__ implementation:DeprecationWarning"
        config.addinivalue_line("filterwarnings", ignored)


def pytest_report_header() -> str:
    return f"keras backend: {keras_backend()}"
