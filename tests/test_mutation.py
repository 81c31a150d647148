"""Random edits of the shipped recipes: the answer is a report at the edit, and never a traceback.

``python tests/mutation.py`` runs some thousands, and builds in Keras what is accepted.
"""

import pytest
from mutation import ACCEPTED, AT_LINE, CRASHED, NEAR, build_failure, share, table, verdict
from mutations import Edit, edits, source, sources

COUNT = 600


@pytest.mark.slow
def test_edited_recipes_are_reported_where_they_were_edited() -> None:
    verdicts = [verdict(edit) for edit in edits(COUNT, seed=20)]
    crashed = [each.crash for each in verdicts if each.outcome == CRASHED]
    assert crashed == []
    assert sum(each.outcome != ACCEPTED for each in verdicts) > COUNT / 2
    assert share(verdicts, AT_LINE) >= 0.93, table(verdicts)  # of 5000 it is 95.8 %
    assert share(verdicts, AT_LINE, NEAR) >= 0.98, table(verdicts)


@pytest.mark.slow
def test_accepted_edits_are_what_keras_builds() -> None:
    accepted = {
        each.edit.text: each.edit.says
        for each in map(verdict, edits(60, seed=3, of=sources()[:4]))
        if each.outcome == ACCEPTED
    }
    assert len(accepted) >= 4
    for text in list(accepted)[:4]:
        assert build_failure(text) == "", accepted[text]


@pytest.mark.slow
def test_recipes_without_one_of_their_lines_are_reported() -> None:
    for recipe in sources():
        lines = recipe.text.splitlines(keepends=True)
        for index in range(len(lines)):
            without = "".join(lines[:index] + lines[index + 1 :])
            nothing = frozenset[int]()
            outcome = verdict(Edit("drop a line", without, nothing, nothing, ""))
            assert outcome.outcome != CRASHED, outcome.crash


SMALL = """\
recipe: 1
name: small
inputs:
  x: {shape: [time, 2]}
layers:
  y:
    type: lstm
    input: x
    units: 3
outputs: {y: y}
"""


def test_edits_know_their_lines() -> None:
    """By hand: an edit of line 9 touches line 9; dropping line 8 joins 7 and 9, below line 6."""
    small = source("small", SMALL)
    found = {(edit.kind, edit.says): edit for edit in edits(400, seed=1, of=[small])}
    dropped = found["drop a key", "small: layers.y.input"]
    assert dropped.text == SMALL.replace("    input: x\n", "")
    assert dropped.lines == {6, 7, 8}
    renamed = next(e for (kind, _), e in found.items() if kind == "rename an input or a layer")
    assert renamed.lines <= {4, 6}
    assert renamed.near & {8, 10}
    number = next(e for (kind, says), e in found.items() if "y.units: 3 ->" in says)
    assert number.lines == {9}
    assert len(number.text.splitlines()) == 10
