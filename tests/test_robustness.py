"""Short runs of tests/fuzz.py, and how the work of checking grows with a recipe."""

from __future__ import annotations

import cProfile
import pstats

import fuzz
import pytest

import lstmgraph
from benchmarks.by_recipe import chain_text


# The alarm of the time limit can ring in a callback of the collector, which raises nothing.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_changed_bytes_are_refused_and_nothing_else() -> None:
    found = fuzz.run(seconds=60, seed=4, executions=500)
    # Of hangs the script says more: here a busy machine could look like one.
    failures = [each.text for each in found.failures if "HangError" not in each.text]
    assert failures == []
    assert found.executions == 500
    assert len(found.outcomes) > 15


def test_the_fuzzer_sees_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "compile_document", crashes)
    assert "ZeroDivisionError" in fuzz.checked(b"recipe: 1\n").trace


def calls(layers: int) -> int:
    """How many functions are called to check a chain of so many layers, with a derived model."""
    text = f"{chain_text(layers)}\nmodels: {{step: {{derive: step}}}}\n"
    profile = cProfile.Profile()
    profile.runcall(lstmgraph.load, text)
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


@pytest.mark.slow
def test_work_grows_with_the_layers_and_no_faster() -> None:
    """Counted in calls, so that no clock has a say."""
    calls(1)
    small, large = calls(100), calls(400)
    assert large < 4.1 * small
