"""The wheel holds all that is needed: installed elsewhere, it explains a recipe that it carries."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    process = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_schemas_and_recipes_and_no_generators(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lstmgraph/schemas/recipe-1.schema.json" in names
    assert "lstmgraph/schemas/recipe-1.editor.schema.json" in names
    assert "lstmgraph/schemas/keras-3.schema.json" in names
    assert "lstmgraph/docs/errors.md" in names
    assert "lstmgraph/recipes/speaker-classifier.yaml" in names
    assert "lstmgraph/presets/classification.yaml" in names
    assert "lstmgraph/recipes/data/japanese_vowels.npz" in names
    assert "lstmgraph/recipes/data/README.md" in names
    assert "lstmgraph/py.typed" in names
    assert "lstmgraph/explain/charts/page.css" in names
    assert "lstmgraph/tuning/report/report.js" in names
    assert not [n for n in names if n.endswith(".py") and not n.startswith("lstmgraph/")]
    assert not [n for n in names if n.startswith("lstmgraph/schemas/") and n.endswith(".py")]


@pytest.mark.slow
def test_installed_wheel_explains_a_packaged_recipe(wheel: Path, tmp_path: Path) -> None:
    """Outside of the checkout. What the wheel asks for, and builds, is held by .ci/run."""
    site = tmp_path / "site"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--target", site)
    run(sys.executable, *install, wheel, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    script = "import lstmgraph; print(lstmgraph.packaged_recipe('speaker-classifier'))"
    recipe = run(sys.executable, "-c", script, cwd=tmp_path, env=environment).strip()
    assert recipe.startswith(str(site))
    command = (sys.executable, "-c", "from lstmgraph.cli import main; main()")
    explained = run(*command, "explain-code", "L203", cwd=tmp_path, env=environment)
    assert explained.startswith("L203: an unknown key\n")
    shown = run(*command, "explain", recipe, cwd=tmp_path, env=environment)
    assert "46,109 parameters" in shown
