"""`lstmgraph code`: the code builds the same model, whatever is in the recipe's texts."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from building import (
    SHIPPED,
    assert_equal_arrays,
    batch_for,
    copy_weights,
    outputs_of,
    randomise,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.interop.code import CodeError, keras_code
from lstmgraph.interop.code.layout import called, laid_out, literal, quoted
from lstmgraph.interop.code.names import Names
from lstmgraph.interop.code.recipes import recipe_code
from lstmgraph.interop.code.source_file import Additions, model_source
from lstmgraph.interop.keras_model import KerasModel, Layer, Tensor

RUFF = Path(sys.executable).with_name("ruff")
UNFITTED = {"review-classifier"}
"""Its vocabulary is found in training; `test_a_vocabulary_is_part_of_the_code` has one."""


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "model.py", "exec"), names)  # noqa: S102 - the code under test
    return names


def config(model: keras.Model) -> Any:
    """Return the configuration; operations, which Keras numbers, by their place."""
    found = json.loads(model.to_json())["config"]
    operations = [each["name"] for each in found["layers"] if ".ops." in each["module"]]
    places = {name: f"operation {place}" for place, name in enumerate(operations)}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            # A call without a mask and one with `mask=None` are the same.
            return {k: plain(v) for k, v in value.items() if not (k == "mask" and v is None)}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return places.get(value, value) if isinstance(value, str) else value

    return plain(found)


def assert_same(found: keras.Model, wanted: keras.Model) -> None:
    assert config(found) == config(wanted)
    randomise(wanted)
    copy_weights(wanted, found)
    batch = batch_for(wanted)
    assert_equal_arrays(outputs_of(found, batch), outputs_of(wanted, batch))


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("codes")


@pytest.mark.parametrize(
    "path", [p for p in SHIPPED if p.stem not in UNFITTED], ids=lambda p: p.stem
)
def test_shipped_recipes(path: Path, codes: Path) -> None:
    recipe = lstmgraph.load(path)
    code = recipe.code()
    (codes / f"{path.stem.replace('-', '_')}.py").write_text(code)
    found, wanted = run(code), recipe.build()
    model = found["build_model"]()
    if recipe.compiled.declaration.runtime.seed is not None:
        assert all(map(np.array_equal, model.get_weights(), wanted.get_weights()))
    assert_same(model, wanted)
    if recipe.compiled.models:
        models = found["build_models"]()
        for name, other in recipe.models().items():
            assert config(models[name]) == config(other)


def test_formatters_change_nothing(codes: Path) -> None:
    """Of what the test before has written."""
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", codes], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_code_of_code_is_the_same() -> None:
    for name in ("store-forecaster", "number-words-attention", "stacked-cells"):
        recipe = lstmgraph.load(next(p for p in SHIPPED if p.stem == name))
        first = keras_code(recipe.build()).text
        assert first == keras_code(run(first)["build_model"]()).text
        assert recipe_code(recipe.compiled) == recipe_code(recipe.compiled)
