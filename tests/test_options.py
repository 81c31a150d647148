"""An option's name means one thing in every command, and its help can be read alone."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lstmgraph.cli import app
from lstmgraph.cli.old_spellings import OLD_SPELLINGS

GROUP: Any = typer.main.get_group(app)
OPTIONS = [
    (command, option)
    for command, found in GROUP.commands.items()
    for option in found.params
    if option.param_type_name == "option" and not option.hidden
]
LONG = {
    *("build", "train", "tune", "export", "code", "data", "transfer", "report", "import"),
    *("predict", "evaluate"),
}
"""Commands that work for long."""
REPEATED = {"--to", "--model"}
"""What `export` takes several times: a file can hold several models. Others take one."""


def by_name() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for command, option in OPTIONS:
        for name in (*option.opts, *option.secondary_opts):
            found[name][command] = option
    return found


def meaning(text: str) -> str:
    """What a help says before what differs from command to command."""
    return re.split(r"[:.](?= |$)|  \[", text)[0]


@pytest.mark.parametrize(("name", "users"), by_name().items(), ids=list(by_name()))
def test_a_name_means_one_thing(name: str, users: dict[str, Any]) -> None:
    options = users.values()
    assert len({meaning(option.help) for option in options}) == 1
    assert len({(tuple(option.opts), tuple(option.secondary_opts)) for option in options}) == 1
    assert len({(option.is_flag, option.multiple or name in REPEATED) for option in options}) == 1
    kinds = {type(option.type).__name__ for option in options}
    assert len(kinds) == 1, kinds


def test_what_o_and_format_are() -> None:
    names = by_name()
    assert set(names["-o"]) == {
        *("build", "code", "export", "graph", "init", "train", "transfer", "tune"),
        *("predict", "evaluate", "import"),
    }
    formats = names["--format"].values()
    assert all({"text", "json"} <= set(option.type.choices) for option in formats)
    assert set(names["--format"]) == set(GROUP.commands) - {"graph", "schema", "fmt", "migrate"}
    assert set(names["--to"]) == {"graph", "export"}
    assert "--print" not in names
    assert set(names["--quiet"]) == set(names["--verbose"]) == LONG


@pytest.mark.parametrize(
    ("command", "option"), OPTIONS, ids=[f"{c} {o.opts[0]}" for c, o in OPTIONS]
)
def test_a_help_can_be_read_alone(command: str, option: Any) -> None:
    """A sentence: no "And ...", "For the recipe's." or other words about the option above."""
    text = re.sub(r"  \[default: .*\]$", "", option.help)
    assert text.endswith("."), text
    assert len(text.split()) >= 3, text
    assert not re.match(r"(And|For the|One of them|Another|Its own|Every size)\b", text), text
    assert text[0].isupper()


@pytest.mark.parametrize("command", GROUP.commands)
def test_arguments_are_explained(command: str) -> None:
    arguments = [p for p in GROUP.commands[command].params if p.param_type_name == "argument"]
    assert all(argument.help for argument in arguments)


@pytest.mark.parametrize("command", [(), *((name,) for name in GROUP.commands)], ids=str)
def test_h_is_help(command: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(app, [*command, name]) for name in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.stdout == long.stdout
    assert short.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("command", "written", "parsed"),
    [
        ("export", "m.yaml --format onnx --format=litert --print json", "--to onnx --to=litert"),
        ("graph", "m.yaml --format dot", "--to dot"),
        ("tune", "m.yaml --data d --out o --time 2h", "--output o --max-time 2h"),
        ("transfer", "a.keras m.yaml -o b.keras --strict", "--complete"),
    ],
)
def test_old_spellings_work_and_are_not_shown(command: str, written: str, parsed: str) -> None:
    found = GROUP.commands[command]
    context = found.make_context(command, written.split())
    plain = re.sub(r"--(format\S* \S+|print \S+|out|time|strict)( \w+)?", "", written).split()
    new = found.make_context(
        command, [*plain, *parsed.split(), *(["--format", "json"] if "--print" in written else [])]
    )
    assert context.params == new.params
    shown = CliRunner().invoke(app, [command, "--help"]).stdout
    hidden = set(OLD_SPELLINGS[command]) - {option for _, o in OPTIONS for option in o.opts}
    assert not [name for name in hidden if re.search(rf"{name}\b", shown)]


CHOICES = [
    (command, option.opts[0], word)
    for command, option in OPTIONS
    for word in getattr(option.type, "choices", ())
    if len(word) > 3  # of fewer letters, no misspelling is near one word alone
]


@pytest.mark.parametrize(("command", "option", "word"), CHOICES, ids=map(" ".join, CHOICES))
def test_the_word_that_was_meant_is_named(command: str, option: str, word: str) -> None:
    wrong = f"{word[:2]}{word[3]}{word[2]}{word[4:]}" if word[2] != word[3] else word[:-1]
    result = CliRunner().invoke(app, [command, option, wrong])
    assert result.exit_code == 2
    assert f"'{wrong}' is not one of '" in result.stderr
    assert result.stderr.rstrip().endswith(f"Did you mean '{word}'?")


def test_nothing_is_named_where_no_word_is_near() -> None:
    result = CliRunner().invoke(app, ["graph", "m.yaml", "--to", "qqqq"])
    assert result.stderr.rstrip().endswith("is not one of 'svg', 'mermaid', 'dot'.")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("init --from speaker-classifer --yes", "'speaker-classifer'; did you mean 'speaker-clas"),
        ("predict m.keras --data d.csv -o o.csv --origins al", "nor all; did you mean 'all'?"),
        ("build m.yaml --model cemtre -o out", "no model 'cemtre'; did you mean 'centre'? There"),
        ("export m.yaml --to c --model stpe -o out", "no model 'stpe'; did you mean 'step'? There"),
        ("data m.yaml --data d.cvs", "there is no such file or folder; did you mean 'd.csv'?"),
        ("init --data d.cvs --target a", "there is no such file or folder; did you mean 'd.csv'?"),
    ],
)
def test_other_words_that_were_meant(tmp_path, monkeypatch, line: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("a,b\n1,2\n")
    Path("m.yaml").write_text(
        "recipe: 1\nname: centre\ninputs: {x: {shape: [time, 2]}}\n"
        "layers: {y: {type: lstm, input: x, units: 2}}\noutputs: {y: y}\ntraining: {loss: mse}\n"
    )
    assert says in CliRunner().invoke(app, line.split()).stderr


def test_quiet_and_verbose_exclude_each_other() -> None:
    result = CliRunner().invoke(app, ["report", "nowhere", "-q", "-v"])
    assert result.exit_code == 2
    assert "leave one of the two out" in result.stderr


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("validate|", "an argument"),
        ("build|m.yaml|-o|", "-o"),
        ("train|m.yaml|--data=|-o|runs", "--data"),
        ("tune|m.yaml|--data|d|--out|", "--output"),
        ("export|m.yaml|--to|c|--set=", "--set"),
    ],
)
def test_an_empty_word_is_refused(tmp_path, monkeypatch, written: str, named: str) -> None:
    """As a path it would be the current folder: `-o "$OUT"` would write there."""
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text("recipe: 1\n")
    result = CliRunner().invoke(app, written.split("|"))
    assert result.exit_code == 2
    assert f"Invalid value for {named}: it is empty; is a variable" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.yaml"]


def test_an_empty_value_of_a_recipe_is_none_of_the_command_line(tmp_path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("recipe: 1\n")
    for written in (["--set", "description="], ["--set=description="]):
        assert (
            "it is empty" not in CliRunner().invoke(app, ["validate", str(path), *written]).stderr
        )
