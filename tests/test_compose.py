"""Recipes of several texts: what is inherited, what replaces it, and where mistakes are shown."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from generated import examples
from hypothesis import given
from hypothesis import strategies as st

import lstmgraph
from lstmgraph.authoring.editor_schema import published_schema
from lstmgraph.compiler.resolved import recipe_yaml
from lstmgraph.language.compose import composed
from lstmgraph.language.compose.extends import MAX_BASES, MAX_CHAIN
from lstmgraph.language.schema import structure
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.messages.errors import RecipeError
from lstmgraph.resources import RECIPE_SCHEMA, preset_files, read_schema
from lstmgraph.tuning.recipes import (
    concrete_recipe,
    concrete_text,
    read_payload,
    recipe_identity,
    recipe_payload,
)

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Diagnostic

COMMON = """\
recipe: 1
name: common
description: what several recipes share
inputs:
  frames: {shape: [time, 12]}
layers:
  voice:
    type: lstm
    input: frames
    units: 64
    dropout: 0.1
    mask: {value: 0.0}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
training:
  optimizer: {type: adam, learning_rate: 1e-3, beta_1: 0.8}
  loss: mse
  metrics: [mae, mse]
"""
HEAD = "recipe: 1\nname: own\nextends: common.yaml\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "common.yaml").write_text(COMMON, "utf-8")
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str, **overrides: object) -> lstmgraph.Recipe:
    return lstmgraph.load(written(folder / "own.yaml", text), overrides=overrides)


def data_of(folder: Path, text: str, **overrides: object) -> dict[str, Any]:
    """The data as composed, without defaults."""
    data: dict[str, Any] = load(folder, text, **overrides).compiled.written.data
    return data


def mistakes(folder: Path, text: str, **overrides: object) -> tuple[Diagnostic, ...]:
    with pytest.raises(RecipeError) as caught:
        load(folder, text, **overrides)
    str(caught.value)
    return caught.value.diagnostics


def the_mistake(folder: Path, text: str, **overrides: object) -> Diagnostic:
    (found,) = mistakes(folder, text, **overrides)
    return found


def at(folder: Path, place: Any) -> str:
    """``common.yaml:7:5``."""
    source = place.source.removeprefix(f"{folder}/")
    return f"{source}:{place.span.line}:{place.span.column}"


def notes(folder: Path, found: Diagnostic) -> list[tuple[str, str]]:
    return [(note.message, at(folder, note.place)) for note in found.notes]


# --- what is inherited ---


def test_mappings_are_merged_and_all_else_is_replaced(folder: Path) -> None:
    own = "layers: {voice: {units: [32, 16]}}\ntraining: {metrics: [mae]}\n"
    data = data_of(folder, HEAD + own)
    wanted = parse_document(COMMON).data
    del wanted["description"]
    wanted["name"] = "own"
    wanted["layers"]["voice"]["units"] = [32, 16]
    wanted["training"]["metrics"] = ["mae"]
    assert data == wanted


def test_only_a_key_inside_an_optimizer_is_replaced(folder: Path) -> None:
    data = data_of(folder, HEAD + "training: {optimizer: {learning_rate: 0.1}}\n")
    assert data["training"]["optimizer"] == {"type": "adam", "learning_rate": 0.1, "beta_1": 0.8}


def test_a_mask_and_an_initial_state_are_one_value(folder: Path) -> None:
    lengths = "inputs: {lengths: {shape: [], dtype: int32}}\n"
    data = data_of(folder, f"{HEAD}{lengths}layers: {{voice: {{mask: {{lengths: lengths}}}}}}\n")
    assert data["layers"]["voice"]["mask"] == {"lengths": "lengths"}


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("{$search: {int: [1, 9]}}", "{$search: {choice: [2, 4]}}"),
        ("{$choose: {a: 1}}", "{$choose: {b: 2}}"),
        ("{$search: {int: [1, 9]}}", "7"),
    ],
)
def test_a_search_is_one_value(folder: Path, below: str, above: str) -> None:
    written(folder / "searched.yaml", f"layers: {{voice: {{units: {below}}}}}")
    own = HEAD.replace("common.yaml", "[common.yaml, searched.yaml]")
    data = data_of(folder, f"{own}layers: {{voice: {{units: {above}}}}}\n")
    assert data["layers"]["voice"]["units"] == parse_document(f"a: {above}").data["a"]


def test_later_bases_win_and_the_recipe_over_all(folder: Path) -> None:
    written(folder / "a.yaml", "runtime: {seed: 1, threads: 1, batch_size: 1}")
    written(folder / "b.yaml", "runtime: {seed: 2, threads: 2}")
    own = HEAD.replace("common.yaml", "[common.yaml, a.yaml, b.yaml]")
    data = data_of(folder, own + "runtime: {seed: 3}\n")
    assert data["runtime"] == {"seed": 3, "threads": 2, "batch_size": 1}


def test_a_base_reached_twice_counts_once_where_it_is_first(folder: Path) -> None:
    for name, value in (("a", "dropout: 0.5"), ("b", "units: 32")):
        written(folder / f"{name}.yaml", f"extends: common.yaml\nlayers: {{voice: {{{value}}}}}\n")
    voice = data_of(folder, HEAD.replace("common.yaml", "[a.yaml, b.yaml]"))["layers"]["voice"]
    assert (voice["units"], voice["dropout"]) == (32, 0.5)


def test_bases_name_theirs_from_where_they_lie(folder: Path) -> None:
    written(folder / "deep" / "er" / "a.yaml", "extends: [b.yaml, ../../common.yaml]\n")
    written(folder / "deep" / "er" / "b.yaml", "runtime: {seed: 4}\n")
    data = data_of(folder, HEAD.replace("common.yaml", "deep/er/a.yaml"))
    assert data["runtime"] == {"seed": 4}
    assert "voice" in data["layers"]


def test_name_and_description_are_the_recipe_s_own(folder: Path) -> None:
    recipe = load(folder, HEAD)
    assert (recipe.name, recipe.description) == ("own", "")
    assert the_mistake(folder, "recipe: 1\nextends: common.yaml\n").code == "L202"


def test_text_extends_presets_and_no_files() -> None:
    text = COMMON.replace("description:", "extends: preset:reproducible\ndescription:")
    assert lstmgraph.load(text).compiled.declaration.runtime.seed == 7
    with pytest.raises(RecipeError, match="this recipe is not in a folder"):
        lstmgraph.load(HEAD)


@pytest.mark.parametrize("name", preset_files())
def test_a_preset_makes_a_recipe(name: str, folder: Path) -> None:
    own = HEAD.replace("common.yaml", f"[common.yaml, preset:{name}]")
    data = data_of(folder, own)
    preset = parse_document(preset_files()[name].read_text("utf-8")).data
    for section in set(preset) - {"recipe"}:
        assert (
            data[section].items()
            >= {
                key: value for key, value in preset[section].items() if not isinstance(value, dict)
            }.items()
        )


# --- deletion ---


def test_what_is_deleted_has_its_default_again(folder: Path) -> None:
    recipe = load(folder, HEAD + "layers: {voice: {dropout: $delete}}\ntraining: $delete\n")
    assert recipe.training is None
    assert recipe.compiled.completed["layers"]["voice"]["dropout"] == 0.0


def test_a_base_deletes_what_bases_before_it_say(folder: Path) -> None:
    written(folder / "untrained.yaml", "training: $delete\n")
    own = HEAD.replace("common.yaml", "[common.yaml, untrained.yaml]")
    assert "training" not in data_of(folder, own)
    again = data_of(folder, own + "training: {loss: mae}\n")
    assert again["training"] == {"loss": "mae"}


def test_the_command_line_deletes_too(folder: Path) -> None:
    deleting = {"layers.voice.dropout": "$delete"}
    assert "dropout" not in data_of(folder, HEAD, **deleting)["layers"]["voice"]
    found = the_mistake(folder, HEAD, **{"layers.voice.dropuot": "$delete"})
    assert (found.code, found.place.source) == ("L121", "--set layers.voice.dropuot")
    assert "did you mean 'dropout'" in found.message


def test_who_reads_what_is_deleted_is_told_where(folder: Path) -> None:
    found = the_mistake(folder, HEAD + "layers:\n  voice: $delete\n")
    assert (found.code, at(folder, found.place)) == ("L301", "common.yaml:13:33")
    assert notes(folder, found) == [
        ("deleted here", "own.yaml:5:3"),
        ("extended here", "own.yaml:3:10"),
    ]


def test_a_required_key_that_is_deleted(folder: Path) -> None:
    found = the_mistake(folder, HEAD + "layers:\n  voice:\n    units: $delete\n")
    assert (found.code, at(folder, found.place)) == ("L202", "own.yaml:5:3")
    assert notes(folder, found) == [("deleted here", "own.yaml:6:5")]


# --- where mistakes are ---


def test_a_mistake_in_a_base_is_shown_there(folder: Path) -> None:
    written(folder / "bases" / "deep.yaml", "runtime:\n  sed: 7\n")
    written(folder / "bases" / "mid.yaml", "recipe: 1\nextends: deep.yaml\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "[common.yaml, bases/mid.yaml]"))
    assert (found.code, at(folder, found.place)) == ("L203", "bases/deep.yaml:2:3")
    assert notes(folder, found) == [
        ("extended here", "bases/mid.yaml:2:10"),
        ("extended here", "own.yaml:3:24"),
    ]


def test_what_the_text_of_a_base_has_wrong(folder: Path) -> None:
    written(folder / "a.yaml", "runtime: {seed: .inf}\n")
    written(folder / "b.yaml", "runtime: {seed: 3\n")
    found = mistakes(folder, HEAD.replace("common.yaml", "[a.yaml, b.yaml]"))
    assert [(d.code, at(folder, d.place)) for d in found] == [
        ("L114", "a.yaml:1:17"),
        ("L104", "b.yaml:1:10"),
    ]
    assert [notes(folder, d) for d in found] == [
        [("extended here", "own.yaml:3:11")],
        [("extended here", "own.yaml:3:19")],
    ]


def test_what_a_comment_of_a_base_has_wrong(folder: Path) -> None:
    written(folder / "a.yaml", "runtime: {seed: 3}  # lstmgraph: ignore[W999] why\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "[common.yaml, a.yaml]"))
    assert (found.code, at(folder, found.place)) == ("L152", "a.yaml:1:41")
    assert notes(folder, found) == [("extended here", "own.yaml:3:24")]


def test_what_a_changed_type_does_not_take_is_said_where_it_is_inherited(folder: Path) -> None:
    """It stays, as all that is inherited does: dropping it would change the model in silence."""
    own = HEAD + "training:\n  optimizer: {type: sgd}\n"
    found = the_mistake(folder, own)
    assert (found.code, at(folder, found.place)) == ("L203", "common.yaml:16:48")
    says = "the type is set here; `beta_1: $delete` next to it removes the key"
    assert notes(folder, found)[0] == (says, "own.yaml:5:21")
    fixed = load(folder, own.replace("sgd", "sgd, beta_1: $delete"))
    optimizer = fixed.compiled.declaration.training.optimizer  # type: ignore[union-attr]
    assert (optimizer["type"], optimizer["learning_rate"]) == ("sgd", 1e-3)


def test_a_circle_is_shown_entry_by_entry(folder: Path) -> None:
    written(folder / "a.yaml", "extends: b.yaml\n")
    written(folder / "b.yaml", "extends: [a.yaml]\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "a.yaml"))
    assert (found.code, at(folder, found.place)) == ("L133", "b.yaml:1:11")
    assert f"'{folder}/a.yaml' extends itself, through '{folder}/b.yaml'" in found.message
    assert [place for _, place in notes(folder, found)] == ["a.yaml:1:10", "own.yaml:3:10"]


def test_a_base_of_another_version(folder: Path) -> None:
    written(folder / "newer.yaml", "# soon\nrecipe: 2\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "newer.yaml"))
    assert found.code == "L135"
    assert notes(folder, found)[0][1] == "newer.yaml:2:9"


def test_a_base_of_an_older_version_can_be_migrated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "OLDEST_VERSION", 0)
    written(folder / "older.yaml", "recipe: 0\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "older.yaml"))
    assert found.code == "L135"
    assert found.hint == f"run `lstmgraph migrate {folder}/older.yaml` to rewrite it"


@pytest.mark.parametrize(("version", "code"), [("2", "L201"), ("0", "L211"), ('"1"', "L205")])
def test_a_wrong_version_of_the_recipe_is_told_once(version: str, code: str, folder: Path) -> None:
    """And not again of each of its bases."""
    own = HEAD.replace("recipe: 1", f"recipe: {version}")
    found = the_mistake(folder, own.replace("common.yaml", "[common.yaml, preset:forecasting]"))
    assert (found.code, at(folder, found.place)) == (code, "own.yaml:1:9")


def test_a_misspelt_key_over_an_inherited_type_is_not_to_be_deleted(folder: Path) -> None:
    """Nothing of that name is inherited."""
    found = the_mistake(folder, HEAD + "layers: {voice: {droput: 0.2}}\n")
    assert (found.code, at(folder, found.place)) == ("L203", "own.yaml:4:18")
    assert found.notes == ()


def test_a_base_that_is_no_mapping(folder: Path) -> None:
    written(folder / "list.yaml", "- 1\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "list.yaml"))
    assert (found.code, at(folder, found.place)) == ("L204", "list.yaml:1:1")


# --- bounds, and what is never read ---


@pytest.mark.parametrize(
    "entry", ["link.yaml", "linked/secret.yaml", "../secret.yaml", "no/../../secret.yaml"]
)
def test_nothing_outside_of_the_folder_is_read(entry: str, tmp_path: Path) -> None:
    written(tmp_path / "secret.yaml", "runtime: {seed: 12345}\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inside / "linked").symlink_to(tmp_path)
    found = the_mistake(inside, HEAD.replace("common.yaml", entry))
    assert (found.code, found.place.span.line) == ("L131", 3)
    assert "12345" not in f"{found.message}{found.hint}"


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "link.yaml").symlink_to(folder / "common.yaml")
    assert "voice" in data_of(folder, HEAD.replace("common.yaml", "link.yaml"))["layers"]


def test_a_link_to_itself_and_a_pipe_are_no_files(folder: Path) -> None:
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    os.mkfifo(folder / "pipe.yaml")
    own = HEAD.replace("common.yaml", "[loop.yaml, pipe.yaml]")
    assert {d.code for d in mistakes(folder, own)} == {"L132"}


@pytest.mark.parametrize("entry", ["x" * 300 + ".yaml", "x/" * 3000 + "y.yaml", "closed/a.yaml"])
def test_a_path_that_the_system_refuses(entry: str, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0)
    found = the_mistake(folder, HEAD.replace("common.yaml", entry))
    assert (found.code, found.place.span.line) == ("L132", 3)


@pytest.mark.parametrize(
    "entry", ['"a\\0.yaml"', '"\\ud800.yaml"', '"a\\nb.yaml"', '" .yaml"', "'.yaml'"]
)
def test_odd_names_are_no_files(entry: str, folder: Path) -> None:
    found = the_mistake(folder, HEAD.replace("common.yaml", entry))
    assert found.code in {"L104", "L131", "L132"}


def test_a_long_row_of_bases_is_refused(folder: Path) -> None:
    for number in range(MAX_CHAIN + 1):
        written(folder / f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    written(folder / f"{MAX_CHAIN + 1}.yaml", "recipe: 1\n")
    found = the_mistake(folder, HEAD.replace("common.yaml", "0.yaml"))
    assert (found.code, at(folder, found.place)) == ("L134", f"{MAX_CHAIN - 1}.yaml:1:10")


def test_too_many_bases_are_refused(folder: Path) -> None:
    for group in range(2):
        names = [f"{group}-{number}.yaml" for number in range(MAX_BASES - 5)]
        for name in names:
            written(folder / name, "recipe: 1\n")
        written(folder / f"{group}.yaml", f"extends: [{', '.join(names)}]\n")
    found = mistakes(folder, HEAD.replace("common.yaml", "[0.yaml, 1.yaml]"))
    assert {d.code for d in found} == {"L134"}


def test_what_is_shared_is_not_changed_by_who_shares_it(folder: Path) -> None:
    """Bases are parsed once; a value that is put in is put into one recipe."""
    first = data_of(folder, HEAD, **{"layers.voice.units": 3, "training.metrics.0": "mape"})
    assert first["layers"]["voice"]["units"] == 3
    second = data_of(folder, HEAD)
    assert second["layers"]["voice"]["units"] == 64
    assert second["training"]["metrics"] == ["mae", "mse"]


def test_a_base_that_was_changed_is_read_anew(folder: Path) -> None:
    assert data_of(folder, HEAD)["layers"]["voice"]["units"] == 64
    written(folder / "common.yaml", COMMON.replace("64", "48"))
    assert data_of(folder, HEAD)["layers"]["voice"]["units"] == 48


def test_extends_is_not_put_in(folder: Path) -> None:
    found = the_mistake(folder, COMMON, extends="common.yaml")
    assert (found.code, found.place.source) == ("L131", "--set extends")


# --- against a merge written independently ---

SECTIONS = ("inputs", "runtime", "training", "layers", "data")
VALUES = st.one_of(st.integers(0, 9), st.booleans(), st.none(), st.sampled_from(["a", "b c", "1"]))
TREES = st.recursive(
    VALUES | st.lists(VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["k", "m", "n", "mask", "type"]), inner),
    max_leaves=8,
)
LAYERS = st.dictionaries(st.sampled_from(SECTIONS), TREES)


def reference_merge(lower: Any, upper: Any, path: tuple[str, ...] = ()) -> Any:
    whole = len(path) == 3 and path[0] == "layers" and path[2] in ("mask", "initial_state")
    if not isinstance(lower, dict) or not isinstance(upper, dict) or whole:
        return copy.deepcopy(upper)
    result = copy.deepcopy(lower)
    for key, value in upper.items():
        if key in lower:
            result[key] = reference_merge(lower[key], value, (*path, key))
        else:
            result[key] = copy.deepcopy(value)
    return result


def whole_of(folder: Path, *layers: dict[str, Any]) -> Document:
    """The last of `layers`, which extends the others."""
    for number, layer in enumerate(layers[:-1]):
        (folder / f"{number}.yaml").write_text(recipe_yaml(layer), "utf-8")
    names = [f"{number}.yaml" for number in range(len(layers) - 1)]
    own = {**layers[-1], **({"extends": names} if names else {})}
    document = parse_document(recipe_yaml(own), str(folder / "own.yaml"))
    return composed(document, folder)


@examples(30)
@given(layers=st.lists(LAYERS, min_size=1, max_size=4))
def test_bases_merge_as_the_rule_says(
    tmp_path_factory: pytest.TempPathFactory, layers: list[dict[str, Any]]
) -> None:
    found = whole_of(tmp_path_factory.mktemp("merge"), *layers)
    assert not found.diagnostics
    wanted: dict[str, Any] = {}
    for layer in layers:
        wanted = reference_merge(wanted, layer)
    assert found.data == wanted
    for path in _paths(found.data):
        place = found.place(path)
        assert place == found.values[path]
        said = layers[-1 if place.source.endswith("own.yaml") else int(Path(place.source).stem)]
        assert _at(said, path) == _at(wanted, path) or isinstance(_at(wanted, path), dict)


@examples(20)
@given(st.lists(LAYERS, min_size=3, max_size=3))
def test_bases_that_are_made_of_bases_merge_as_the_rule_says(layers: list[dict[str, Any]]) -> None:
    """Which are merged first counts only where a value stands between two mappings."""
    first, second, third = layers
    from lstmgraph.language.compose.merge import overlay  # noqa: PLC0415

    a, b, c = (parse_document(recipe_yaml(each)) for each in layers)
    left = reference_merge(reference_merge(first, second), third)
    right = reference_merge(first, reference_merge(second, third))
    assert overlay(overlay(a, b), c).data == left
    assert overlay(a, overlay(b, c)).data == right
    assert left == right or _cuts(first, second, third)


def test_a_value_between_two_mappings_ends_the_first_one() -> None:
    layers = [{"data": {"k": 1}}, {"data": 0}, {"data": {"m": 2}}]
    assert _cuts(*layers)
    first, second, third = layers
    assert reference_merge(reference_merge(first, second), third) == {"data": {"m": 2}}
    assert reference_merge(first, reference_merge(second, third)) == {"data": {"k": 1, "m": 2}}


def _cuts(first: Any, second: Any, third: Any) -> bool:
    """Whether somewhere a value that is no mapping stands between two that are."""
    if not isinstance(first, dict) or not isinstance(third, dict):
        return False
    if not isinstance(second, dict):
        return True
    shared = first.keys() & second.keys() & third.keys()
    return any(_cuts(first[key], second[key], third[key]) for key in shared)


@examples(10)
@given(LAYERS)
def test_extending_nothing_changes_nothing(layer: dict[str, Any]) -> None:
    assert composed(parse_document(recipe_yaml(layer))).data == layer


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for key, value in entries:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += _paths(value, (*path, key))
    return found


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


# --- what stands alone ---


def test_the_resolved_recipe_stands_alone(folder: Path) -> None:
    own = HEAD.replace("common.yaml", "[common.yaml, preset:classification]")
    recipe = load(folder, own + "vars: {n: 5}\nlayers: {voice: {units: '${vars.n}'}}\n")
    alone = lstmgraph.load(recipe.resolved())
    assert alone.resolved() == recipe.resolved()
    assert alone.explain().as_dict() == recipe.explain().as_dict()
    assert "extends" not in recipe.resolved()


# --- the schema that editors read ---


def test_the_published_schema_takes_parts_and_texts_in_place_of_values(folder: Path) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    published = Draft202012Validator(published_schema())
    own = (
        HEAD + "vars: {size: 32, sizes: [3, 4]}\nlayers:\n"
        "  voice: {units: '${vars.size}', dropout: $delete}\n"
        "training: {optimizer: {learning_rate: '${vars.size}'}, loss: $delete}\n"
    )
    data = parse_document(own).data
    assert [error.message for error in published.iter_errors(data)] == []
    alone = {key: value for key, value in data.items() if key != "extends"}
    assert not published.is_valid(alone)
    data["layers"]["voice"] = {"type": "lstm", "unit": 32}
    assert not published.is_valid(data)
    for text in preset_files().values():
        part = {**parse_document(text.read_text("utf-8")).data, "name": "a", "extends": "b.yaml"}
        assert published.is_valid(part)


def test_the_schema_names_every_preset() -> None:
    entries = read_schema(RECIPE_SCHEMA)["properties"]["extends"]["items"]
    assert entries["examples"] == [f"preset:{name}" for name in preset_files()]


# --- the page ---

PAGE = Path(lstmgraph.__file__).parents[1] / "docs" / "composition.md"
EXAMPLES = PAGE.parent / "examples" / "composition"


def test_the_page_shows_the_files() -> None:
    page = PAGE.read_text("utf-8")
    for path in EXAMPLES.rglob("*.yaml"):
        assert f"```yaml\n{path.read_text('utf-8')}```" in page
    listed = {name for name in preset_files() if f"| `preset:{name}` |" in page}
    assert listed == set(preset_files())


def test_the_page_shows_what_blame_says() -> None:
    lines = PAGE.read_text("utf-8").split("```text\n")[1].split("```")[0].splitlines()
    blamed = str(lstmgraph.load(EXAMPLES / "week-ahead.yaml").blame())
    said = {" ".join(line.replace(f"{EXAMPLES}/", "").split()) for line in blamed.splitlines()}
    assert {" ".join(line.split()) for line in lines} <= said


# --- searches, which go on without the files ---

SEARCHED = (
    HEAD.replace("common.yaml", "[common.yaml, preset:reproducible]")
    + "vars: {most: 32}\ndescription: costs $${x}\n"
    "layers: {voice: {units: {$search: {int: [8, '${vars.most}'], step: 8}}}}\n"
)


def test_the_job_of_a_search_holds_the_whole_recipe(folder: Path) -> None:
    compiled = load(folder, SEARCHED, **{"vars.most": 24}).compiled
    payload = json.loads(json.dumps(recipe_payload(compiled.written)))
    for path in folder.iterdir():
        path.unlink()
    read = read_payload(payload)
    assert read.data == compiled.written.data
    point = concrete_recipe(read, {"layers.voice.units": 16})
    assert point.completed["layers"]["voice"]["units"] == 16
    assert point.declaration.description == "costs ${x}"


def test_what_a_search_of_several_texts_finds_is_silent_too(folder: Path) -> None:
    """The best recipe is written by a trial, whose text must say what the bases' comments do."""
    quiet = "dropout: 0.1\n    recurrent_dropout: 0.2  # lstmgraph: ignore[W701] we train on CPUs"
    written(folder / "common.yaml", COMMON.replace("dropout: 0.1", quiet))
    recipe = load(folder, SEARCHED)
    assert recipe.warnings == ()
    point = concrete_recipe(
        read_payload(recipe_payload(recipe.compiled.written)), {"layers.voice.units": 16}
    )
    assert lstmgraph.load(concrete_text(point), strict=True).resolved().count("# lstmgraph") == 1


def test_the_job_of_a_recipe_with_variables_alone_keeps_its_lines(folder: Path) -> None:
    text = COMMON.replace("units: 64", "units: ${vars.n}") + "vars: {n: 3}\n"
    compiled = load(folder, text, **{"vars.n": 5}).compiled
    payload = recipe_payload(compiled.written)
    assert payload["text"] == text
    assert read_payload(payload).data == compiled.written.data


def test_a_search_notices_when_a_base_has_changed(folder: Path) -> None:
    before = recipe_identity(load(folder, SEARCHED).compiled.written)
    assert recipe_identity(load(folder, SEARCHED).compiled.written) == before
    written(folder / "common.yaml", COMMON.replace("dropout: 0.1", "dropout: 0.2"))
    assert recipe_identity(load(folder, SEARCHED).compiled.written) != before


def test_a_mistake_at_a_point_of_a_search_in_a_base_is_shown_there(folder: Path) -> None:
    units = "units: {$search: {choice: [8, 16.5]}}"
    written(folder / "common.yaml", COMMON.replace("units: 64", units))
    found = the_mistake(folder, HEAD)
    assert (found.code, at(folder, found.place)) == ("L204", "common.yaml:10:35")
    assert notes(folder, found) == [("extended here", "own.yaml:3:10")]
    written(folder / "common.yaml", COMMON.replace("units: 64", units.replace("choice", "chioce")))
    found = the_mistake(folder, HEAD)
    assert (found.code, at(folder, found.place)) == ("L822", "common.yaml:10:23")
    assert notes(folder, found) == [("extended here", "own.yaml:3:10")]
