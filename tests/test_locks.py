"""One process to a folder, and systems without locks."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from search_trials import SPACE

from lstmgraph.locks import LockedError, file_lock, is_locked
from lstmgraph.tuning.search.engine import run_search
from lstmgraph.tuning.search.jobs import RunOptions, SearchJob

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_LOCKS = """
import sys
sys.modules["fcntl"] = None
from lstmgraph.cli import main
sys.argv[0] = "lstmgraph"
main()
"""


def test_a_lock_is_held_by_one_and_free_after_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path), path.open("rb") as file:
        assert is_locked(file.fileno())
        with pytest.raises(LockedError), file_lock(path):
            pass
    with path.open("rb") as file:
        assert not is_locked(file.fileno())
    with file_lock(path):
        pass


@pytest.mark.slow
def test_a_report_is_written_where_the_system_has_no_locks(tmp_path: Path) -> None:
    job = SearchJob("demo", SPACE, {"type": "random"}, "search_trials:arithmetic", seed=3)
    run_search(job, RunOptions(max_trials=2, preload=()), tmp_path)
    command = [sys.executable, "-c", WITHOUT_LOCKS, "report", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report.html").exists()
