"""docs/forms.md: what a recipe cannot say is refused, and what it can say instead is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from building import batch_for, outputs_of, with_header
from test_docs import completed_fragment

import lstmgraph
from lstmgraph.messages.errors import RecipeError

PAGE = (Path(__file__).parent.parent / "docs" / "forms.md").read_text("utf-8")
SECTIONS = dict(
    part.split("\n", 1) for part in PAGE.split("## What a recipe cannot say")[1].split("\n### ")[1:]
)
"""By its title, the text of each form that cannot be had."""
REFUSED = {
    "A conditional random field": ("type: crf, input: x", "L205"),
    "A loss of several outputs": ("type: dense, input: x, units: 2, losses: [x]", "L203"),
    "A random code": ("type: sampling, input: x", "L205"),
    "A layer or a cell of one's own": ("type: lambda, input: x", "L210"),
    "Peepholes, projections and zoneout": ("type: lstm, input: x, units: 2, zoneout: 0.1", "L203"),
}
"""What somebody might write for it, and the code of the refusal."""


@pytest.mark.parametrize("title", SECTIONS)
def test_a_form_that_cannot_be_had_says_why_and_gives_a_way(title: str) -> None:
    """Each way is a correct recipe without warnings, whose model runs."""
    text = SECTIONS[title]
    assert re.match(r"\n\*.+?\*+\s", text, re.S), "what it is, in italics"
    ways = re.findall(r"```yaml\n(.*?)```", text, re.S)
    assert ways
    for way in ways:
        recipe = lstmgraph.load(completed_fragment(way))
        model = recipe.build()
        outputs = outputs_of(model, batch_for(model))
        assert all(np.isfinite(output).all() for output in outputs.values())
        assert {found.code for found in recipe.warnings} <= set(
            re.findall(r"ignore\[(W\d+)\]", way)
        )


@pytest.mark.parametrize("title", SECTIONS)
def test_the_form_itself_is_refused_with_a_hint(title: str) -> None:
    layer, code = REFUSED[title]
    text = f"""
inputs: {{x: {{shape: [time, 3]}}}}
layers: {{y: {{{layer}}}}}
outputs: {{y: y}}
"""
    with pytest.raises(RecipeError) as caught:
        lstmgraph.load(with_header(text))
    (found,) = caught.value.diagnostics
    assert (found.code, bool(found.hint)) == (code, True)
