"""docs/tutorial-texts.md: its commands as they stand there, on a training of two short epochs."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lstmgraph.cli import app

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial-texts.md").read_text("utf-8")
COMMANDS = re.findall(r"^lstmgraph (.*)$", PAGE, re.M)
TABLE = ROOT / "recipes" / "data" / "reviews.csv"


def blocks(kind: str) -> list[str]:
    return [each.strip() for each in re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.S | re.M)]


@pytest.mark.slow
def test_the_commands_of_the_page_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes" / "data").mkdir(parents=True)
    shutil.copy(TABLE, tmp_path / "recipes" / "data")
    shown, new = blocks("csv")
    assert TABLE.read_text("utf-8").startswith(shown)
    (tmp_path / "new.csv").write_text(new + "\n", "utf-8")
    printed = {}
    for line in COMMANDS:
        arguments = line.split("  #")[0].split()
        short = ["--epochs", "2"] if arguments[0] == "train" else []
        result = CliRunner().invoke(app, [*arguments, *short])
        assert result.exit_code == 0, f"{line}\n{result.output}"
        printed[arguments[0]] = result.stdout
    recipe = (tmp_path / "reviews.yaml").read_text("utf-8")
    for part in blocks("yaml"):
        assert part in recipe
    assert "#   id: nearly every row has a text of its own" in recipe
    texts = blocks("text")
    assert printed["data"].strip() in texts
    # Of the numbers of a whole training only the form, and what does not depend on it.
    assert texts[2].splitlines()[-1].split() in [
        line.split() for line in printed["evaluate"].splitlines()
    ]
    report = (tmp_path / "report.html").read_text("utf-8")
    assert all(name in report for name in ("bad", "good", "mixed"))
    with (tmp_path / "opinions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == texts[3].splitlines()[0]
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    for row in rows:
        chances = {name: float(row[f"opinion_{name}"]) for name in ("bad", "good", "mixed")}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert row["opinion_predicted"] == max(chances, key=chances.__getitem__)
