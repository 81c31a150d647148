"""Recipes and ``--set`` values that mean harm: each is refused, soon, and touches nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lstmgraph
from lstmgraph.language.text.document import MAX_NODES, parse_document, read_document
from lstmgraph.language.text.nodes import MAX_BYTES, MAX_DEPTH
from lstmgraph.language.text.overrides import OverrideFormatError
from lstmgraph.messages.diagnostics import MOST_CHARACTERS, Diagnostic
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

RECIPE = """\
recipe: 1
name: small
inputs: {x: {shape: [time, 2]}}
layers: {y: {type: lstm, input: x, units: 3}}
outputs: {y: y}
"""


def mistakes(source: str | Path, overrides: Any = ()) -> tuple[Diagnostic, ...]:
    with pytest.raises(RecipeError) as caught:
        lstmgraph.load(source, overrides=overrides)
    assert str(caught.value)
    return caught.value.diagnostics


def only(source: str | Path, overrides: Any = ()) -> tuple[str, int, int]:
    """Code, line and column of the one mistake."""
    (found,) = mistakes(source, overrides)
    assert found.hint or "did you mean" in found.message
    return found.code, found.place.span.line, found.place.span.column


# --- files ---


def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes into, and a device that never ends."""
    for name in ("recipe.yaml", "model.keras"):
        os.mkfifo(tmp_path / name)
    for path in (tmp_path / "recipe.yaml", tmp_path / "model.keras", "/dev/zero", "/dev/null"):
        (found,) = mistakes(Path(path))
        assert (found.code, found.place.span.line) == ("L101", 1)
        assert found.message.endswith("copy its contents into one")  # which says what to do


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    for name, target in (("a.yaml", "b.yaml"), ("b.yaml", "a.yaml"), ("c.keras", "c.keras")):
        (tmp_path / name).symlink_to(tmp_path / target)
        assert "symbolic links" in mistakes(tmp_path / name)[0].message or name == "a.yaml"


def test_a_file_of_100_megabytes_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert only(path) == ("L103", 1, 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(RECIPE.encode(encoding))
    (found,) = mistakes(path)
    assert found.code == "L102"
    assert encoding[:6].upper() in found.message


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"])
def test_bytes_that_are_no_text_are_shown_where_they_stand(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(f"recipe: 1{ends}name: ".encode() + b"caf\xe9")
    assert only(path) == ("L102", 2, 10)


# --- text ---


@pytest.mark.parametrize("ends", ["\r", "\r\n"])
def test_other_line_ends(ends: str) -> None:
    text = RECIPE.replace("\n", ends).replace("units: 3", "units: 0")
    assert only(f"# without a line feed, a text is a path\n{text}") == ("L206", 5, 43)


def test_control_characters_in_text_of_other_line_ends() -> None:
    assert only("recipe: 1\r\nname: a\rinputs: \x07\n") == ("L104", 3, 9)


MANY = 3000


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        f"a: &a {{{', '.join(['k: 1'] * MANY)}}}\nb: [{', '.join(['*a'] * MANY)}]\n",
        f"a: &a {{{', '.join(f'k{n}: 1' for n in range(MANY))}}}\nb: {{<<: [{'*a,' * MANY}]}}\n",
        f"a: &a {{k: 1}}\nb: &b {{<<: [{'*a,' * MANY}]}}\nc: [{'*b,' * MANY}]\n",
        f"b: &b {{<<: [{'1,' * MANY}]}}\nc: [{'*b,' * MANY}]\n",
    ],
    ids=["keys twice", "merged again and again", "merges by alias", "wrong merges by alias"],
)
def test_what_aliases_multiply_counts_as_often(text: str) -> None:
    """Each would look at some nine million entries."""
    found = parse_document(text).diagnostics.ordered()
    assert "L109" in [each.code for each in found]
    assert len(found) <= MANY + 1


def test_mistakes_of_an_anchored_value_are_said_once() -> None:
    text = RECIPE.replace("y: {type", "y: &y {type").replace("units: 3}", "unit: 3}, z: *y")
    assert only(text) == ("L203", 4, 39)


def test_messages_are_short_whatever_the_names() -> None:
    long = "k" * 1_000_000
    recipe = RECIPE.replace("input: x", f"input: {long}")
    for text in (f"? {long}\n: 1\n? {long}\n: 2\n", recipe):
        for found in mistakes(text):
            assert max(len(found.message), len(found.hint or "")) <= MOST_CHARACTERS + 3


def test_many_unknown_names_among_many() -> None:
    """Near names are looked for some times, and not a million times."""
    layers = "\n".join(
        f"  layer{n}: {{type: dense, units: 1, input: leyer{n}x}}" for n in range(200)
    )
    head = "recipe: 1\nname: names\ninputs: {x: {shape: [2]}}\nlayers:\n"
    found = mistakes(f"{head}{layers}\noutputs: {{y: layer0}}\n")
    assert [each.code for each in found] == ["L301"] * 200
    assert sum("did you mean" in each.message for each in found) == 100


def test_circles_are_reported_up_to_a_number() -> None:
    layers = "".join(
        f"  a{n}: {{type: dense, units: 1, input: b{n}}}\n"
        f"  b{n}: {{type: dense, units: 1, input: a{n}}}\n"
        for n in range(50)
    )
    head = "recipe: 1\nname: circles\ninputs: {x: {shape: [2]}}\nlayers:\n"
    found = mistakes(f"{head}{layers}outputs: {{y: a0}}\n")
    assert [each.code for each in found] == ["L304"] * 20


# --- overrides ---

TOO_DEEP: Any = 1
for _ in range(5000):
    TOO_DEEP = [TOO_DEEP]


@pytest.mark.parametrize(
    ("overrides", "mistake"),
    [
        (["layers.y.units=" + "9" * 5000], ("L114", 1, 16)),
        (["layers.y.units=0x" + "f" * 5000], ("L114", 1, 16)),
        (["layers.y.units=\0"], ("L104", 1, 16)),
        (["layers.y.units=2024-01-01"], ("L204", 1, 16)),
        (["layers.y.units=" + "x" * (MAX_BYTES + 1)], ("L103", 1, 1)),
        (["layers.y.units=&a [*a]"], ("L110", 1, 20)),
        (["layers.y=!!python/object/apply:os.system {args: [ls]}"], ("L106", 1, 10)),
        (["layers.y.<<={units: 2}"], ("L203", 1, 1)),
        (["x" + ".x" * 100_000 + "=1"], ("L108", 1, 1)),
        (["layers.y" + ".x" * MAX_DEPTH + "=1"], ("L108", 1, 1)),
        ({"layers.y.units": float("nan")}, ("L114", 1, 16)),
        ({"layers.y.dropout": -float("inf")}, ("L114", 1, 18)),
        ({"layers.y.units=3, depth": 2}, ("L203", 1, 1)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, list | dict) else "",
)
def test_overrides_that_are_refused_where_they_stand(
    overrides: Any, mistake: tuple[str, int, int]
) -> None:
    assert only(RECIPE, overrides) == mistake
    assert mistakes(RECIPE, overrides)[0].place.source.startswith("--set ")


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value",
    [10**5000, {1, 2}, b"3", {(1, 2): 3}, object(), CIRCLE, TOO_DEEP, [float("nan")]],
    ids=["digits", "a set", "bytes", "pairs for keys", "object", "circle", "deep", "nan inside"],
)
def test_values_from_python_that_no_recipe_can_hold(value: Any) -> None:
    with pytest.raises(OverrideFormatError, match=r"layers\.y\.units"):
        lstmgraph.load(RECIPE, overrides={"layers.y.units": value})


# --- what loading touches ---

AUDITED = """
import sys
from pathlib import Path

import lstmgraph
from lstmgraph.language.text.document import parse_document
from lstmgraph.language.text.overrides import OverrideFormatError

def load(source, overrides=()):
    try:
        lstmgraph.load(source, overrides=overrides)
    except (lstmgraph.RecipeError, OverrideFormatError) as error:
        str(error)

files = [Path(name) for name in sys.argv[1:]]
load(files[0])                      # what checking imports and reads by itself
touched = []

def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        reads = mode in (None, "r", "rb") and not flags & 0o1103
        if not (reads and (path in expected or is_base(path))):
            touched.append((event, str(path), mode, flags))
    elif event in {"os.scandir", "os.listdir"} and Path(arguments[0]) in {BASES, PRESETS}:
        pass                        # to tell which files there are, where one is misspelt
    elif event.startswith(WATCHED):
        touched.append((event, str(arguments)[:200]))

WATCHED = (
    "compile", "exec", "import", "marshal", "pickle", "ctypes", "subprocess", "os.", "socket",
    "shutil", "tempfile", "urllib", "ftplib", "http", "webbrowser", "glob", "sys.addaudithook",
)
BASES = files[-1].parent / "bases"
PRESETS = Path(lstmgraph.__file__).parent / "presets"

def is_base(path):
    return Path(path).suffix in {".yml", ".yaml"} and Path(path).parent in {BASES, PRESETS}

expected = {str(path) for path in files} | set(range(100)) | set(files)
sys.addaudithook(hook)
for path in files:
    load(path)
    load(path, ["name=!!python/name:os.system", "layers=*a", "inputs.x.shape=[/etc/passwd]"])
for text in sys.stdin.read().split("\\0"):
    load(text + "\\n")
allowed = {"import"}                # of modules of the package and of Python, first needed by some
seen = [each for each in touched if each[0] not in allowed]
names = {each[1].split("'")[1] for each in touched if each[0] in allowed}
foreign = [n for n in names if n.split(".")[0] not in {"lstmgraph", *sys.stdlib_module_names}]
assert not seen, seen[:5]
assert not foreign, foreign
"""

HOSTILE = [
    "recipe: !!python/object/apply:os.system ['touch hacked']",
    "recipe: !!python/name:os.system",
    "recipe: !!python/module:antigravity",
    "!!python/object/new:subprocess.Popen [[ls]]: 1",
    "%TAG ! tag:yaml.org,2002:python/\n---\nrecipe: !name:os.system x",
    "recipe: 1\nname: ../../hacked\ninputs: {x: {shape: [2]}}",
    RECIPE.replace("type: lstm", "type: lambda, function: 'lambda x: __import__(\"os\")'"),
    RECIPE.replace("type: lstm", "type: TFSMLayer, filepath: /etc"),
    RECIPE.replace("units: 3", "units: 3, kernel_initializer: {type: os.system}"),
    RECIPE.replace("units: 3", "units: 3, activation: __import__('os').system"),
    RECIPE + "training: {loss: {type: 'builtins.eval'}, callbacks: {csv: /etc/passwd}}\n",
    RECIPE + "data: {inputs: {x: {columns: [/etc/passwd]}}}\n",
]


@pytest.mark.slow
def test_loading_a_recipe_imports_runs_and_writes_nothing(tmp_path: Path) -> None:
    """Python's own audit events: nothing is opened but recipes and their bases, nothing else."""
    folder = Path(__file__).parent / "recipes" / "invalid"
    files: Iterable[Path] = [*sorted((folder / "single").glob("*.yaml"))[::4]]
    good = Path(lstmgraph.__file__).parents[1] / "recipes" / "store-forecaster.yaml"
    done = subprocess.run(
        [sys.executable, "-X", "frozen_modules=on", "-c", AUDITED, str(good), *map(str, files)],
        input="\0".join([*HOSTILE, json.dumps({"recipe": 1, "x": HOSTILE})]),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_audit_would_see_it(tmp_path: Path) -> None:
    """The test above can fail: a load that writes a file is seen."""
    program = AUDITED.replace("load(text + ", "open('hacked', 'w'); load(text + ")
    good = Path(lstmgraph.__file__).parents[1] / "recipes" / "store-forecaster.yaml"
    command = [sys.executable, "-c", program, str(good)]
    done = subprocess.run(
        command, input="", capture_output=True, text=True, check=False, cwd="/dev"
    )
    assert "hacked" in done.stderr


@pytest.mark.slow
def test_documents_hold_at_most_so_many_values() -> None:
    text = "a: [" + "1," * (MAX_NODES - 3) + "1]\n"
    assert parse_document(text).diagnostics.found == []
    assert [d.code for d in parse_document(text.replace("1]", "1, 1]")).diagnostics.found] == [
        "L109"
    ]


def test_a_missing_file_is_no_pipe(tmp_path: Path) -> None:
    (found,) = read_document(tmp_path / "absent.yaml").diagnostics.found
    assert "No such file" in found.message
