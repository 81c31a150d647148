"""Some thousands of random edits of the shipped recipes: what is reported, and where.

    python tests/mutation.py --count 5000 --seed 1 --build 500

prints a table: of each kind of edit how many were reported, at the edited line, near it, or
elsewhere, and how many are still right. Those are built in Keras, run on a batch of two, and
compared with what ``explain`` says, all in this process.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mutations import Edit, edits

import lstmgraph
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.messages.diagnostics import Diagnostic

ACCEPTED, AT_LINE, NEAR, ELSEWHERE, CRASHED = "accepted", "line", "near", "elsewhere", "crashed"


@dataclass(frozen=True)
class Verdict:
    """What became of an edit."""

    edit: Edit
    outcome: str
    first: Diagnostic | None = None
    crash: str = ""

    def __str__(self) -> str:
        said = self.crash
        if self.first:
            line = self.first.place.span.line
            said = f"line {line}: {self.first.code} {self.first.message}"
        lines = ", ".join(map(str, sorted(self.edit.lines)))
        return f"{self.edit.kind} on line {lines} ({self.edit.says}): {self.outcome}: {said}"


def verdict(edit: Edit) -> Verdict:
    """Check the edited recipe. Anything but RecipeError is a crash."""
    try:
        lstmgraph.load(edit.text)
    except RecipeError as error:
        first = error.diagnostics[0]
        return Verdict(edit, _where(edit, first), first)
    except Exception:
        return Verdict(edit, CRASHED, crash=traceback.format_exc())
    return Verdict(edit, ACCEPTED)


def _where(edit: Edit, first: Diagnostic) -> str:
    """By the lines that the message shows: its own, and those of its notes."""
    span = first.place.span
    lines = set(range(span.line, span.end_line + 1))
    lines |= {note.place.span.line for note in first.notes}
    if lines & edit.lines:
        return AT_LINE
    return NEAR if lines & edit.near else ELSEWHERE


def share(verdicts: Iterable[Verdict], *where: str) -> float:
    """Of the edits that are reported, those whose first message is `where`: AT_LINE, NEAR."""
    counts = Counter(each.outcome for each in verdicts if each.outcome != ACCEPTED)
    return sum(counts[each] for each in where) / max(1, counts.total())


def table(verdicts: Iterable[Verdict]) -> str:
    """The figures as Markdown."""
    verdicts = list(verdicts)
    columns = (AT_LINE, NEAR, ELSEWHERE, CRASHED, ACCEPTED)
    rows = ["| edit | edits | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 2) + "|"]
    for kind in [*dict.fromkeys(each.edit.kind for each in verdicts), "all"]:
        outcomes = Counter(e.outcome for e in verdicts if kind in (e.edit.kind, "all"))
        cells = [sum(outcomes.values()), *(outcomes[column] for column in columns)]
        rows.append(f"| {kind} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def build_failure(text: str) -> str:
    """What Keras has against a recipe that the checks let through; nothing where it agrees."""
    import keras
    from test_inference import check_against_keras, compiled

    keras.backend.clear_session()
    try:
        check_against_keras(compiled(text))
    except Exception:
        return traceback.format_exc()
    return ""


def main() -> int:
    """Print the figures; 1 where a recipe crashed, or was accepted and should not have been."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=int, default=0, help="accepted recipes to build in Keras")
    parser.add_argument("--misses", action="store_true", help="list those reported elsewhere")
    chosen = parser.parse_args()
    start = time.process_time()
    verdicts = [verdict(edit) for edit in edits(chosen.count, chosen.seed)]
    seconds = time.process_time() - start
    print(table(verdicts))
    print(f"{share(verdicts, AT_LINE):.1%} at an edited line, {share(verdicts, AT_LINE, NEAR):.1%}")
    print(f"there or near it; {seconds:.0f} s of processor time")
    shown = (CRASHED, ELSEWHERE) if chosen.misses else (CRASHED,)
    for each in verdicts:
        if each.outcome in shown:
            print(each)
    crashed = any(each.outcome == CRASHED for each in verdicts)
    accepted = {each.edit.text: each for each in verdicts if each.outcome == ACCEPTED}
    failed = _build(list(accepted.values())[: chosen.build]) if chosen.build else 0
    return int(bool(crashed or failed))


def _build(accepted: list[Verdict]) -> int:
    failed = 0
    for number, each in enumerate(accepted, start=1):
        failure = build_failure(each.edit.text)
        failed += bool(failure)
        if failure:
            print(f"--- {each}\n{failure}", flush=True)
        elif number % 50 == 0:
            print(f"{number} built, {failed} failed", file=sys.stderr, flush=True)
    print(f"{len(accepted)} accepted recipes built in Keras, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
