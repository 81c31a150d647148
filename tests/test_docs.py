"""The README and the pages under docs/ are run: what they say is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import run_program
from typer.testing import CliRunner

import lstmgraph
import lstmgraph.api
from lstmgraph.cli import app
from lstmgraph.compiler.machine.machine import Machine

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


WHOLE_RECIPES = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in PAGES
    if page.stem not in ("errors", "composition")  # test_compose has the files of the second
    for index, block in enumerate(blocks(page, "yaml"))
    if re.search(r"^recipe: 1", block, re.M)
]
PYTHON_BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in PAGES
    for index, block in enumerate(blocks(page, "python"))
]
LANGUAGE_PAGE = ROOT / "docs" / "language.md"
FRAGMENTS = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in (LANGUAGE_PAGE, ROOT / "docs" / "forms.md", ROOT / "docs" / "search.md")
    for index, block in enumerate(blocks(page, "yaml"))
    if block.startswith("layers:")
]


@pytest.mark.parametrize("text", WHOLE_RECIPES)
def test_a_documented_recipe_is_right(text: str) -> None:
    lstmgraph.load(text).explain()


@pytest.mark.parametrize("text", FRAGMENTS)
def test_a_documented_fragment_is_right(text: str) -> None:
    """Fragments stand on the inputs of the page, and give all that nothing else reads."""
    lstmgraph.load(completed_fragment(text)).explain()


def completed_fragment(text: str) -> str:
    inputs = next(b for b in blocks(LANGUAGE_PAGE, "yaml") if b.startswith("inputs:"))
    fragment: dict[str, Any] = yaml.safe_load(text)
    body = yaml.safe_dump(fragment)
    declared = {
        name: tensor
        for name, tensor in yaml.safe_load(inputs)["inputs"].items()
        if re.search(rf"\b{name}\b", body)
    }
    unread = [
        f"{name}.sequence" if layer.get("residual") or layer.get("normalization") else name
        for name, layer in fragment["layers"].items()
        if len(re.findall(rf"\b{name}\b", body)) == 1
    ]
    recipe = {
        "recipe": 1,
        "name": "fragment",
        "inputs": declared,
        "outputs": {port.partition(".")[0]: port for port in unread},
        **fragment,
    }
    return yaml.safe_dump(recipe, sort_keys=False)


@pytest.mark.slow
@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_documented_python_runs(code: str, tmp_path: Path) -> None:
    """And prints what stands beside each ``print``, in this order."""
    printed = iter(run_program(code, ROOT, tmp_path).splitlines())
    for claim in re.findall(r"^print\(.*\)  +# (?!the |what )(.*?)(?:: .*)?$", code, re.M):
        assert claim in printed, f"{claim}: not printed, or before the claims above it"


def test_documented_python_has_no_calls_that_are_commented_out() -> None:
    """They would be documented, and not run."""
    for block in PYTHON_BLOCKS:
        (code,) = block.values
        found = re.findall(r"^\s*# *[\w.]+(?: = [\w.]+)?\(.*|^\s*# *\w[\w.]* = .*", code, re.M)
        assert not found, block.id


def test_readme_shows_the_recipe_that_is_shipped() -> None:
    shipped = (ROOT / "recipes" / "store-forecaster.yaml").read_text("utf-8")
    assert shipped in blocks(ROOT / "README.md", "yaml")


@pytest.mark.parametrize(
    "command",
    ["explain recipes/store-forecaster.yaml", "validate docs/examples/mistakes.yaml"],
)
def test_readme_shows_what_the_command_prints(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(lstmgraph.api, "this_machine", Machine)  # one without a GPU
    result = CliRunner().invoke(app, command.split())
    shown = [block.strip() for block in blocks(ROOT / "README.md", "text")]
    assert result.output.strip() in shown, f"README.md should show:\n{result.output}"


def test_the_page_on_checking_shows_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    page = ROOT / "docs" / "checking.md"
    command = blocks(page, "sh")[0].strip().removeprefix("lstmgraph ")
    result = CliRunner().invoke(app, command.split())
    assert result.output == blocks(page, "text")[0]


def test_readme_picture_has_every_call() -> None:
    (image,) = re.findall(r"^!\[.*?\]\((.*?)\)$", (ROOT / "README.md").read_text("utf-8"), re.M)
    picture = (ROOT / image).read_text("utf-8")
    explanation = lstmgraph.load(ROOT / "recipes" / "store-forecaster.yaml").explain()
    for row in [*explanation.inputs, *explanation.layers]:
        assert re.search(rf"\b{row.name}\b", picture), row.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_schema_reference_is_current() -> None:
    process = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_json_page_names_every_key_of_explain() -> None:
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    explanation = lstmgraph.load(ROOT / "recipes" / "store-forecaster.yaml").explain().as_dict()
    keys = {*explanation, *explanation["layers"][0], *explanation["totals"]}
    assert not {key for key in keys if f"`{key}`" not in page}
