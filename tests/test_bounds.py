"""What pyproject.toml asks for: all that is imported, and nothing in two ways.

That the lowest versions are enough, `.ci/run` shows: a resolver chooses them from the same bounds.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lstmgraph.export.formats import FORMATS
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {
    name: [Requirement(line) for line in lines]
    for name, lines in PROJECT["optional-dependencies"].items()
}
ALWAYS = [Requirement(line) for line in PROJECT["dependencies"]]
MINORS = [
    line.rpartition(" ")[2]
    for line in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
]

OF_USERS = ("data", "jax", "litert", "micro", "onnx", "ray")
READ = [
    ("lstmgraph", OF_USERS),
    ("tests", (*OF_USERS, "test")),
    ("benchmarks", (*OF_USERS, "bench")),
    ("schemas", ()),
    ("docs", ()),
]
"""The folders, and the extras that what stands in them may import from."""


def asked_for(extras: Iterable[str]) -> set[str]:
    """The names of the packages of every installation and of extras, those inside them too."""
    found = {canonicalize_name(each.name) for each in ALWAYS}
    for extra in extras:
        for each in EXTRAS[extra]:
            found |= asked_for(each.extras) if each.name == "lstmgraph" else set()
            found.add(canonicalize_name(each.name))
    return found


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Where each package is imported that is neither Python's own nor a module of the folder."""
    ours = {"lstmgraph", "benchmarks"} | {
        path.stem for path in (*folder.glob("*.py"), *(ROOT / "schemas").glob("*.py"))
    }
    ours |= {path.parent.name for path in folder.glob("*/*.py")}
    for path in sorted(folder.rglob("*.py")):
        if "node_modules" in path.parts or path.name == "make.py":  # fixtures of other libraries
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in (name.partition(".")[0] for name in names):
                if name not in sys.stdlib_module_names | ours:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", name


@pytest.mark.parametrize(("folder", "extras"), READ, ids=[folder for folder, _ in READ])
def test_what_is_imported_is_asked_for(folder: str, extras: tuple[str, ...]) -> None:
    packages = packages_distributions()  # of an extra that is not installed: named as its package
    asked = asked_for(extras)
    for place, name in imported(ROOT / folder):
        found = {canonicalize_name(each) for each in packages.get(name, [name])}
        assert found & asked, f"{place}: pyproject.toml does not ask for {' or '.join(found)}"


def test_a_package_that_is_named_twice_has_the_same_bounds() -> None:
    bounds = defaultdict(set)
    for each in (*ALWAYS, *(each for lines in EXTRAS.values() for each in lines)):
        bounds[canonicalize_name(each.name)].add(str(each.specifier))
    assert not {name: found for name, found in bounds.items() if len(found) > 1}


def test_every_package_has_a_lower_bound() -> None:
    """Without one, the lowest version is whatever was first published."""
    for each in (*ALWAYS, *(each for lines in EXTRAS.values() for each in lines)):
        operators = [one.operator for one in each.specifier]
        assert each.name == "lstmgraph" or operators.count(">=") == 1, each


def test_an_extra_of_a_format_has_what_the_format_needs() -> None:
    for exported in FORMATS.values():
        if exported.packages:
            packages = {canonicalize_name(name) for name in exported.packages}
            assert packages <= {canonicalize_name(each.name) for each in EXTRAS[exported.extra]}


def test_keras_is_of_the_catalogues_minor_version() -> None:
    """Another has other arguments; CONTRIBUTING.md says how it is taken in."""
    (keras,) = (each for each in ALWAYS if each.name == "keras")
    lower, upper = sorted(Version(one.version) for one in keras.specifier)
    assert read_schema(KERAS_SCHEMA)["x-keras-version"] == f"{lower.major}.{lower.minor}"
    assert upper == Version(f"{lower.major}.{lower.minor + 1}")
    assert Version(version("keras")) in keras.specifier


def test_what_is_said_of_python_is_one_thing() -> None:
    first, last = (int(minor.partition(".")[2]) for minor in (MINORS[0], MINORS[-1]))
    assert [f"3.{minor}" for minor in range(first, last + 1)] == MINORS
    assert PROJECT["requires-python"] == f">=3.{first},<3.{last + 1}"
    said = f"{', '.join(MINORS[:-1])} or {MINORS[-1]}"
    assert f"With Python {said}" in (ROOT / "README.md").read_text("utf-8")
