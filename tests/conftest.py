"""The whole suite runs on TensorFlow; its numeric core on every backend of Keras (`.ci/run`)."""

from __future__ import annotations

import functools
import gc
import os
import random
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from lstmgraph.compiler.machine.machine import keras_backend

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from started import Started

    from lstmgraph.models.steps import Steps

settings.load_profile(
    "ci"
)  # everywhere: fixed examples, and no deadline that a busy machine misses

TENSORFLOWS_OWN = "tensorflow(reason): skipped on other backends of Keras, for the reason"


ONE_THREAD = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
"""Set for processes that share the cores: threads of one wait for those of another otherwise."""


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # one of several, by pytest-xdist
        for name in ONE_THREAD:
            os.environ.setdefault(name, "1")
    # Without it TensorFlow has no convolution with channels first on CPUs that lack AVX-512 VNNI.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    config.addinivalue_line("markers", TENSORFLOWS_OWN)
    if keras_backend() != "tensorflow":
        # Keras 3.15's variables have an `__array__` that NumPy 2 wants spelled otherwise.
        ignored = "ignore:__array__ implementation:DeprecationWarning"
        config.addinivalue_line("filterwarnings", ignored)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import Keras and TensorFlow: their millions of objects need no looking at, then or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        if "keras" in sys.modules:
            _trace_steps_of_training_once()
        if "typer.testing" in sys.modules:
            _make_commands_once()
        _collect_for_good()
        gc.set_threshold(20_000, 20, 20)  # models come and go by thousands of objects
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Nor do those that a file's tests leave in caches: `clear_session` collects each time."""
    if nextitem is not None and nextitem.path != item.path:
        _collect_for_good()


def _collect_for_good() -> None:
    gc.collect()
    gc.freeze()


def _trace_steps_of_training_once() -> None:
    """Give optimizers their variables before the first step of ``fit``, as our trainings do.

    TensorFlow traces a step twice that makes variables, which took a third of many tests.
    """
    import keras  # noqa: PLC0415 - see above

    from lstmgraph.models.runtime import build_optimizer  # noqa: PLC0415 - imports Keras

    make = keras.Model.make_train_function

    @functools.wraps(make)  # test_traced_once.py calls the one below
    def make_train_function(model: keras.Model, force: bool = False) -> object:
        if model.optimizer is not None:
            build_optimizer(model)
        return make(model, force)

    keras.Model.make_train_function = make_train_function


def _make_commands_once() -> None:
    """Let Typer read the annotations of all commands once, and not for each that a test runs.

    That takes most of the time of one that checks a small recipe.
    """
    import typer.testing  # noqa: PLC0415 - see above

    typer.testing._get_command = functools.cache(typer.testing._get_command)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if keras_backend() == "tensorflow":
        return
    for item in items:
        if mark := item.get_closest_marker("tensorflow"):
            item.add_marker(pytest.mark.skip(reason=f"TensorFlow's own: {mark.args[0]}"))


@pytest.fixture(scope="module", autouse=True)
def same_chance() -> None:
    """Let the chance that no test seeds be the same for a file, whatever ran before it.

    Not before each test: TensorFlow forgets its compiled operations with it.
    """
    random.seed(0)  # Keras's seeds come from it
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)  # shuffles batches


@pytest.fixture
def eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets models compute without being traced, which takes longer than few steps of small ones.

    On JAX they are traced: eagerly it compiles every operation by itself.
    """
    import keras  # noqa: PLC0415 - most files import it, and some must not

    from lstmgraph.models import steps  # noqa: PLC0415 - as above

    if keras_backend() == "tensorflow":
        always = property(lambda _: True, lambda _, __: None)
        monkeypatch.setattr(keras.Model, "run_eagerly", always)
        monkeypatch.setattr(steps.Function, "_trace", lambda _: None)
        monkeypatch.setattr(steps.Steps, "_several", _run_in_python)


def _run_in_python(steps: Steps, batches: Iterator[object], count: int) -> tuple[int, object]:
    """Take the place of the loop of steps that TensorFlow traces, for losses that stay finite."""
    feed, logs = steps.feed, None
    for index in range(steps.done, steps.done + count):
        batch = feed.taken(feed.positions(), index) if feed.is_tensors else next(batches)
        logs = steps.function.step(batch)
    return count, logs


@pytest.fixture(scope="module")
def forked_servers() -> Generator[None]:
    """Lets searches of a file fork the process that starts trials; see ``forked_servers.py``."""
    from forked_servers import start_forked  # noqa: PLC0415 - few files search

    from lstmgraph.tuning.search import workers  # noqa: PLC0415 - as above

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workers, "_start_server", start_forked)
        yield


@pytest.fixture(scope="session")
def keras_alone() -> Generator[Started]:
    """A process with Keras and without lstmgraph, to run programs in."""
    from started import Started  # noqa: PLC0415 - few files want it

    with Started("keras", "numpy") as started:
        yield started


def pytest_report_header() -> str:
    return f"keras backend: {keras_backend()}"
