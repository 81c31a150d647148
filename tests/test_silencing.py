"""Comments that silence warnings: found wherever YAML has a comment, and nowhere else."""

from pathlib import Path

import pytest
import yaml
from building import SHIPPED, with_header
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_warnings import EXAMPLES, codes, expectations
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.cli import app
from lstmgraph.compiler.compile import compile_document
from lstmgraph.language.text.comments import comments
from lstmgraph.language.text.document import parse_document

DROPPED = """
inputs: {frames: {shape: [time, 12]}}
layers:
  voice:
    type: lstm
    input: frames
    units: 8
    recurrent_dropout: 0.2
outputs: {voice: voice}
"""
LINE = "    recurrent_dropout: 0.2"


def codes_with(new: str, old: str = LINE) -> list[str]:
    """The codes of the warnings, once `new` stands in place of `old`."""
    assert old in DROPPED
    return codes(with_header(DROPPED.replace(old, new)))


def test_a_comment_on_the_line_of_the_warning() -> None:
    assert codes_with(LINE) == ["W701"]
    assert codes_with(f"{LINE}  # lstmgraph: ignore[W701] we train on CPUs") == []


def test_a_comment_on_the_line_above() -> None:
    assert codes_with(f"    # lstmgraph: ignore[W701] we train on CPUs\n{LINE}") == []


def test_comments_above_each_other_are_of_the_line_below() -> None:
    above = "# lstmgraph: ignore[W701] we train on CPUs\n# found by a search\n"
    assert codes_with(f"{above}{LINE}") == []


@pytest.mark.parametrize(
    "text",
    [
        f"    # lstmgraph: ignore[W701] too far away\n\n{LINE}",
        f"{LINE}\n    # lstmgraph: ignore[W701] below",
        f"    # lstmgraph: ignore[W701] a line between\n    dropout: 0.1\n{LINE}",
    ],
)
def test_a_comment_elsewhere_silences_nothing(text: str) -> None:
    assert sorted(codes_with(text)) == ["W101", "W701"]


def test_a_comment_behind_a_value_is_of_its_own_line_alone() -> None:
    text = f"    dropout: 0.1  # lstmgraph: ignore[W701] the line before\n{LINE}"
    assert sorted(codes_with(text)) == ["W101", "W701"]


def test_other_warnings_of_the_line_are_reported() -> None:
    line = "    recurrent_dropout: 0.9"
    assert sorted(codes_with(line)) == ["W407", "W701"]
    assert codes_with(f"{line}  # lstmgraph: ignore[W701] we train on CPUs") == ["W407"]
    assert codes_with(f"{line}  # lstmgraph: ignore[W701, W407] as in the paper") == []
    assert codes_with(f"{line}  # lstmgraph: ignore[W701,W407] as in the paper") == []
    two = "# lstmgraph: ignore[W701] we train on CPUs\n# lstmgraph: ignore[W407] as in the paper\n"
    assert codes_with(f"{two}{line}") == []


def test_a_mapping_on_one_line() -> None:
    flow = "{type: lstm, input: frames, units: 8, recurrent_dropout: 0.2}"
    text = f"inputs: {{frames: {{shape: [time, 12]}}}}\nlayers: {{voice: {flow}}}COMMENT\n"
    text = with_header(text + "outputs: {voice: voice}\n")
    assert codes(text.replace("COMMENT", "")) == ["W701"]
    assert codes(text.replace("COMMENT", " # lstmgraph: ignore[W701] we train on CPUs")) == []


NO_COMMENTS = {
    "quotes": 'description: "{} "',
    "single quotes": "description: '{} '",
    "a literal block": "description: |\n  {}",
    "a folded block": "description: >-\n  text\n  {}\n",
    "quotes over two lines": 'description: "one\n  {}\n  three"',
}


@pytest.mark.parametrize("value", NO_COMMENTS.values(), ids=NO_COMMENTS)
def test_text_is_no_comment(value: str) -> None:
    """It would be refused: it gives no reason."""
    text = value.format("# lstmgraph: ignore[W701]")
    recipe = lstmgraph.load(with_header(f"{text}\n{DROPPED}"))
    assert "# lstmgraph: ignore[W701]" in recipe.description
    assert [found.code for found in recipe.warnings] == ["W701"]


def test_a_comment_behind_the_mark_of_a_block_is_one() -> None:
    text = "description: >-  # lstmgraph: ignore[W701]\n  text\n"
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(with_header(f"{text}{DROPPED}"))
    (found,) = caught.value.diagnostics
    assert (found.code, found.place.span.line, found.place.span.column) == ("L151", 3, 18)


def test_a_comment_that_only_speaks_of_lstmgraph_is_none_of_ours() -> None:
    assert codes_with(
        f"{LINE}  # see lstmgraph: ignore[...]\n  # `lstmgraph schema` prints it"
    ) == ["W701"]


def test_a_comment_that_silences_nothing_is_reported_where_it_stands() -> None:
    path = next(path for path in EXAMPLES if path.stem == "comment-without-a-use")
    with pytest.raises(lstmgraph.RecipeError) as caught:
        lstmgraph.load(path, strict=True)
    assert [found.code for found in caught.value.diagnostics] == ["W101"]


def test_what_a_set_replaces_makes_no_comment_useless() -> None:
    text = with_header(DROPPED.replace(LINE, f"{LINE}  # lstmgraph: ignore[W701] slow is fine"))
    assert codes(text, **{"layers.voice.recurrent_dropout": 0.0}) == []


def test_a_set_cannot_be_silenced() -> None:
    """Its place is the command line; the line that it replaces has a comment for another value."""
    text = with_header(DROPPED.replace(LINE, f"{LINE}  # lstmgraph: ignore[W701] slow is fine"))
    assert codes(text, **{"layers.voice.recurrent_dropout": 0.3}) == ["W701"]
    override = "layers.voice.recurrent_dropout=0.3 # lstmgraph: ignore[W701] no comment at all"
    assert [w.code for w in lstmgraph.load(text, overrides=[override]).warnings] == ["W701"]


def test_comments_of_a_base_need_not_silence_anything() -> None:
    """What a base says is for all recipes on it, and this one may say something else."""
    document = parse_document(with_header(DROPPED.replace(LINE, "")))
    document.sources["base.yaml"] = f"{LINE}  # lstmgraph: ignore[W701] slow is fine\n"
    assert compile_document(document).warnings == ()


ONE_LINERS = [path for path in EXAMPLES if path.stem != "comment-without-a-use"]


def commented(path: Path) -> str:
    """The example, with a comment above the line of each warning."""
    lines = path.read_text("utf-8").splitlines()
    expected = {(int(e["place"].partition(":")[0]), e["code"]) for e in expectations(path)}
    for line, code in sorted(expected, reverse=True):
        lines.insert(line - 1, f"# lstmgraph: ignore[{code}] on purpose")
    return "\n".join(lines)


@pytest.mark.parametrize("path", ONE_LINERS, ids=lambda path: path.stem)
def test_every_warning_can_be_silenced_and_stays_so(path: Path) -> None:
    """The resolved recipe, which `build` writes and a ``.keras`` file holds, is silent too."""
    recipe = lstmgraph.load(commented(path), strict=True)
    resolved = recipe.resolved()
    kept = [found for found in expectations(path) if found["code"] != "W102"]  # of variables
    assert resolved.count("on purpose") == len(kept)
    assert lstmgraph.load(resolved, strict=True).resolved() == resolved
    lstmgraph.load(format_text(commented(path)), strict=True)


def test_a_derived_recipe_is_silent_too() -> None:
    text = with_header(DROPPED.replace(LINE, f"{LINE}  # lstmgraph: ignore[W701] slow is fine"))
    assert lstmgraph.load(text).with_derived("step").warnings == ()


def test_mistakes_in_comments_are_printed_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        with_header(DROPPED.replace(LINE, f"{LINE}  # lstmgraph: ignore[W701]")), "utf-8"
    )
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 1
    assert f"{path}:9:29: error[L151]: this comment gives no reason" in result.stderr


# The comments of any text, against PyYAML's own scanner of Python, which passes over them.


class Scanner(yaml.SafeLoader):
    """Notes where its comments begin: at every ``#`` at which it stands between two tokens."""

    def __init__(self, text: str) -> None:
        self.found: list[tuple[int, int]] = []
        super().__init__(text)

    def scan_to_next_token(self) -> None:
        plain = self.forward

        def forward(length: int = 1) -> None:
            if self.peek() == "#" and (self.line + 1) not in {line for line, _ in self.found}:
                self.found.append((self.line + 1, self.column + 1))
            plain(length)

        self.forward = forward  # type: ignore[method-assign]
        try:
            super().scan_to_next_token()
        finally:
            self.forward = plain  # type: ignore[method-assign]

    def scan_block_scalar_ignored_line(self, start_mark: object) -> None:
        while self.peek() == " ":
            self.forward()
        if self.peek() == "#":
            self.found.append((self.line + 1, self.column + 1))
        super().scan_block_scalar_ignored_line(start_mark)  # type: ignore[misc]


def scanned(text: str) -> list[tuple[int, int]]:
    loader = Scanner(text)
    while loader.check_token():
        loader.get_token()
    return loader.found


def found(text: str) -> list[tuple[int, int]]:
    return [(comment.span.line, comment.span.column) for comment in comments(text)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_comments_of_shipped_recipes_are_those_of_the_scanner(path: Path) -> None:
    text = path.read_text("utf-8")
    assert found(text) == scanned(text) != []


def test_a_comment_between_an_anchor_and_its_value_is_found() -> None:
    text = "a: &n # one\n  value # two\nb: *n # three\nc: &m |  # four\n  text # none\n"
    assert found(text) == scanned(text) == [(1, 7), (2, 9), (3, 7), (4, 10)]


PIECES = st.sampled_from(
    [
        *(
            "a: 1",
            "b: 'x # y'",
            'c: "z # \\" # w"',
            "d: |",
            "e: >-  # f",
            "  g # h",
            "# i",
            "  # j",
        ),
        *(
            "- k",
            "l: [1, # m",
            "  2] # n",
            "o: plain # p",
            "q: no#comment",
            "",
            "    # r",
            "s: 'two",
        ),
        *(
            "  lines # t'",
            "u: \u00e9 # \u00fc",
            "v: {w: 1} # x",
            "y:",
            "  z: &a 1 # b",
            "c: *a # d",
        ),
    ]
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=8).map("\n".join))
def test_comments_are_those_of_the_scanner(text: str) -> None:
    assume(is_yaml(text))
    assert found(text) == scanned(text)


def is_yaml(text: str) -> bool:
    try:
        list(yaml.parse(text, Loader=yaml.SafeLoader))
        list(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return False
    return True
