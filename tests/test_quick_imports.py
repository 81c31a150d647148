"""Packages that Keras imports only where it finds them are hidden from it alone."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from lstmgraph.compiler.machine import importing
from lstmgraph.compiler.machine.importing import QUICK_XLA, quick_imports, without
from lstmgraph.compiler.machine.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path


def test_a_package_is_not_found_in_the_block_and_is_found_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hidden_package.py").write_text("VALUE = 1\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with without("hidden_package", "sys"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("hidden_package")
    assert importlib.import_module("hidden_package").VALUE == 1
    with without("hidden_package"):  # imported before: others may hold it
        assert importlib.import_module("hidden_package").VALUE == 1
    del sys.modules["hidden_package"]


@pytest.mark.parametrize(
    ("gpus", "backend", "given", "wanted"),
    [
        (0, "tensorflow", None, QUICK_XLA),
        (0, "tensorflow", "--xla_dump_to=x", "--xla_dump_to=x"),
        (1, "tensorflow", None, None),
        (0, "jax", None, None),
    ],
)
def test_xla_compiles_quicker_on_a_cpu_unless_it_has_options(
    gpus: int, backend: str, given: str | None, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(importing, "this_machine", lambda: Machine(gpus, backend=backend))
    monkeypatch.setenv("XLA_FLAGS", "")  # is put back afterwards
    monkeypatch.delenv("XLA_FLAGS")
    if given is not None:
        monkeypatch.setenv("XLA_FLAGS", given)
    with quick_imports():
        assert os.environ.get("XLA_FLAGS") == wanted
    gc.unfreeze()


@pytest.mark.slow
def test_only_the_backend_tensorflow_can_do_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPython", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for backend, is_hidden in (("tensorflow", True), ("jax", False)):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        with quick_imports():
            assert ("IPython" in sys.modules) == is_hidden
            assert not gc.isenabled()
        assert "IPython" not in sys.modules
        assert gc.isenabled()
    gc.unfreeze()
    monkeypatch.setitem(sys.modules, "keras", gc)  # a program of the user's has imported it
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with quick_imports():
        assert "IPython" not in sys.modules
        assert gc.isenabled()
