"""The package as a whole: one direction of imports, and TensorFlow only where it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import SHIPPED

import lstmgraph
from lstmgraph.__main__ import main
from lstmgraph.resources import KERAS_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(lstmgraph.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SPEAK_KERAS = (
    *("models", "training", "tuning", "export", "data/feeding.py"),
    *("interop/auditing/running.py", "interop/building.py", "interop/reading/live.py"),
)
"""What may import Keras and TensorFlow at module level; the rest imports them in functions."""


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


def test_imports_go_in_one_direction() -> None:
    """The contracts of pyproject.toml, which say what may import what."""
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_keras_stands_behind_one_door() -> None:
    others = [
        path for path in MODULES if not path.relative_to(PACKAGE).as_posix().startswith(SPEAK_KERAS)
    ]
    assert others
    at_fault = [
        f"{path}:{line}"
        for path in others
        for line, name in imported_at_once(path)
        if name.partition(".")[0] in {"keras", "tensorflow"}
    ]
    assert at_fault == []


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
for number, path in enumerate(paths):  # in turn as text and as JSON
    commands += [[name, *options[number % 2], path] for name in ("explain", "space")]
    commands += [["graph", "--format", "svg", path], ["diff", *options[number % 2], path, path]]
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()):
        code = app(command, standalone_mode=False)
    assert not code, (command, code)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.slow
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
packages = ("explain.diff", "explain.drawing", "explain.explanation", "authoring.editing")
unneeded = {{"rich", *(f"lstmgraph.{{package}}" for package in packages)}} & set(sys.modules)
assert not unneeded, unneeded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True)


def test_modules_say_what_they_are() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}
    assert [path for path, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_the_catalogue_is_of_the_installed_keras() -> None:
    minor = version("keras").split(".")[:2]
    assert read_schema(KERAS_SCHEMA)["x-keras-version"] == ".".join(minor)


def test_importing_the_package_takes_no_time() -> None:
    """What Ctrl-C hits in the first moments of a command is caught by ``lstmgraph.__main__``."""
    program = (
        "import sys, lstmgraph; print(*[n for n in sys.modules if n.startswith('lstmgraph.')])"
    )
    found = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert found.split() == ["lstmgraph.forks"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"lstmgraph": "lstmgraph.__main__:main"}


class _Interrupted:
    """A finder of modules in which Ctrl-C is pressed when the commands are looked for."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "lstmgraph.cli":
            raise KeyboardInterrupt


def test_ctrl_c_while_commands_are_imported(monkeypatch, capsys) -> None:
    monkeypatch.delitem(sys.modules, "lstmgraph.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")
