"""The wheel holds all that is needed: installed elsewhere, it builds a recipe that it carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    process = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_schemas_and_recipes_and_no_generators(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lstmgraph/schemas/recipe-1.schema.json" in names
    assert "lstmgraph/schemas/keras-3.schema.json" in names
    assert "lstmgraph/recipes/speaker-classifier.yaml" in names
    assert "lstmgraph/recipes/data/japanese_vowels.npz" in names
    assert "lstmgraph/recipes/data/README.md" in names
    assert "lstmgraph/py.typed" in names
    assert "lstmgraph/search/report/report.css" in names
    assert "lstmgraph/search/report/report.js" in names
    assert not [n for n in names if n.endswith(".py") and not n.startswith("lstmgraph/")]
    assert not [n for n in names if "generate" in n]


def test_installed_wheel_builds_a_packaged_recipe(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment, outside of the checkout, with what the wheel asks for and no more."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    bin_folder = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(bin_folder / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    script = "import lstmgraph; print(lstmgraph.packaged_recipe('speaker-classifier'))"
    recipe = run(bin_folder / "python", "-c", script, cwd=tmp_path).strip()
    assert str(tmp_path) in recipe
    printed = run(bin_folder / "lstmgraph", "build", recipe, "-o", "models", cwd=tmp_path)
    assert "46,109 parameters" in printed
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        "speaker-classifier.config.json",
        "speaker-classifier.keras",
        "speaker-classifier.resolved.yaml",
    ]
    run(bin_folder / "python", "-c", "import keras_tuner", cwd=tmp_path)
