"""``kill -9``: a search that was killed ends with what an uninterrupted one finds.

``LSTMGRAPH_KILLS=20`` kills each search twenty times instead of three.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from searching import ORACLES, PATIENCE, TRIALS, Searcher, findings, run_with_kills, weights

from lstmgraph.tuning.search.lock import is_locked
from lstmgraph.tuning.search.reading import read_results
from lstmgraph.tuning.search.trial_server import RAISED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = int(os.environ.get("LSTMGRAPH_KILLS", "3"))


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    with Searcher(tmp_path_factory.mktemp("searcher")) as searcher:
        yield searcher


@pytest.mark.slow
@pytest.mark.parametrize("oracle", ORACLES)
def test_kills_lose_nothing_and_repeat_nothing(
    searcher: Searcher, tmp_path: Path, oracle: str
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    payload = {"sleep": 0.02 * KILLS}  # long enough that the last kill meets a search, too
    began = time.monotonic()
    assert searcher.run(whole, oracle, payload=payload).exit_code == 0
    search = read_results(whole).settings["search_seconds"]
    start = time.monotonic() - began - search
    chance = random.Random(f"{oracle}{KILLS}")
    moments = [chance.uniform(start / 2, start + 2 * search / KILLS) for _ in range(KILLS)]
    run_with_kills(searcher, killed, oracle, moments, payload=payload)
    assert findings(killed) == findings(whole)
    assert weights(killed) == weights(whole)
    assert len(findings(whole)) == TRIALS[oracle]
    journal = (killed / "search.jsonl").read_text("utf-8")
    for number in range(TRIALS[oracle]):
        assert journal.count(f'"event":"ended","trial":{number},') == 1, "ended twice"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_its_search(
    searcher: Searcher, tmp_path: Path, stop: signal.Signals
) -> None:
    """The children hold the folder's lock for as long as they live."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = {"max_trials": 4, "workers": 2}
    assert searcher.run(whole, "random", options=options).exit_code == 0
    number = searcher.start(stopped, "random", options=options, payload={"sleep": 600.0})
    journal = stopped / "search.jsonl"
    deadline = time.monotonic() + PATIENCE
    while not journal.exists() or journal.read_text("utf-8").count('"event":"started"') < 2:
        assert time.monotonic() < deadline
        assert not searcher.workers.wait(0.05)
    pid = searcher.workers.children[number].pid
    assert pid is not None
    os.kill(pid, stop)
    (ending,) = searcher.workers.wait(PATIENCE)
    assert ending.exit_code == (RAISED if stop == signal.SIGINT else -stop)
    if stop == signal.SIGINT:
        assert not is_locked(stopped), "Ctrl-C waits for the children's end"
    while is_locked(stopped):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [row["status"] for row in findings(stopped)] == ["running"] * 2
    again = searcher.run(stopped, "random", options=options)
    assert again.exit_code == 0
    assert findings(stopped) == findings(whole)
