"""`lstmgraph init`: a first recipe that validates, is formatted, and trains on what it asks for."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

import lstmgraph
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.authoring.starting.first_recipe import first_recipe
from lstmgraph.authoring.starting.questions import QUESTIONS, TASKS, questions_of
from lstmgraph.cli import app, asking
from lstmgraph.language.text.document import parse_document
from lstmgraph.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PACKAGED = sorted(path.stem for path in folder("recipes").glob("*.yaml"))
TRIED: dict[str, tuple[int | bool, ...]] = {
    "features": (3,),
    "vocabulary": (7,),
    "target_vocabulary": (5,),
    "classes": (2, 4),
    "horizon": (6,),
    "targets": (1, 2),
    "known": (0, 2),
    "lengths": (False, True),
    "static": (0, 5),
}


def init(*arguments: str, input: str | None = None) -> Result:  # noqa: A002 - as CliRunner has it
    result = CliRunner().invoke(app, ["init", *arguments], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def combinations(task: str) -> Iterator[dict[str, int | bool]]:
    names = [question.name for question in questions_of(task)]
    for answers in itertools.product(*(TRIED[name] for name in names)):
        yield dict(zip(names, answers, strict=True))


EVERY = [
    pytest.param(task, answers, id=f"{task}-{'-'.join(map(str, answers.values()))}")
    for task in TASKS
    for answers in combinations(task)
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The recipes.


@pytest.mark.parametrize(("task", "answers"), EVERY)
def test_every_answer_gives_a_recipe_that_is_right(
    task: str, answers: dict[str, int | bool]
) -> None:
    text = first_recipe(task, "first", answers)
    recipe = lstmgraph.load(text)
    assert recipe.training is not None
    assert text == format_text(text)
    data = parse_document(text).data
    assert ("lengths" in data["inputs"]) == bool(answers.get("lengths"))
    assert ("static" in data["inputs"]) == bool(answers["static"])
    assert text.count("#") >= 10
    assert max(map(len, text.splitlines())) <= 120


ASKED_FOR = re.compile(r"^#   (\w+) \((.*?)\): (.*)$", re.M)
SIZES = {"examples": 6, "time": 4, "source_time": 3, "target_time": 4}
COUNTED = ("class", "ids", "whole numbers", "for each id")


def data_as_commented(text: str) -> dict[str, np.ndarray]:
    """Arrays of the shapes that the recipe's comments ask for."""
    random = np.random.default_rng(0)
    arrays = {}
    for name, shape, meaning in ASKED_FOR.findall(text):
        sizes = [SIZES.get(size) or int(size) for size in shape.split(", ")]
        counted = any(word in meaning for word in COUNTED)
        arrays[name] = random.integers(1, 4, sizes) if counted else random.normal(size=sizes)
    return arrays


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("more", [False, True], ids=["plain", "more"])
def test_what_the_comments_ask_for_trains(task: str, more: bool) -> None:
    """With the largest and the smallest answers, one step in Keras."""
    answers = {name: values[-1 if more else 0] for name, values in TRIED.items()}
    answers["classes"] = 4
    if not more:
        answers |= {"features": 1, "horizon": 1}
    names = {question.name for question in questions_of(task)}
    text = first_recipe(task, "first", {name: answers[name] for name in sorted(names)})
    recipe = lstmgraph.load(text)
    arrays = data_as_commented(text)
    assert set(arrays) == {
        *parse_document(text).data["inputs"],
        *parse_document(text).data["outputs"],
    }
    data = recipe.load_data(arrays)
    assert (len(data.train), len(data.validation)) == (5, 1)
    model = recipe.build()
    model.run_eagerly = True  # tracing takes longer than one step
    outputs = set(model.output)
    before = [weight.numpy() for weight in model.trainable_weights]
    loss = model.train_on_batch(
        {name: array for name, array in arrays.items() if name not in outputs},
        {name: array for name, array in arrays.items() if name in outputs},
    )
    assert np.isfinite(loss).all()
    after = [weight.numpy() for weight in model.trainable_weights]
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


# The command, with options.


@pytest.mark.slow
def test_a_recipe_is_written_with_the_schema_beside_it(place: Path) -> None:
    options = "--task forecast --features 8 --horizon 24 --lengths --static 16 --yes"
    result = init(*options.split(), "-o", "models/my forecast.yaml")
    assert result.exit_code == 0, result.stderr
    text = (place / "models" / "my forecast.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=lstmgraph.schema.json\nrecipe: 1\n")
    assert "\nname: my-forecast\n" in text
    schema = json.loads((place / "models" / "lstmgraph.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(parse_document(text).data)
    lstmgraph.load(place / "models" / "my forecast.yaml")
    assert sorted(path.name for path in (place / "models").iterdir()) == [
        "lstmgraph.schema.json",
        "my forecast.yaml",
    ]


@pytest.mark.parametrize(
    ("options", "second"),
    [
        ("--task classify --features 3 --classes 2 --yes", "train"),
        ("--from next-frame", "train"),
        ("--from unrolled", "build"),  # it has no `training:`
    ],
)
def test_the_next_commands_are_printed_and_right(options: str, second: str, place: Path) -> None:
    result = init(*options.split(), "--no-schema")
    explain, then = re.findall(r"^  lstmgraph (.*)$", result.stdout, re.M)
    assert then.split()[:2] == [second, "recipe.yaml"]
    assert CliRunner().invoke(app, shlex.split(explain)).exit_code == 0


@pytest.mark.parametrize("name", PACKAGED)
def test_a_recipe_of_the_package_is_a_first_recipe(name: str, place: Path) -> None:
    (place / "lstmgraph.schema.json").touch()  # which is kept: to make it takes most of the time
    assert init("--from", name, "-o", "my.yaml").exit_code == 0
    text = (place / "my.yaml").read_text("utf-8")
    assert text.count("yaml-language-server") == 1
    shipped = (folder("recipes") / f"{name}.yaml").read_text("utf-8")
    assert parse_document(text).data == parse_document(shipped).data
    assert format_text(text) == text


def test_recipes_of_the_package_are_listed() -> None:
    result = init("--list")
    assert re.findall(r"^\S+$", result.stdout, re.M) == PACKAGED
    listed = json.loads(init("--list", "--format", "json").stdout)
    assert [recipe["name"] for recipe in listed] == PACKAGED
    assert all(len(recipe["description"]) > 20 for recipe in listed)


def test_files_are_named_as_json_too(place: Path) -> None:
    result = init("--from", "unrolled", "--format", "json", "--no-schema")
    assert json.loads(result.stdout)["files"] == ["recipe.yaml"]
    assert [path.name for path in place.iterdir()] == ["recipe.yaml"]
    assert "yaml-language-server" not in (place / "recipe.yaml").read_text("utf-8")


@pytest.mark.slow
def test_nothing_is_overwritten_unless_it_is_said(place: Path) -> None:
    recipe, schema = place / "recipe.yaml", place / "lstmgraph.schema.json"
    recipe.write_text("mine")
    result = init("--from", "unrolled")
    assert (result.exit_code, recipe.read_text()) == (2, "mine")
    assert "--force" in result.stderr
    assert not schema.exists()
    schema.write_text("mine too")
    assert init("--from", "unrolled", "-o", "other.yaml").stdout.startswith(
        "wrote other.yaml\nnext"
    )
    assert schema.read_text() == "mine too"
    assert init("--from", "unrolled", "--force").exit_code == 0
    assert "recipe: 1" in recipe.read_text()
    assert json.loads(schema.read_text())["title"] == "lstmgraph recipe, version 1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "--task classify | --task label"),
        ("--task classify --features 3 --yes", "--classes N"),
        ("--task classify --features 3 --classes 4", "--lengths or --no-lengths"),
        ("--task classify --features 3 --classes 4", "--yes takes the default"),
        ("--task classify --features 3 --horizon 4 --yes", "--horizon is not for the task"),
        ("--task classify --features 0 --classes 4 --yes", "from 1 to 1,000,000, not 0"),
        ("--task classify --features 3 --classes 2000000 --yes", "not 2,000,000"),
        ("--from speaker", "choose from carried-state"),
        ("--from unrolled --features 3", "leave out the answers"),
        ("--from unrolled -o recipe.txt", "does not end in .yaml"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_nothing_written(
    options: str, message: str, place: Path
) -> None:
    result = init(*options.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(place.iterdir()) == []


def test_every_question_is_an_option() -> None:
    text = init("--help").stdout
    assert not [question.option for question in QUESTIONS if question.option not in text]


# On a terminal.


@pytest.fixture
def terminal(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(asking, "_on_terminal", lambda: True)
    return place


def test_on_a_terminal_what_is_missing_is_asked(terminal: Path) -> None:
    answers = ["dance", "forecast", "none", "8", "24", "", "0", "y", "16"]
    result = init("--targets", "2", "--no-schema", input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.stdout
    data = parse_document((terminal / "recipe.yaml").read_text("utf-8")).data
    assert data["inputs"] == {
        "sequence": {"shape": ["time", 8]},
        "lengths": {"shape": [], "dtype": "int32"},
        "static": {"shape": [16]},
    }
    assert data["layers"]["forecast"]["units"] == 2
    assert "predicted" not in result.stdout


def test_with_yes_nothing_is_asked(terminal: Path) -> None:
    options = ["--task", "regress", "--yes"]
    assert init(*options, "--features", "2", "--no-schema", input="").exit_code == 0
    assert init(*options, "-o", "b.yaml", input="").exit_code == 2


def test_an_interrupted_answer_leaves_nothing_behind(terminal: Path) -> None:
    assert init("--task", "regress", input="3\n").exit_code == 1
    assert list(terminal.iterdir()) == []
