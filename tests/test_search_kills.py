"""``kill -9``: a search that was killed ends with what an uninterrupted one finds.

``python -m benchmarks kills`` does it twenty times for each oracle.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest
from searching import ORACLES, TRIALS, Searcher, findings, run_with_kills, weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = int(os.environ.get("LSTMGRAPH_KILLS", "3"))


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with Searcher(tmp_path_factory.mktemp("searcher")) as searcher:
        yield searcher


@pytest.mark.parametrize("oracle", ORACLES)
def test_kills_lose_nothing_and_repeat_nothing(
    searcher: Searcher, tmp_path: Path, oracle: str
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    assert searcher.run(whole, oracle).exit_code == 0
    seconds = time.monotonic() - began
    chance = random.Random(f"{oracle}{KILLS}")
    moments = [chance.uniform(0.0, seconds) for _ in range(KILLS)]
    run_with_kills(searcher, killed, oracle, moments)
    assert findings(killed) == findings(whole)
    assert weights(killed) == weights(whole)
    assert len(findings(whole)) == TRIALS[oracle]
    journal = (killed / "search.jsonl").read_text("utf-8")
    for number in range(TRIALS[oracle]):
        assert journal.count(f'"event":"ended","trial":{number},') == 1, "ended twice"
