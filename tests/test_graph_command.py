"""``lstmgraph graph``: where a picture goes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.cli import app

ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "recipes" / "number-words.yaml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["graph", *map(str, arguments)])


def test_without_a_file_it_is_printed() -> None:
    recipe = lstmgraph.load(RECIPE)
    assert run(RECIPE).stdout == recipe.graph("mermaid")
    assert run(RECIPE, "--format", "dot").stdout == recipe.graph("dot")
    dark = run(RECIPE, "--format", "svg", "--theme", "dark", "--model", "step")
    assert dark.stdout == recipe.graph("svg", theme="dark", model="step")
    assert "(batch, digits, 32)" in run(RECIPE, "--set", "layers.digit.output_dim=32").stdout


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.svg", "svg"), ("a.mmd", "mermaid"), ("a.dot", "dot"), ("new/a.gv", "dot")],
)
def test_the_ending_says_the_format(name: str, language: str, tmp_path: Path) -> None:
    result = run(RECIPE, "-o", tmp_path / name)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"wrote {tmp_path / name}\n"
    assert (tmp_path / name).read_text("utf-8") == lstmgraph.load(RECIPE).graph(language)
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_markdown_has_a_fenced_block(tmp_path: Path) -> None:
    assert run(RECIPE, "-o", tmp_path / "a.md").exit_code == 0
    text = (tmp_path / "a.md").read_text("utf-8")
    assert text == f"```mermaid\n{lstmgraph.load(RECIPE).graph('mermaid')}```\n"


def test_another_ending_needs_the_format(tmp_path: Path) -> None:
    result = run(RECIPE, "-o", tmp_path / "a.txt")
    assert result.exit_code == 2
    assert "ends in none of .svg, .mmd, .md, .dot, .gv; add --to" in result.stderr
    assert run(RECIPE, "-o", tmp_path / "a.txt", "--format", "dot").exit_code == 0
    assert (tmp_path / "a.txt").read_text("utf-8").startswith("digraph")


def test_an_ending_of_another_format_is_refused(tmp_path: Path) -> None:
    result = run(RECIPE, "-o", tmp_path / "a.svg", "--format", "dot")
    assert result.exit_code == 2
    assert "would not be a file of format dot" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_is_overwritten_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("mine")
    result = run(RECIPE, "-o", path)
    assert result.exit_code == 2
    assert "would be overwritten; add --force" in result.stderr
    assert path.read_text() == "mine"
    assert run(RECIPE, "-o", path, "--force").exit_code == 0
    assert path.read_text("utf-8").startswith("<svg")


def test_what_is_wrong_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    unknown = run(RECIPE, "-o", path, "--model", "stepp")
    assert unknown.exit_code == 2
    assert (
        "no further model 'stepp'; did you mean 'step'? There are: step, step.start"
        in unknown.stderr
    )
    none = run(RECIPE.with_name("unrolled.yaml"), "-o", path, "--model", "step")
    assert "there is no model 'step': the recipe has no further models" in none.stderr
    wrong = run(RECIPE, "-o", path, "--set", "layers.next.units=none")
    assert wrong.exit_code == 1
    assert "error[" in wrong.stderr
    assert run(tmp_path / "no.yaml", "-o", path).exit_code == 2
    assert not list(tmp_path.iterdir())
