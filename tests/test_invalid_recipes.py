"""Wrong recipes: every mistake is reported once, at its place, with a fix.

The files under recipes/invalid say in their first lines what must be reported:
``# expect: CODE LINE:COLUMN FRAGMENT``, where the fragment is a part of the message or its hint;
and in their last lines which notes point at other places: ``# note: LINE:COLUMN MESSAGE``.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import lstmgraph
from lstmgraph.language.schema.messages import describe
from lstmgraph.language.text.document import parse_document
from lstmgraph.language.text.nodes import MAX_BYTES
from lstmgraph.messages.diagnostics import Diagnostic, Note
from lstmgraph.messages.errors import RecipeError

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "lstmgraph"
INVALID = sorted((TESTS / "recipes" / "invalid").rglob("*.yaml"))
EXPECTATION = re.compile(r"^# expect: (?P<code>L\d{3}) (?P<place>\d+:\d+) (?P<fragment>.+)$", re.M)
NOTE = re.compile(r"^# note: (?P<place>\d+:\d+) (?P<message>.+)$", re.M)
FOUND_WHEN_BUILDING = {
    *("L761", "L762", "L763", "L764", "L765", "L766", "L771"),
    *("L775", "L781"),
    *("L801", "L802", "L803", "L804", "L805", "L806", "L807", "L879", "L884", "L888"),
    *("L901", "L902"),
}


def expectations(path: Path) -> list[re.Match[str]]:
    return list(EXPECTATION.finditer(path.read_text("utf-8")))


def mistakes(source: str | Path, **overrides: object) -> tuple[Diagnostic, ...]:
    try:
        lstmgraph.load(source, overrides=overrides)
    except RecipeError as error:
        return error.diagnostics
    return ()


@cache
def mistakes_in(path: Path) -> tuple[Diagnostic, ...]:
    """Those of a file under recipes/invalid, read once."""
    return mistakes(path)


def place(found: Diagnostic | Note) -> str:
    return f"{found.place.span.line}:{found.place.span.column}"


@pytest.mark.parametrize("path", INVALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_reports_exactly_what_is_wrong(path: Path) -> None:
    expected = expectations(path)
    found = mistakes_in(path)
    assert [(d.code, place(d)) for d in found] == [(e["code"], e["place"]) for e in expected]
    for diagnostic, wanted in zip(found, expected, strict=True):
        assert wanted["fragment"] in f"{diagnostic.message} {diagnostic.hint or ''}"
        assert diagnostic.hint or "did you mean" in diagnostic.message
        assert "\n" not in f"{diagnostic.message}{diagnostic.hint}"
        assert diagnostic.place.source == str(path)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notes_point_at_the_other_places(path: Path) -> None:
    expected = [(e["place"], e["message"]) for e in NOTE.finditer(path.read_text("utf-8"))]
    found = mistakes_in(path)
    notes = [note for diagnostic in found for note in diagnostic.notes]
    assert [(place(note), note.message) for note in notes] == expected
    for diagnostic in found:
        places = [diagnostic.place, *(note.place for note in diagnostic.notes)]
        assert len(set(places)) == len(places)
        # Lines belong to notes, which editors and terminals can jump to.
        assert not re.search(r"\bline \d", f"{diagnostic.message} {diagnostic.hint}")


def test_what_an_alias_repeats_is_said_once() -> None:
    found = mistakes("""\
recipe: 1
name: repeated
inputs: {frames: {shape: [time, 12]}}
layers:
  voice: &voice {type: lstm, input: frames, unist: 64, dropout: .nan, seed: 1, seed: 2}
  merged: {<<: *voice}
  again: *voice
outputs: {voice: voice, merged: merged, again: again}
""")
    assert [d.code for d in found] == ["L203", "L114", "L105"]


def test_files_hold_as_many_mistakes_as_their_folder_says() -> None:
    counts = {path: len(expectations(path)) for path in INVALID}
    single = [path for path in INVALID if path.parent.name == "single"]
    several = [path for path in INVALID if path.parent.name == "several"]
    assert len(single) >= 350
    assert len(several) >= 24
    assert [path.name for path in single if counts[path] != 1] == []
    assert [path.name for path in several if counts[path] < 3] == []


@pytest.mark.slow
def test_nothing_imports_keras() -> None:
    program = """
import sys
from pathlib import Path
import lstmgraph
for path in Path(sys.argv[1]).rglob("*.yaml"):
    try:
        lstmgraph.load(path).explain()
    except lstmgraph.RecipeError as error:
        str(error)
wrong = {"keras", "tensorflow", "numpy"} & set(sys.modules)
assert not wrong, wrong
"""
    folder = str(TESTS / "recipes" / "invalid")
    subprocess.run([sys.executable, "-c", program, folder], check=True)


# Mistakes that no text file under version control can show.


def _missing(folder: Path) -> tuple[Diagnostic, ...]:
    return mistakes(folder / "missing.yaml")


def _folder(folder: Path) -> tuple[Diagnostic, ...]:
    return mistakes(folder)


def _null_in_path(_folder: Path) -> tuple[Diagnostic, ...]:
    return mistakes(Path("recipe\0.yaml"))


def _latin_1(folder: Path) -> tuple[Diagnostic, ...]:
    path = folder / "latin.yaml"
    path.write_bytes("recipe: 1\nname: größe\n".encode("latin-1"))
    return mistakes(path)


def _model_without_recipe(folder: Path) -> tuple[Diagnostic, ...]:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    return mistakes(path)


def _truncated_model(folder: Path) -> tuple[Diagnostic, ...]:
    path = folder / "model.keras"
    path.write_bytes(b"PK\x03\x04 and no more")
    return mistakes(path)


def _missing_model(folder: Path) -> tuple[Diagnostic, ...]:
    return mistakes(folder / "missing.keras")


def _bomb(folder: Path) -> tuple[Diagnostic, ...]:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lstmgraph.recipe.yaml", " " * 10_000_001)
    return mistakes(path)


def _too_large_file(folder: Path) -> tuple[Diagnostic, ...]:
    path = folder / "large.yaml"
    path.write_bytes(b"# " + b"x" * MAX_BYTES)
    return mistakes(path)


def _too_large_text(_folder: Path) -> tuple[Diagnostic, ...]:
    return mistakes("# long\n" + "x" * MAX_BYTES)


def _override_of_nothing(_folder: Path) -> tuple[Diagnostic, ...]:
    path = TESTS.parent / "recipes" / "store-forecaster.yaml"
    return mistakes(path, **{"layers.encodr.units": 3})


@dataclass
class _NewKeyword:
    """An error of a JSON Schema keyword that has no sentence of its own."""

    validator = "multipleOf"
    validator_value = 8
    instance = 7
    schema = {"multipleOf": 8}  # noqa: RUF012 - as jsonschema has it
    message = "7 is not a multiple of 8"
    absolute_path = ("layers", "voice", "units")
    absolute_schema_path = ("properties", "multipleOf")


def _unworded_keyword(_folder: Path) -> tuple[Diagnostic, ...]:
    document = parse_document("layers: {voice: {units: 7}}")
    for mistake in describe(_NewKeyword()):
        document.report(mistake.code, mistake.path, mistake.message, hint=mistake.hint)
    return document.diagnostics.ordered()


AT_RUN_TIME: dict[str, tuple[str, str, str, Callable[[Path], tuple[Diagnostic, ...]]]] = {
    "no such file": ("L101", "1:1", "No such file", _missing),
    "a folder": ("L101", "1:1", "Is a directory", _folder),
    "a null byte in the path": ("L101", "1:1", "null", _null_in_path),
    "not UTF-8": ("L102", "2:9", "save the file as UTF-8", _latin_1),
    "a large file": ("L103", "1:1", "4,194,304 bytes", _too_large_file),
    "a large text": ("L103", "1:1", "4,194,304 characters", _too_large_text),
    "a model without a recipe": ("L115", "1:1", "without a recipe", _model_without_recipe),
    "half a model": ("L115", "1:1", "not a whole zip archive", _truncated_model),
    "no such model": ("L101", "1:1", "No such file", _missing_model),
    "a bomb for a recipe": ("L115", "1:1", "more than 10,000,000 bytes", _bomb),
    "override of nothing": ("L121", "1:1", "did you mean 'encoder'", _override_of_nothing),
    "a keyword without words": ("L299", "1:25", "not a multiple of 8", _unworded_keyword),
}


@pytest.mark.parametrize("case", AT_RUN_TIME)
def test_reports_what_no_file_can_show(case: str, tmp_path: Path) -> None:
    code, where, fragment, found = AT_RUN_TIME[case]
    (diagnostic,) = found(tmp_path)
    assert (diagnostic.code, place(diagnostic)) == (code, where)
    assert fragment in f"{diagnostic.message} {diagnostic.hint}"


def test_every_code_is_expected_somewhere() -> None:
    written = {
        code
        for path in PACKAGE.rglob("*.py")
        for code in re.findall(r'"(L\d{3})"', path.read_text("utf-8"))
    }
    expected = {match["code"] for path in INVALID for match in expectations(path)}
    expected |= {code for code, *_ in AT_RUN_TIME.values()}
    assert written - FOUND_WHEN_BUILDING == expected


# The hint of each of these files, applied. What is left out here has a hint without a text to
# put in, such as "choose another name".
MENDS = {
    "units-with-a-point": ("64.0", "64"),
    "units-with-underscore": ("1_000", "1000"),
    "bidirectional-yes": ("yes", "true"),
    "dtype-policy-float16": ("float16", "mixed_float16"),
    "regularizer-number": ("0.01", "{type: l2, l2: 0.01}"),
    "static-not-a-list": ("static: store", "static: [store]"),
    "depth-beside-a-list": ("    depth: 3\n", ""),
    "merge-mode-alone": ("merge_mode: sum", "merge_mode: sum\n    bidirectional: true"),
    "bidirectional-layer": ("type: bidirectional", "type: lstm\n    bidirectional: true"),
    "keras-return-state": ("    return_state: true\n", ""),
    "keras-dtype": ("dtype: float16", "dtype_policy: mixed_float16"),
    "state-h-of-two-directions": ("reader.state.h", "reader.state.forward.h"),
    "whole-state-as-input": ("voice.state", "voice.state.h"),
    "lstm-after-last-output": ("input: voice", "input: voice.sequence"),
    "kernel-longer-than-input": ("kernel_size: 25", "kernel_size: 25\n    padding: same"),
    "too-many-inputs": ("input: [voice, lengths]", "input: voice"),
    "mask-lost-at-conv": ("size: 3", "size: 3, mask: {from: words, padding: right}"),
    "mask-lost-at-flatten": ("input: words}", "input: words, mask: none}"),
    "mask-lost-at-reshape": ("1920]", "1920], mask: none"),
    "lengths-behind-a-convolution": (
        "strides: 2}\n  voice: {type: gru, input: half, units: 8, mask: {lengths: lengths}}",
        "strides: 2, mask: {lengths: lengths}}\n  voice: {type: gru, input: half, units: 8}",
    ),
    "lengths-behind-a-masked-convolution": ("units: 8, mask: {lengths: lengths}", "units: 8"),
    "mask-behind-a-convolution-that-looks-ahead": (
        "same}\n  voice: {type: gru, input: near, units: 8, mask: {input: valid}}",
        "same, mask: {input: valid, padding: right}}\n  voice: {type: gru, input: near, units: 8}",
    ),
    "mask-lost-at-add": ("frames]}", "frames], mask: none}"),
    "mask-lost-at-concatenate": ("tags]}", "tags], mask: none}"),
    "lengths-not-integers": ("shape: []", "shape: [], dtype: int32"),
    "mask-input-not-bool": ("dtype: int32", "dtype: bool"),
    "joined-different-masks": ("[words, tag]", "[words, tag]\n    mask: {from: words}"),
    "backwards-with-mask": ("input: voice.sequence", "input: voice"),
    "hold-on-bidirectional": ("padded_output: hold", "padded_output: zero"),
    "mask-from-unmasked": ("mask: {from: history}", "mask: none"),
    "states-listed-wrong-count": ("[encoder, zeros, zeros]", "[encoder, zeros]"),
    "one-input-for-h-and-c": ("[h]", "[h, c]"),
    "inputs-once-for-a-stack": ("{inputs: [h, c]}", "input"),
    "lstm-to-gru": ("initial_state: encoder", "initial_state: {h: encoder}"),
    "gru-to-lstm": ("initial_state: encoder", "initial_state: {h: encoder, c: zeros}"),
    "c-for-a-gru": (", c: zeros", ""),
    "c-of-a-gru-source": ("c: encoder", "c: encoder.state.h"),
    "one-tensor-for-two-states": ("encoder.state.h", "{h: encoder.state.h, c: zeros}"),
    "state-of-wrong-size": ("{h: store}", "{h: {from: store, bridge: dense}}"),
    "state-is-a-sequence": ("encoder.sequence", "encoder.last"),
    "state-input-of-wrong-shape": ("h: {shape: [16]}", "h: {shape: [32]}"),
    "stacks-of-other-depth": ("state: encoder", "state: {from: encoder, bridge: last}"),
    "state-of-a-dense": ("initial_state: first", "initial_state: {h: first}"),
    "concat-of-one-direction": ("bridge: concat", "bridge: dense"),
    "units-that-do-not-fit": ("state: encoder", "state: {from: encoder, bridge: dense}"),
    "two-directions-to-one": ("state: encoder", "state: {from: encoder, bridge: concat}"),
    "one-direction-to-two": ("state: encoder", "state: {from: encoder, bridge: dense}"),
    "concat-that-does-not-fit": ("bridge: concat", "bridge: dense"),
    "static-is-a-sequence": ("static: [known]", "static: [store]"),
    "cudnn-with-relu": ("kernel: cudnn", "kernel: auto"),
    "unrolled-dynamic": ("[time, 12]", "[30, 12]"),
    "unrolled-kernel-dynamic": ("[time, 12]", "[30, 12]"),
    "unrolled-both-ways": ("kernel: unrolled", "kernel: auto"),
    "loss-of-a-whole-state": ("state: mae", "state_h: mae"),
    "two-clippings": (", clipvalue: 0.5", ""),
    "version-quoted": ('"1"', "1"),
    "permute-axis-twice": ("[2, 2, 3]", "[2, 1, 3]"),
    "reshape-two-open": ("[-1, -1]", "[-1, 5]"),
    "search-misspelt": ("$serch", "$search"),
    "search-with-step-outside": ("}, step: 32}", ", step: 32}}"),
    "search-kind-misspelt": ("chioce", "choice"),
    "search-int-with-floats": ("{int:", "{float:"),
    "search-bool-yes": ("yes", "true"),
    "search-range-backwards": ("[64, 32]", "[32, 64]"),
    "search-default-between-steps": ("48", "64"),
    "choose-default-misspelt": ("larg}", "large}"),
    "per-layer-without-depth": ("per_layer: true}}", "per_layer: true}}\n    depth: 2"),
    "search-floats-for-units": ("float: [32, 64.5]", "int: [32, 64]"),
    "search-choice-misspelt": ("reul", "relu"),
}


@pytest.mark.parametrize("name", MENDS)
def test_the_hint_mends(name: str) -> None:
    text = (TESTS / "recipes" / "invalid" / "single" / f"{name}.yaml").read_text("utf-8")
    recipe = EXPECTATION.sub("", text).replace(f"name: {name}\n", "name: fixed\n")
    old, new = MENDS[name]
    assert old in recipe
    assert mistakes(recipe.replace(old, new, 1)) == ()


def test_a_hint_names_some_of_very_many() -> None:
    """Each of a thousand layers reads a wrong name: the report is not a million names."""
    layers = "\n".join(f"  layer{n}: {{type: lstm, input: histroy, units: 2}}" for n in range(1000))
    recipe = (
        f"recipe: 1\nname: many\ninputs: {{history: {{shape: [time, 2]}}}}\nlayers:\n{layers}\n"
    )
    found = mistakes(f"{recipe}outputs: {{y: layer0}}\n")
    assert [diagnostic.code for diagnostic in found] == ["L301"] * 1000
    assert found[0].message.endswith("did you mean 'history'?")
    assert str(found[0].hint).endswith(" and 971 more")
