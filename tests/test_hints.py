"""What messages and helps point at is there in an installed wheel: no page of the repository."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from lstmgraph.cli import app
from lstmgraph.messages.error_page import error_sections
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lstmgraph"
GROUP: Any = typer.main.get_group(app)
OPTIONS = {
    name
    for command in GROUP.commands.values()
    for option in command.params
    for name in (*option.opts, *option.secondary_opts)
} | {"--help", "--version"}
PAGE = re.compile(
    r"(?<![\w/.-])((?:docs|recipes|schemas|tests|benchmarks)/[\w./*-]+|[\w-]+\.md\b|README\b)"
)
COMMAND = re.compile(r"`lstmgraph ([a-z][a-z-]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS = {"--head", "--no-", "--ink", "--blue", "--pruned", "--hot", "--mix", "--share", "--xla"}
"""Variables of style sheets, the beginning of an option, and flags of XLA."""


def texts(path: Path) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


@cache
def messages() -> dict[str, str]:
    """The strings of the package, by their file and how they begin."""
    return {
        f"{path.relative_to(ROOT)}: {text[:60]}": text
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "old_spellings.py"
        for text in texts(path)
    }


HELPS = {name: command.help for name, command in GROUP.commands.items()} | {
    f"{name} {parameter.name}": parameter.help
    for name, command in GROUP.commands.items()
    for parameter in command.params
    if getattr(parameter, "help", None)
}
PAGES = {code: section.plain() for code, section in error_sections().items()}
SCHEMAS = {path.name: path.read_text("utf-8") for path in folder("schemas").glob("*.json")}
RECIPES = {
    path.name: path.read_text("utf-8").partition("\n")[2]  # `init` writes another first line
    for path in folder("recipes").glob("*.yaml")
}


def in_the_wheel(name: str) -> bool:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    return name in {Path(source).name for source in included}


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [messages, lambda: HELPS, lambda: PAGES, lambda: SCHEMAS, lambda: RECIPES],
    ids=["messages", "helps", "pages", "schemas", "recipes"],
)
def test_no_text_names_a_page_that_a_wheel_lacks(where: Callable[[], dict[str, str]]) -> None:
    assert where()
    named = {
        key: found
        for key, text in where().items()
        for found in PAGE.findall(text)
        if not in_the_wheel(found)
    }
    assert named == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", [messages, lambda: HELPS, lambda: PAGES], ids=["messages", "helps", "pages"]
)
def test_commands_and_options_that_a_text_names_are_there(
    where: Callable[[], dict[str, str]],
) -> None:
    texts = list(where().values())
    commands = {name for text in texts for name in COMMAND.findall(text)}
    assert commands <= set(GROUP.commands) | {"-"}
    options = {name for text in texts for name in OPTION.findall(text)}
    assert options - OPTIONS - OTHERS == set()


@pytest.mark.slow
def test_every_code_that_a_message_may_have_has_a_page() -> None:
    """Whatever its letter: codes are letters and three digits."""
    codes = {text for text in messages().values() if re.fullmatch(r"[LWD]\d{3}", text)}
    every = {
        code
        for path in PACKAGE.rglob("*.py")
        for code in re.findall(r'"([A-Z]\d{3})"', path.read_text("utf-8"))
    }
    assert codes
    assert every <= set(error_sections())
