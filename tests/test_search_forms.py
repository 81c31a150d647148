"""Recipes with ``$search`` and ``$choose``: their space, their defaults, and what is wrong."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from building import load, with_header
from generated import examples
from hypothesis import given
from hypothesis import strategies as st
from searched import DATA

import lstmgraph
from lstmgraph.language.space import Condition, Range, SpaceError
from lstmgraph.language.space import variants as checks
from lstmgraph.language.space.collect import collect
from lstmgraph.language.space.fill import fill
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.messages.diagnostics import Diagnostic

SPEAKER = """
inputs: {frames: {shape: [time, 12]}}
layers:
  voice:
    type: {$search: {choice: [lstm, gru]}}
    input: frames
    units: {$search: {int: [16, 64], step: 16, default: 32, per_layer: true}}
    depth: {$search: {int: [1, 3]}}
    dropout: {$search: {float: [0.0, 0.5]}}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
training:
  loss: mse
  batch_size: {$search: {choice: [16, 32], default: 32}}
  optimizer:
    $choose:
      adam: {type: adam, learning_rate: {$search: {float: [1e-4, 1e-2], scale: log}}}
      sgd:
        type: sgd
        momentum: {$choose: {none: 0.0, some: {$search: {float: [0.5, 0.9]}}}}
"""


def mistakes(text: str, **overrides: object) -> list[tuple[str, str, str]]:
    """Code, place and message of each mistake; lines count from the text's first."""
    try:
        lstmgraph.load(with_header(text), overrides=overrides)
    except RecipeError as error:
        return [(d.code, _place(d), d.message) for d in error.diagnostics]
    return []


def _place(diagnostic: Diagnostic) -> str:
    span = diagnostic.place.span
    return f"{span.line - 2}:{span.column}"


# --- the space ---


def test_dimensions_are_named_by_their_path() -> None:
    space = load(SPEAKER).space()
    depth, sgd = "layers.voice.depth", Condition("training.optimizer", ("sgd",))
    momentum = "training.optimizer.sgd.momentum"
    assert {d.name: d.conditions for d in space.dimensions} == {
        depth: (),
        "layers.voice.type": (),
        "layers.voice.units.1": (),
        "layers.voice.units.2": (Condition(depth, (2, 3)),),
        "layers.voice.units.3": (Condition(depth, (3,)),),
        "layers.voice.dropout": (),
        "training.batch_size": (),
        "training.optimizer": (),
        "training.optimizer.adam.learning_rate": (Condition("training.optimizer", ("adam",)),),
        momentum: (sgd,),
        f"{momentum}.some": (sgd, Condition(momentum, ("some",))),
    }


def test_dimensions_have_the_kinds_that_are_written() -> None:
    found = load(SPEAKER).space().by_name
    assert found["layers.voice.units.2"].range == Range(16, 64, 16)
    assert found["layers.voice.dropout"].range == Range(0.0, 0.5)
    assert found["training.optimizer.adam.learning_rate"].range == Range(1e-4, 1e-2, None, "log")
    assert found["training.optimizer"].choices == ("adam", "sgd")
    assert found["training.batch_size"].choices == (16, 32)


def test_defaults_are_what_is_written_or_the_first() -> None:
    assert load(SPEAKER).space().defaults() == {
        "layers.voice.depth": 1,
        "layers.voice.type": "lstm",
        "layers.voice.units.1": 32,
        "layers.voice.dropout": 0.0,
        "training.batch_size": 32,
        "training.optimizer": "adam",
        "training.optimizer.adam.learning_rate": 1e-4,
    }


def test_a_fixed_depth_lets_every_layer_count() -> None:
    space = load(SPEAKER.replace("{$search: {int: [1, 3]}}", "2")).space()
    units = [d for d in space.dimensions if d.name.startswith("layers.voice.units")]
    assert [(d.name[-1], d.conditions) for d in units] == [("1", ()), ("2", ())]


def test_depths_that_are_chosen_let_layers_count_at_greater_ones() -> None:
    space = load(SPEAKER.replace("{int: [1, 3]}", "{choice: [4, 2]}")).space()
    third = space.by_name["layers.voice.units.3"]
    assert third.conditions == (Condition("layers.voice.depth", (4,)),)
    assert len([name for name in space.by_name if ".units." in name]) == 4


def test_a_depth_may_stand_after_the_units_or_inside_an_alternative() -> None:
    recipe = load("""
    inputs: {x: {shape: [time, 2]}}
    layers:
      y:
        $choose:
          deep:
            type: lstm
            input: x
            units: {$search: {choice: [4, 8], per_layer: true}}
            depth: {$search: {int: [1, 2]}}
          flat: {type: simple_rnn, input: x, units: 2}
    outputs: {y: y}
    """)
    deep = Condition("layers.y", ("deep",))
    assert recipe.space().by_name["layers.y.deep.units.2"].conditions == (
        deep,
        Condition("layers.y.deep.depth", (2,)),
    )
    assert recipe.space().size() == 2 + 2 * 2 + 1
    assert [row.type for row in recipe.at({"layers.y": "flat"}).explain().layers] == ["SimpleRNN"]


# --- ordinary recipes ---


def shapes(recipe: lstmgraph.Recipe) -> dict[str, list[int | str]]:
    return {row.name: row.shape for row in recipe.explain().layers}


def test_a_searchable_recipe_is_an_ordinary_one_with_its_defaults() -> None:
    plain = (
        SPEAKER[: SPEAKER.index("layers:")]
        + """
layers:
  voice: {type: lstm, input: frames, units: [32], dropout: 0.0}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
training: {loss: mse, batch_size: 32, optimizer: {type: adam, learning_rate: 1e-4}}
"""
    )
    searchable, concrete = load(SPEAKER), load(plain)
    assert replace(searchable.explain(), searched=0) == concrete.explain()
    assert searchable.training == concrete.training
    assert lstmgraph.load(searchable.resolved()).explain() == concrete.explain()


def test_a_point_is_a_concrete_recipe() -> None:
    recipe = load(SPEAKER)
    point = {
        "layers.voice.type": "gru",
        "layers.voice.depth": 2,
        "layers.voice.units.1": 64,
        "training.optimizer": "sgd",
        "training.optimizer.sgd.momentum": "some",
        "training.optimizer.sgd.momentum.some": 0.75,
    }
    concrete = recipe.at(point)
    assert shapes(concrete) == {
        "voice_1": ["batch", "time", 64],
        "voice_2": ["batch", 32],
        "speaker": ["batch", 9],
    }
    assert concrete.training is not None
    assert concrete.training["optimizer"]["momentum"] == 0.75
    assert concrete.space().dimensions == ()
    written = concrete.resolved()
    assert "$" not in written
    assert lstmgraph.load(written).explain() == concrete.explain()
    assert shapes(recipe) == {"voice": ["batch", 32], "speaker": ["batch", 9]}


def test_a_point_that_is_none_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"units\.2 applies only where layers\.voice\.depth is 2"):
        load(SPEAKER).at({"layers.voice.units.2": 64})
    with pytest.raises(ValueError, match=r"voice\.unit is not searched; did you mean"):
        load(SPEAKER).at({"layers.voice.unit": 64})
    with pytest.raises(SpaceError, match="is not searched"):
        load(
            "inputs: {x: {shape: [2]}}\nlayers: {y: {type: flatten, input: x}}\noutputs: {y: y}"
        ).at({"layers.y.type": "flatten"})


def test_a_point_at_which_the_recipe_is_wrong_says_where() -> None:
    """Both are right alone: only together is the state of another size than the tensor."""
    recipe = load("""
    inputs: {x: {shape: [time, 2]}, s: {shape: [4]}}
    layers:
      reader:
        type: lstm
        input: x
        units: {$search: {choice: [4, 8]}}
        initial_state:
          $choose:
            bridged: {h: {from: s, bridge: dense}}
            fed: {h: s}
    outputs: {y: reader}
    """)
    with pytest.raises(RecipeError) as caught:
        recipe.at({"layers.reader.units": 8, "layers.reader.initial_state": "fed"})
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.place.span.line) == ("L604", 12)


def test_an_override_fixes_a_value_or_leaves_one_open() -> None:
    fixed = lstmgraph.load(
        with_header(SPEAKER),
        overrides=[
            "layers.voice.depth=2",
            "training.optimizer.adam.learning_rate=1e-3",
            "training.optimizer.sgd.momentum.some=0.6",
            "layers.speaker.units={$search: {int: [9, 12]}}",
        ],
    ).space()
    assert "layers.voice.depth" not in fixed.by_name
    assert fixed.by_name["layers.voice.units.2"].conditions == ()
    assert "training.optimizer.adam.learning_rate" not in fixed.by_name
    assert "training.optimizer.sgd.momentum.some" not in fixed.by_name
    assert fixed.by_name["layers.speaker.units"].range == Range(9, 12)


def test_an_override_of_no_alternative_is_reported() -> None:
    ((code, _, message),) = mistakes(SPEAKER, **{"training.optimizer.adan.learning_rate": 0.1})
    assert code == "L121"
    assert "training.optimizer.adan" in message


# --- what is wrong ---

BASE = """
inputs: {frames: {shape: [time, 12]}, store: {shape: [16]}}
layers:
  voice:
    type: lstm
    input: frames
    units: 16
    initial_state: {h: store}
  speaker: {type: dense, input: voice, units: 9}
outputs: {speaker: speaker}
"""


def test_what_a_value_breaks_elsewhere_is_said_at_the_value() -> None:
    text = BASE.replace("units: 16", "units: {$search: {int: [16, 64], step: 16}}")
    ((code, place, message),) = mistakes(text)
    assert (code, place) == ("L604", "6:33")
    assert message.startswith("with layers.voice.units = 64: the state h of 'voice'")


def test_what_a_value_breaks_is_pointed_at() -> None:
    text = BASE.replace("units: 16", "units: {$search: {int: [16, 64], step: 16}}")
    with pytest.raises(RecipeError) as raised:
        load(text)
    (found,) = raised.value.diagnostics
    notes = [(note.place.span.line, note.message) for note in found.notes]
    assert notes[0] == (9, "the mistake is here")
    assert notes[1] == (3, "'store' is declared here as (batch, 16)")


def test_a_default_that_breaks_something_is_said_where_it_breaks() -> None:
    text = BASE.replace("units: 16", "units: {$search: {int: [8, 64], step: 8}}")
    ((code, place, message),) = mistakes(text)
    assert (code, place) == ("L604", "7:24")
    assert not message.startswith("with")


def test_what_lets_a_dimension_count_is_named_too() -> None:
    text = BASE.replace("units: 16", "units: {$choose: {a: 16, b: {$search: {choice: [16, 8]}}}}")
    ((code, place, message),) = mistakes(text)
    assert (code, place) == ("L604", "6:57")
    assert message.startswith("with layers.voice.units = b and layers.voice.units.b = 8: ")


def test_a_mistake_of_an_alternative_is_not_said_for_all_that_it_holds() -> None:
    text = BASE.replace("units: 16", "units: {$choose: {a: 16, b: {$search: {choice: [9, 8]}}}}")
    assert [message.partition(":")[0] for _, _, message in mistakes(text)] == [
        "with layers.voice.units = b"
    ]


def test_one_range_of_a_stack_has_its_mistake_once() -> None:
    units = "units: {$search: {int: [0, 64], default: 16, per_layer: true}}\n    depth: 3"
    text = BASE.replace("units: 16", units).replace("{h: store}", "{static: [store]}")
    ((code, place, _),) = mistakes(text)
    assert (code, place) == ("L206", "6:29")


def test_a_mistake_beside_a_search_is_said_once_and_as_ever() -> None:
    """Whatever the value is, the misspelt key is the same mistake."""
    text = BASE.replace("units: 16", "units: {$search: {int: [16, 64]}}\n    dropuot: 0.1")
    found = mistakes(text)
    assert [(code, place) for code, place, _ in found] == [("L203", "7:5")]


def test_text_that_is_no_number_is_said_once() -> None:
    text = BASE.replace("units: 16", "units: {$search: {int: [16, .inf]}}")
    assert [code for code, *_ in mistakes(text)] == ["L114"]
    text = BASE.replace("units: 16", "units: {$choose: {a: .nan, b: 16}}")
    assert [code for code, *_ in mistakes(text)] == ["L114"]


def test_two_dimensions_of_one_name_are_refused() -> None:
    document = Document(
        data={
            "training": {
                "loss_weights": {
                    "a.b": {"$search": {"bool": True}},
                    "a": {"b": {"$search": {"bool": True}}},
                }
            }
        }
    )
    collect(document)
    (diagnostic,) = document.diagnostics.found
    assert "would have the name 'training.loss_weights.a.b'" in diagnostic.message


def test_a_choice_of_many_is_checked_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost is bounded: of very many values some are checked, the first among them."""
    monkeypatch.setattr(checks, "MOST", 5)
    document = parse_document(
        with_header(BASE.replace("units: 16", "units: {$search: {choice: %s}}" % [*range(1, 42)]))
    )
    chosen = checks.chosen_variants(document, collect(document).space)
    assert [variant.value for variant in chosen] == [2, 10, 18, 26, 34]


def test_a_large_recipe_is_checked_for_fewer_values() -> None:
    names = [f"y{i}" for i in range(1500)]
    layers = "\n".join(
        f"  {name}: {{type: dense, input: x, units: {{$search: {{int: [1, 9]}}}}}}"
        for name in names[:900]
    )
    text = f"inputs: {{x: {{shape: [2]}}}}\nlayers:\n{layers}\noutputs: {{y: y0}}\n"
    document = parse_document(with_header(text))
    chosen = checks.chosen_variants(document, collect(document).space)
    assert 1 <= len(chosen) < 20


# --- positions ---


def where(document: Document) -> dict[Any, Any]:
    return {path: (place.source, place.span) for path, place in document.values.items()}


def written(data: Any) -> str:
    """YAML with a value on every line, so that places tell values apart."""
    return json.dumps(data, indent=1)


@pytest.mark.slow
@examples(200)
@given(DATA, st.data())
def test_every_value_keeps_the_place_where_it_is_written(data: Any, draw: st.DataObject) -> None:
    document = parse_document(written(data))
    collected = collect(document)
    seed = draw.draw(st.integers(0, 100))
    filled = fill(document, collected, collected.space.sample(random.Random(seed)))
    lines = document.sources["<text>"].splitlines()
    for path, value in leaves(filled.data):
        span = filled.place(path).span
        shown = lines[span.line - 1][span.column - 1 :]
        # A number between two bounds stands nowhere, and of a bool only the default does: then
        # the bounds' name and the default are shown.
        otherwise = ('"int"',) if type(value) is int else ()
        otherwise = ("true", "false") if isinstance(value, bool) else otherwise
        assert shown.startswith((json.dumps(value), *otherwise)), path


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for i, value in enumerate(data) for leaf in leaves(value, (*path, i))]
    return [(path, data)]


def test_a_document_without_searches_is_compiled_as_it_is() -> None:
    document = parse_document(with_header(BASE))
    assert fill(document, collect(document), {}) is document


def test_a_filled_document_leaves_the_written_one_alone() -> None:
    document = parse_document(with_header(SPEAKER))
    before = (json.dumps(document.data), dict(document.values), dict(document.keys))
    collected = collect(document)
    filled = fill(document, collected, collected.space.defaults())
    filled.data["layers"]["voice"]["input"] = "other"
    filled.report("L299", ("name",), "a mistake")
    assert (json.dumps(document.data), document.values, document.keys) == before
    assert not document.diagnostics
    assert replace(filled, data=None).data is None
