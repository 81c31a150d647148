"""`lstmgraph fmt`: one layout, the same data, every comment once."""

from __future__ import annotations

import os
import re
import stat
import textwrap
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result
from written_yaml import Writer

import lstmgraph
from lstmgraph.authoring.editing import formatting
from lstmgraph.authoring.editing.formatting import UnsafeEditError, format_text
from lstmgraph.cli import app
from lstmgraph.language.text.document import parse_document

ROOT = Path(__file__).parent.parent
SHIPPED = sorted((ROOT / "recipes").glob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTED = {
    f"{page.stem}-{index}": textwrap.dedent(block)
    for page in PAGES
    for index, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.S | re.M))
}
FILES = [*SHIPPED, *sorted((ROOT / "tests" / "recipes").rglob("*.yaml"))]
TEXTS = DOCUMENTED | {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in FILES}


def formatted(text: str) -> str:
    return format_text(textwrap.dedent(text).lstrip("\n"))


def fmt(*arguments: str, input: bytes | None = None) -> Result:  # noqa: A002 - as CliRunner has it
    result = CliRunner().invoke(app, ["fmt", *arguments], input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


# The layout, by example.


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_recipes_are_formatted(path: Path) -> None:
    assert format_text(path.read_text("utf-8")) == path.read_text("utf-8")


def test_keys_stand_in_the_order_of_the_schema_and_names_in_their_own() -> None:
    text = """
    outputs: {y: second}
    layers:
      second: {units: 1, input: first, type: dense}
      first:
        initial_state: zeros
        mask: none
        dropout: 0.1
        units: 8
        input: x
        type: lstm
    name: ordered
    inputs: {x: {dtype: float32, shape: [time, 3]}}
    recipe: 1
    """
    assert formatted(text) == (
        "recipe: 1\n"
        "name: ordered\n"
        "inputs: {x: {shape: [time, 3], dtype: float32}}\n"
        "layers:\n"
        "  second: {type: dense, input: first, units: 1}\n"
        "  first:\n"
        "    type: lstm\n"
        "    input: x\n"
        "    units: 8\n"
        "    dropout: 0.1\n"
        "    mask: none\n"
        "    initial_state: zeros\n"
        "\n"
        "outputs: {y: second}\n"
    )


def test_comments_move_with_what_they_belong_to() -> None:
    text = """
    # yaml-language-server: $schema=recipe.schema.json
    name: commented   # a name

    # How it is trained.
    training:
      loss: mse       # small is good
      # of Keras
      optimizer: adam
      # the last word on training
    # What comes in.
    inputs:
      # one row a step
      x: {shape: [time, 3]}
    recipe: 1         # the version
    # the end
    """
    assert formatted(text) == textwrap.dedent("""\
        # yaml-language-server: $schema=recipe.schema.json
        recipe: 1         # the version
        name: commented   # a name
        # What comes in.
        inputs:
          # one row a step
          x: {shape: [time, 3]}

        # How it is trained.
        training:
          # of Keras
          optimizer: adam
          loss: mse       # small is good
          # the last word on training
        # the end
        """)


def test_indentation_quotes_and_blank_lines_are_the_same_everywhere() -> None:
    text = """

    recipe:   1
    name: 'quoted'


    description: >-
          Folded,
            and deeper.
    layers:
        "first":   {  "type" : lstm,input: x,
                      units: [ 8,4 ] }


        second:
            type: dense
            input: 'it''s'
            initial_state:
            - zeros
            -   learned
    """
    assert formatted(text) == textwrap.dedent("""\
        recipe: 1
        name: "quoted"

        description: >-
          Folded,
            and deeper.

        layers:
          first: {type: lstm, input: x, units: [8, 4]}

          second:
            type: dense
            input: 'it''s'
            initial_state:
              - zeros
              - learned
        """)


def test_a_flow_mapping_stays_one_as_long_as_it_is_short() -> None:
    short = "layers:\n  a: {type: lstm, input: x, units: 8}\n"
    assert format_text(short) == short
    long = "layers:\n  a: {type: lstm, input: x, units: 8, seed: 1" + "0" * 90 + "}  # why\n"
    assert format_text(long).splitlines()[:3] == ["layers:", "  a:  # why", "    type: lstm"]
    names = ", ".join(f"column_{index}" for index in range(20))
    columns = format_text(f"a: [{names}]\n")
    assert columns.startswith("a: [\n  column_0, ")
    assert max(map(len, columns.splitlines())) <= 120


@pytest.mark.parametrize("above", [True, False])
def test_a_long_line_stays_one_where_a_comment_silences_all_of_it(above: bool) -> None:
    line = f"  a: {{type: lstm, activation: {'x' * 100}, recurrent_dropout: 0.2}}"
    comment = "# lstmgraph: ignore[W701] on CPUs"
    text = f"layers:\n  {comment}\n{line}\n" if above else f"layers:\n{line}  {comment}\n"
    assert format_text(text) == text
    assert format_text(text.replace("lstmgraph:", "")).count("\n") > text.count("\n")


def test_values_and_comments_that_were_aligned_stay_so() -> None:
    aligned = "inputs:\n  x:       {shape: [3]}   # one\n  lengths: {shape: []}    # two\n"
    assert format_text(aligned) == aligned
    assert format_text("inputs:\n  x:   {shape: [3]}\n") == "inputs:\n  x: {shape: [3]}\n"


@pytest.mark.parametrize("value", ["1e-3", "1.50", "0x1f", "no", "on", "~", '"1"', "1_000"])
def test_values_stay_as_they_are_written(value: str) -> None:
    assert format_text(f"a:   {value}\n") == f"a: {value}\n"


def test_anchors_aliases_and_merge_keys_stay_and_keep_their_order() -> None:
    text = """
    layers:
      b: &base {units: 8, type: lstm, input: x}
      a: {units: 4, <<: *base}
    training: {epochs: &n 3, batch_size: *n}
    """
    assert formatted(text) == textwrap.dedent("""\
        layers:
          b: &base {type: lstm, input: x, units: 8}
          a: {<<: *base, units: 4}

        training: {epochs: &n 3, batch_size: *n}
        """)


def test_a_kind_that_is_searched_has_the_order_of_its_first_choice() -> None:
    text = "layers: {a: {units: 3, input: x, type: {$search: {choice: [lstm, gru]}}}}"
    assert "{type: {$search: {choice: [lstm, gru]}}, input: x, units: 3}" in format_text(text)


# What never changes, whatever the text.


@pytest.mark.parametrize("name", TEXTS)
def test_every_recipe_keeps_its_data_and_its_comments(name: str) -> None:
    assert_same(TEXTS[name], re.findall(r"(?m)^ *(#.*?) *$", TEXTS[name]))


@pytest.mark.slow
@given(st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_keeps_its_data_and_its_comments(seed: int) -> None:
    text = Writer(Random(seed)).text()
    assume(not parse_document(text).diagnostics)
    assert_same(text, re.findall(r"#c\d+\.", text))


def assert_same(text: str, comments: list[str]) -> None:
    before = parse_document(text)
    if before.diagnostics:
        with pytest.raises(lstmgraph.RecipeError):
            format_text(text)
        return
    result = format_text(text)
    after = parse_document(result)
    assert not after.diagnostics
    assert exact(after.data) == exact(before.data)
    for comment in set(comments):
        assert result.count(comment) == text.count(comment)
    assert format_text(result) == result
    assert result.endswith("\n")


def exact(data: Any) -> Any:
    """Data that is equal only where types are: 1, 1.0 and true differ."""
    if isinstance(data, dict):
        return {key: exact(value) for key, value in data.items()}
    if isinstance(data, list):
        return [exact(value) for value in data]
    return type(data), data


def test_another_reader_reads_the_same() -> None:
    for path in SHIPPED:
        text = path.read_text("utf-8")
        backwards = yaml.safe_dump(dict(reversed(yaml.safe_load(text).items())), sort_keys=False)
        assert yaml.safe_load(format_text(backwards)) == yaml.safe_load(text)


def test_nothing_is_written_where_the_result_would_say_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("a:  1\n")
    for wrong in ("a: 1.0\n", "a: [\n", "b: 1\n"):
        monkeypatch.setattr(formatting, "as_text", lambda _tree, wrong=wrong: wrong)
        with pytest.raises(UnsafeEditError, match="its data would change"):
            format_text("a:  1\n")
    result = fmt(str(path))
    assert result.exit_code == 1
    assert "nothing is written" in result.stderr
    assert path.read_text() == "a:  1\n"
    monkeypatch.setattr(formatting, "as_text", lambda _tree: "a: 1\n")
    with pytest.raises(UnsafeEditError, match="its comments would change"):
        format_text("a:  1  # why\n")


# The command.


def test_files_are_rewritten_in_place_and_keep_their_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "recipe.yaml", tmp_path / "link.yaml"
    path.write_text("name: x\nrecipe:  1\n")
    path.chmod(0o640)
    link.symlink_to(path)
    result = fmt(str(link))
    assert (result.exit_code, result.stdout) == (0, f"{link}: rewritten\n")
    assert path.read_text() == "recipe: 1\nname: x\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, path]
    assert fmt(str(path)).stdout == f"{path}: unchanged\n"


def test_check_writes_nothing_and_lists_what_would_change(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("recipe: 1\n")
    bad.write_text("recipe:  1\n")
    result = fmt("--check", str(good), str(bad))
    assert (result.exit_code, result.stdout) == (1, f"{bad}: would be rewritten\n")
    assert bad.read_text() == "recipe:  1\n"
    assert fmt("--check", str(good)).exit_code == 0


def test_diff_shows_what_would_change(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("recipe:  1\nname: x")
    result = fmt("--diff", str(path))
    assert (result.exit_code, path.read_text()) == (0, "recipe:  1\nname: x")
    assert result.stdout == (
        f"--- {path}\n+++ {path}\n@@ -1,2 +1,2 @@\n-recipe:  1\n-name: x\n"
        "\\ No newline at end of file\n+recipe: 1\n+name: x\n"
    )
    assert fmt("--diff", "--check", str(path)).exit_code == 1


def test_a_pipe_is_read_and_written() -> None:
    result = fmt("-", input="name: größe\nrecipe: 1\n".encode())
    assert (result.exit_code, result.stdout) == (0, "recipe: 1\nname: größe\n")
    assert fmt("-", "also.yaml", input=b"").exit_code == 2


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_end_as_the_first_one_does_and_a_byte_order_mark_goes(
    newline: str, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(f"\ufeffrecipe: 1{newline}name: x\r\ndescription: y\n".encode())
    assert fmt(str(path)).exit_code == 0
    assert (
        path.read_bytes() == f"recipe: 1{newline}name: x{newline}description: y{newline}".encode()
    )
    assert fmt("--check", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"a: [1", "L104"), (b"a: 1\na: 2\n", "L105"), (b"a: \xff\n", "L102"), (b"", "L112")],
)
def test_what_cannot_be_read_is_refused_and_stays(
    content: bytes, code: str, tmp_path: Path
) -> None:
    path, fine = tmp_path / "recipe.yaml", tmp_path / "fine.yaml"
    path.write_bytes(content)
    fine.write_text("a:  1\n")
    result = fmt(str(path), str(fine))
    assert result.exit_code == 1
    assert f"{path}:1:" in result.stderr or f"{path}:2:" in result.stderr
    assert f"error[{code}]" in result.stderr
    assert path.read_bytes() == content
    assert fine.read_text() == "a: 1\n"


def test_what_is_no_recipe_file_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert fmt(str(tmp_path / "missing.yaml")).exit_code == 2
    model = tmp_path / "model.keras"
    model.write_bytes(b"PK")
    result = fmt(str(model))
    assert (result.exit_code, model.read_bytes()) == (2, b"PK")
    assert "give the recipe" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("a:  1\n")
    path.chmod(0o444)
    assert fmt(str(path)).exit_code == 2


def test_the_page_shows_what_the_command_does() -> None:
    page = (ROOT / "docs" / "tools.md").read_text("utf-8")
    section = page.partition("\n## fmt\n")[2].partition("\n## migrate\n")[0]
    before, after = re.findall(r"```yaml\n(.*?)```", section, re.S)
    assert format_text(before) == after
