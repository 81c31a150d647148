"""What commands write takes the place of a link, and does not go through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from training_cases import recipe
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.files import atomic_folder

if TYPE_CHECKING:
    from pathlib import Path

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WRITING = {
    "graph": ("graph small.yaml -o out/a.svg", ["a.svg"]),
    "init": (
        "init --task forecast --features 2 --horizon 2 --yes -o out/a.yaml",
        ["a.yaml", "lstmgraph.schema.json"],
    ),
    "build": (
        "build small.yaml -o out",
        ["small.keras", "small.config.json", "small.resolved.yaml"],
    ),
    "transfer": ("transfer from.keras small.yaml -o out/a.keras", ["a.keras"]),
    "export keras": ("export small.yaml --format keras -o out", ["small.keras"]),
    "export onnx": ("export small.yaml --format onnx -o out", ["small.onnx"]),
    "export saved_model": ("export small.yaml --format saved_model -o out", ["small.saved_model"]),
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("name", WRITING)
def test_links_are_replaced(
    name: str, dangling: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = recipe()
    (tmp_path / "small.yaml").write_text(small.resolved())
    if name == "transfer":
        small.save(small.build(), tmp_path / "from.keras")
    arguments, files = WRITING[name]
    (tmp_path / "out").mkdir()
    outside = tmp_path / "outside"
    if not dangling:
        outside.write_text("precious")
    for file in files:
        (tmp_path / "out" / file).symlink_to(outside)
    result = CliRunner().invoke(app, [*arguments.split(), "--force"])
    assert result.exit_code == 0, result.output
    assert outside.exists() is not dangling
    assert dangling or outside.read_text() == "precious"
    assert names(tmp_path / "out") == sorted(files)
    assert not any((tmp_path / "out" / file).is_symlink() for file in files)


@pytest.mark.slow
def test_a_folder_takes_the_place_of_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").touch()
    (tmp_path / "a").symlink_to(tmp_path / "outside")
    with atomic_folder(tmp_path / "a") as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["a", "outside"]
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "outside" / "mine").exists()


@pytest.mark.slow
def test_formatting_changes_the_recipe_that_a_link_leads_to(tmp_path: Path) -> None:
    """The user names the link; a recipe that is kept elsewhere stays one file."""
    (tmp_path / "kept").write_text("name: a\nrecipe: 1\n")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "kept")
    result = CliRunner().invoke(app, ["fmt", str(tmp_path / "a.yaml")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "kept").read_text() == "recipe: 1\nname: a\n"
