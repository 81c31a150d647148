"""docs/data.md: what the command prints, and every `data:` of the page in a recipe that it fits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from test_docs import ROOT, blocks
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.language.text.document import parse_document

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Path = ROOT / "docs" / "data.md"
WHOLE, *PARTS = blocks(PAGE, "yaml")

FITTING: dict[str, str] = {
    "calendar:": WHOLE,
    "history: series": """
recipe: 1
name: utterances
inputs: {frames: {shape: [time, 2]}, lengths: {shape: [], dtype: int32}}
layers:
  voice: {type: lstm, input: frames, units: 4, mask: {lengths: lengths}}
  speaker: {type: dense, input: voice, units: 9, activation: softmax}
outputs: {speaker: speaker}
training: {loss: sparse_categorical_crossentropy}
""",
    "features:": """
recipe: 1
name: prices
inputs: {features: {shape: [2]}}
layers: {price: {type: dense, input: features, units: 1}}
outputs: {price: price}
training: {loss: mse}
""",
    "  columns:": """
recipe: 1
name: sales
inputs: {history: {shape: [time, 2]}}
layers:
  encoder: {type: lstm, input: history, units: 4}
  forecast: {type: dense, input: encoder, units: 24}
outputs: {forecast: forecast}
training: {loss: mse}
""",
}
"""A recipe for each `data:` of the page that does not stand in the page's own."""


def test_the_command_prints_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (command,) = blocks(PAGE, "sh")
    result = CliRunner().invoke(app, command.split()[1:])
    (shown,) = blocks(PAGE, "text")
    assert result.stdout == shown


@pytest.mark.parametrize("part", PARTS)
def test_a_documented_data_section_is_right(part: str) -> None:
    text = next((text for words, text in FITTING.items() if words in part), WHOLE)
    data: dict[str, Any] = parse_document(text).data
    own = parse_document(part).data["data"]
    data["data"] = {**data.get("data", {}), **own} if text == WHOLE else own
    recipe = lstmgraph.load(json.dumps(data))
    assert lstmgraph.load(recipe.resolved()).resolved() == recipe.resolved()


def test_every_key_of_json_is_documented() -> None:
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    recipe = lstmgraph.load(ROOT / "recipes" / "next-frame.yaml")
    from lstmgraph.data.summary import summarized  # noqa: PLC0415 - as the command does

    found = summarized(recipe.load_data(ROOT / "recipes" / "data" / "japanese_vowels.parquet"))
    as_dict = found.as_dict()
    keys = {*as_dict, *as_dict["parts"][0], *as_dict["tensors"][0], "problems", "where"}
    assert not {key for key in keys if f"`{key}`" not in page}
