"""docs/editor.md and the hooks: what they run are commands that there are, on files that match."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from building import RECIPES

from lstmgraph.cli import app

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "editor.md").read_text("utf-8")
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
YAML_BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
COMMANDS: Any = typer.main.get_command(app)


def documented(key: str) -> Any:
    """The YAML on the page that has `key`, and is a file of its own."""
    return next(block for block in YAML_BLOCKS if block and key in block)


def workflow_lines() -> list[str]:
    steps = documented("jobs")["jobs"]["validate"]["steps"]
    lines = [step["run"] for step in steps if "run" in step]
    return [line for line in lines if line.startswith("lstmgraph")]


def test_the_workflow_validates_in_both_formats() -> None:
    lines = " ".join(workflow_lines())
    assert "--format github" in lines
    assert "--format sarif" in lines


@pytest.mark.parametrize(
    "line", [*workflow_lines(), *(f"{hook['entry']} a.yaml" for hook in HOOKS)]
)
def test_every_line_is_a_command_with_options_and_choices_that_it_has(line: str) -> None:
    program, name, *arguments = shlex.split(line.partition(">")[0])
    assert program == "lstmgraph"
    command = COMMANDS.commands[name]
    # Reads the options, checks their choices, and runs nothing.
    command.make_context(name, arguments, resilient_parsing=False)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_has_what_pre_commit_asks_for(hook: dict[str, Any]) -> None:
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    assert hook["language"] == "python"
    assert "additional_dependencies" not in hook


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_run_on_every_recipe(hook: dict[str, Any]) -> None:
    shipped = [path.relative_to(ROOT).as_posix() for path in RECIPES.glob("*.yaml")]
    assert shipped
    for path in [*shipped, "recipes/a.yml", "models/recipes/deep/b.yaml"]:
        assert re.search(hook["files"], path), path
    for path in ["docs/a.yaml", "recipes/data.npz", "myrecipes/a.yaml", "recipes/README.md"]:
        assert not re.search(hook["files"], path), path


def test_the_page_uses_hooks_that_there_are() -> None:
    configured = [block["repos"][0] for block in YAML_BLOCKS if block and "repos" in block]
    assert len(configured) == 2
    for repository in configured:
        used = [hook["id"] for hook in repository["hooks"]]
        assert sorted(used) == sorted(hook["id"] for hook in HOOKS)


def test_the_line_of_the_page_is_what_recipes_begin_with() -> None:
    (line,) = re.findall(r"^# yaml-language-server: \$schema=", PAGE, re.M)
    for path in RECIPES.glob("*.yaml"):
        assert path.read_text("utf-8").startswith(line)
