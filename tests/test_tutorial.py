"""docs/tutorial-forecast.md: its commands as they stand there, beside the same job by hand."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial-forecast.md").read_text("utf-8")
SCRIPT = ROOT / "benchmarks" / "flights_by_hand.py"
COMMANDS = re.findall(r"^lstmgraph (.*)$", PAGE, re.M)


@dataclass(frozen=True)
class Done:
    """The folder in which the commands of the page were run, and what each printed."""

    folder: Path
    printed: dict[str, str]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """The commands are run in order; training is one short epoch, not a minute."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "recipes" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "recipes" / "data" / "flights.csv", folder / "recipes" / "data")
    printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in COMMANDS:
            arguments = line.split("  #")[0].split()
            short = (
                ["--epochs", "1", "--set", "training.batch_size=512"]
                if arguments[0] == "train"
                else []
            )
            result = CliRunner().invoke(app, [*arguments, *short])
            assert result.exit_code == 0, f"{line}\n{result.output}"
            printed[line] = result.stdout
        yield Done(folder, printed)


@pytest.mark.slow
def test_the_page_shows_the_recipe_and_what_the_commands_print(done: Done) -> None:
    recipe = (done.folder / "flights.yaml").read_text("utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M)
    assert shown.strip() in recipe
    blocks = [block.strip() for block in re.findall(r"^```text\n(.*?)^```", PAGE, re.S | re.M)]
    for line, text in done.printed.items():
        if line.split()[0] in ("init", "data"):
            assert text.strip() in blocks, f"{line} prints:\n{text}"


@pytest.fixture(scope="module")
def by_hand(done: Done) -> dict[str, Any]:
    """The names of the script, which has not trained."""
    argv = ["", str(done.folder / "recipes/data/flights.csv"), str(done.folder / "hand.csv"), "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        return runpy.run_path(str(SCRIPT))


@pytest.mark.slow
def test_the_fitted_numbers_are_those_of_scikit_learn(done: Done, by_hand: dict[str, Any]) -> None:
    resolved = yaml.safe_load((done.folder / "runs/flights/flights.resolved.yaml").read_text())
    scaler = by_hand["scaler"]
    np.testing.assert_allclose(
        resolved["data"]["columns"]["flights"]["fitted"],
        [scaler.mean_[0], scaler.scale_[0]],
        rtol=1e-6,
    )


@pytest.mark.slow
def test_the_model_by_hand_has_the_same_test_error_with_the_same_weights(
    done: Done, by_hand: dict[str, Any]
) -> None:
    """So windows, parts, rows put in, calendar and scales are the same, and so is the model."""
    trained = lstmgraph.load_model(done.folder / "runs/flights/flights.keras")
    weights = [trained.get_layer(name).get_weights() for name in ("encoder", "decoder", "change")]
    by_hand["model"].set_weights([array for layer in weights for array in layer])
    actual = by_hand["data"]["test"][3]
    forecast = by_hand["forecast"](by_hand["inputs"]["test"])
    test = (
        lstmgraph.load(done.folder / "flights.yaml")
        .load_data(done.folder / "recipes/data/flights.csv")
        .test
    )
    assert test is not None
    ((inputs, targets),) = test.as_keras(512).dataset
    np.testing.assert_array_equal(np.asarray(targets["forecast"])[..., None], actual)
    # By hand, intervals are not calibrated.
    resolved = lstmgraph.load(done.folder / "runs/flights/flights.resolved.yaml")
    raw = resolved.with_overrides({"training.intervals": {"forecast": {"season": 0}}}).build()
    raw.set_weights(trained.get_weights())
    ours = np.asarray(raw.predict(inputs, verbose=0)["forecast"])[..., 2:3]
    np.testing.assert_allclose(ours, forecast, rtol=1e-4, atol=1e-3)
    error = np.abs(ours - actual).mean()
    np.testing.assert_allclose(error, np.abs(forecast - actual).mean(), rtol=1e-5)


def test_the_page_counts_the_lines_of_the_script() -> None:
    """Those with code: a statement over several lines counts as these, docstrings do not."""
    tree = ast.parse(SCRIPT.read_text("utf-8"))
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = SCRIPT.read_text("utf-8").splitlines()
    code = [
        line
        for number, line in enumerate(lines, 1)
        if number not in docstrings and line.strip() and not line.strip().startswith("#")
    ]
    assert f"{len(code)} lines" in PAGE
