"""The house: one direction of imports, TensorFlow behind one door, modules of a readable size."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import SHIPPED

import lstmgraph
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(lstmgraph.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 330
LONGER = {"api.py": 400}  # the whole Python interface: what is long there is docstrings

ROOMS = (
    ("cli",),
    ("build_files", "export_files"),
    ("__init__",),
    ("generation",),
    ("stepping", "weight_transfer", "model_diff"),
    ("functions",),
    ("api",),
    ("tuning",),
    ("search",),
    ("export", "drawing"),
    ("training",),
    ("derived_models",),
    ("model_files", "same_model", "carried"),
    ("data",),
    ("editing", "starting"),
    ("comparison",),
    ("report", "manifest", "tables", "sections", "resolved", "quiet"),
    ("weight_fit",),
    ("hypermodel",),
    ("lowering",),
    ("runtime",),
    ("memory",),
    ("compiler",),
    ("lint",),
    ("runtime_plan",),
    ("obstacles", "machine"),
    ("derive",),
    ("passes", "training_checks", "runtime_checks"),
    ("callback_checks", "search_checks"),
    ("data_checks",),
    ("data_shapes", "data_split_checks"),
    ("data_needs",),
    ("metric_names",),
    ("expand", "further_ports"),
    ("layer_facts",),
    ("resolve",),
    ("references", "ports", "stack_checks"),
    ("read_recipe", "read_data", "defaults"),
    ("compose",),
    ("ordering",),
    ("overrides", "schema"),
    ("published",),
    ("space",),
    ("document",),
    ("embedded", "npz", "weights_file"),
    ("archives",),
    ("recipe_bytes",),
    ("graph",),
    ("recipe", "data_recipe"),
    ("catalogue",),
    ("schema_messages", "schema_mistakes"),
    ("yaml_nodes", "yaml_values", "yaml_comments"),
    ("yaml_events",),
    ("origins", "pages"),
    ("diagnostics", "rendering", "error_page", "wording"),
    ("csv_files",),
    ("tensors", "dtypes", "resources", "seeds", "files", "forks", "lengths"),
)
"""Top to bottom: a module imports from its own room and from rooms below it."""

FLOOR = {module: floor for floor, room in enumerate(ROOMS) for module in room}


def room(path: Path) -> str:
    """``passes`` for passes/masks.py, ``graph`` for graph.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in a file, with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write absolute imports"
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def imported_at_once(path: Path) -> Iterator[tuple[int, str]]:
    """What importing a file imports: not what stands in functions or is for type checkers."""
    waiting: list[ast.AST] = list(ast.parse(path.read_text("utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _for_types(node):
            waiting += ast.iter_child_nodes(node)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_every_module_has_a_room() -> None:
    assert {room(path) for path in MODULES} == set(FLOOR), "put new modules into ROOMS"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    for line, name in imported(path):
        package, _, rest = name.partition(".")
        if package == "lstmgraph":
            target = rest.partition(".")[0] or "__init__"
            assert FLOOR[target] >= FLOOR[room(path)], f"{path}:{line}: {name} is above"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_lowering_speaks_keras(path: Path) -> None:
    if room(path) in {
        "lowering",
        "runtime",
        "model_files",
        "training",
        "export",
        "tuning",
        "stepping",
        "generation",
    }:
        return
    for line, name in imported_at_once(path):
        assert name.partition(".")[0] not in {"keras", "tensorflow"}, f"{path}:{line}"


WITHOUT_TENSORFLOW = """
import contextlib, io, json, sys
from pathlib import Path
import lstmgraph
from lstmgraph.cli import app
paths = json.loads(sys.argv[1])
for path in paths:
    recipe = lstmgraph.load(Path(path))
    str(recipe.explain()), recipe.explain().as_dict(), recipe.resolved()
    recipe.at(recipe.space().defaults()).resolved()
commands = [["validate", *paths], ["validate", "--format", "json", *paths], ["schema"]]
options = ([], ["--format", "json"])
commands += [
    [name, *option, path]
    for name in ("explain", "space") for path in paths for option in options
]
commands += [["graph", "--format", "svg", path] for path in paths]
commands += [["diff", *option, path, path] for path in paths for option in options]
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()):
        code = app(command, standalone_mode=False)
    assert not code, (command, code)
print(json.dumps(sorted(sys.modules)))
"""


def test_nothing_before_building_imports_tensorflow() -> None:
    paths = json.dumps([str(path) for path in SHIPPED])
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW, paths],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert not loaded & {"keras", "tensorflow", "torch", "jax", "numpy"}


def test_checking_imports_nothing_of_other_commands() -> None:
    """Each of these took a part of the time of every command."""
    program = f"""
import sys
from lstmgraph.cli import app
assert not app(["validate", {str(SHIPPED[0])!r}], standalone_mode=False)
rooms = ("comparison", "drawing", "editing", "memory")
unneeded = {{"rich", *(f"lstmgraph.{{room}}" for room in rooms)}} & set(sys.modules)
assert not unneeded, unneeded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_say_what_they_are_and_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), path
    longest = LONGER.get(str(path.relative_to(PACKAGE)), LONGEST)
    assert len(text.splitlines()) <= longest, path


def test_the_catalogue_is_of_the_installed_keras() -> None:
    minor = version("keras").split(".")[:2]
    assert read_schema(KERAS_SCHEMA)["x-keras-version"] == ".".join(minor)
