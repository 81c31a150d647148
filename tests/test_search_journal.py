"""The journal: whatever is cut off its end, what is left is read and goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmgraph.tuning.search.errors import SearchError
from lstmgraph.tuning.search.journal import Journal, read_journal

if TYPE_CHECKING:
    from pathlib import Path


def started(trial: int) -> dict[str, Any]:
    return {
        "event": "started", "trial": trial, "proposed": {"a": 'für\n"ü"'}, "values": {"a": 0.1},
        "thresholds": [], "started": "", "at": 0.5,
    }  # fmt: skip


EVENTS = [started(trial) for trial in range(4)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "search.jsonl"


@pytest.mark.slow
@given(st.data())
def test_a_torn_line_is_dropped_and_the_rest_goes_on(path: Path, data: st.DataObject) -> None:
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for event in EVENTS:
            journal.append(event)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    left = whole[:cut].count(b"\n")
    assert read_journal(path, ()) == EVENTS[:left]
    with Journal(path) as journal:
        journal.append(started(left))
    assert read_journal(path, ()) == [*EVENTS[:left], started(left)]


def test_no_journal_yet(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "search.jsonl", ()) == []


@pytest.mark.parametrize("line", ["{", "[1]", '{"a": 1}', "\x00"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "search.jsonl"
    path.write_text(f"{json.dumps(EVENTS[0])}\n{line}\n{json.dumps(EVENTS[1])}\n", "utf-8")
    with pytest.raises(SearchError, match=r"search\.jsonl:2: .*no search wrote this"):
        read_journal(path, ())
