"""The best recipe of a search: as it was written, with the values that were found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import lstmgraph
from lstmgraph.authoring.editing.put_data import is_same
from lstmgraph.tuning.best_recipe import best_recipe
from lstmgraph.tuning.recipes import (
    concrete_recipe,
    concrete_text,
    read_payload,
    recipe_payload,
    with_seed,
)

if TYPE_CHECKING:
    from pathlib import Path

SEED = 12345
INPUTS = "recipe: 1\nname: small  # its name\ninputs: {x: {shape: [time, 3]}}\n"
END = """outputs: {y: y}
# how it is trained
training: {loss: mse, epochs: 3}  # short
# what is tried
search:
  max_trials: 4  # few
"""
PLAIN = f"""# a first line
{INPUTS}
layers:
  voice:  # the only recurrent layer
    type: lstm
    input: x
    units: UNITS  # how wide
    # regularised:
    dropout: 0.1
  y: {{type: dense, input: voice, units: 2}}
{END}"""
UNITS = "{$search: {int: [8, 64], step: 8}}"


@dataclass(frozen=True)
class Case:
    """A searched recipe, a point of its space, and what the text at that point must hold."""

    text: str
    values: dict[str, Any]
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ("$search", "$choose", "search:", "what is tried")
    bases: dict[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()


def layers(text: str, **changes: str) -> str:
    """A recipe with these layers; comments of each key stay."""
    return f"{changes.get('head', '')}{INPUTS}layers:\n{text}{changes.get('end', END)}"


RATES = "{choice: [0.0, 0.5]}"
TIED_STACK = """  voice: {type: lstm, input: x,
    depth: '${vars.deep}', units: UNITS, return_sequences: true}
  other: {type: gru, input: voice, depth: '${vars.deep}', units: 4, return_sequences: true}
  y: {type: dense, input: other, units: 2}
""".replace("UNITS", "{$search: {int: [8, 64], step: 8, per_layer: true}}")
STACK = """  voice:
    type: lstm
    input: x
    # how deep
    depth: {$search: {int: [1, 3]}}  # layers
    units: {$search: {int: [8, 64], step: 8, per_layer: true}}  # how wide
  y: {type: dense, input: voice, units: 2}  # two numbers
"""
CHOOSE = """  voice:
    $choose:
      stack:
        type: lstm
        input: x
        units: {$search: {int: [8, 64], step: 8}}
      # both ways
      both:  # slower
        type: gru  # smaller
        input: x
        units: {$search: {int: [4, 16], step: 4}}  # of each way
        # two ways
        bidirectional: true  # forth and back
    default: stack
  y: {type: dense, input: voice, units: 2}
"""
ALIASES = """  voice: {type: lstm, input: x, units: &wide {$search: {int: [8, 64], step: 8}}}
  other: {type: gru, input: x, units: *wide}  # as wide?
  y: {type: concatenate, input: [voice, other]}
"""
ALIASED_LAYER = """  voice: &one  # the first
    type: lstm
    input: x
    units: {$search: {int: [8, 64], step: 8}}
  other: *one
  third:
    <<: *one  # as the first
    dropout: 0.1
  y: {type: concatenate, input: [voice, other, third]}
"""
OPTIMIZER = """training:
  loss: mse  # squares
  optimizer:
    $choose:
      # the usual one
      adam: {type: adam, learning_rate: {$search: {float: [1e-4, 1e-2], scale: log}}}
      sgd:
        type: sgd
        momentum: {$search: {choice: [0.0, 0.9]}}  # inertia
    default: adam  # first
  epochs: 3
"""
ONE = "  voice: {type: lstm, input: x, units: 8}\n  y: {type: dense, input: voice, units: 2}\n"
BASE = """# what all recipes share
layers:
  voice:
    type: lstm
    input: x
    units: {$search: {int: [8, 64], step: 8}}  # as wide as it must be
    dropout: 0.2  # against overfitting
training: {loss: mse, epochs: 3}
"""
OWN = """recipe: 1
name: own
extends: EXTENDS  # what all recipes share
inputs: {x: {shape: [time, 3]}}
layers:
  # the head
  y: {type: dense, input: voice, units: {$search: {int: [1, 4]}}}
outputs: {y: y}
"""

CASES = {
    "flow": Case(
        PLAIN.replace("UNITS", UNITS),
        {"layers.voice.units": 24},
        ("    units: 24  # how wide\n    # regularised:\n", "# a first line\n", "# short\n"),
    ),
    "block": Case(
        PLAIN.replace("UNITS", "  # why\n      $search:\n        int: [8, 64]\n        step: 8"),
        {"layers.voice.units": 24},
        ("    units: 24   # why  # how wide\n    # regularised:\n",),
    ),
    "default": Case(
        PLAIN.replace("UNITS", "{$search: {choice: [1e1, 20]}}".replace("1e1", "10")),
        {"layers.voice.units": 10},
        ("units: 10  # how wide",),
    ),
    "stack of 1": Case(
        layers(STACK),
        {"layers.voice.depth": 1, "layers.voice.units.1": 16},
        ("    units: [16]  # how wide\n", "# two numbers"),
        ("depth", "how deep", "$search"),
    ),
    "stack of 3": Case(
        layers(STACK),
        {"layers.voice.depth": 3, **{f"layers.voice.units.{n}": 8 * n for n in (1, 2, 3)}},
        ("    units: [8, 16, 24]  # how wide\n",),
        ("depth", "$search"),
    ),
    "alternative": Case(
        layers(CHOOSE),
        {"layers.voice": "both", "layers.voice.both.units": 12},
        (
            "  voice:\n    # both ways\n    # slower\n    type: gru  # smaller\n    input: x\n"
            "    units: 12  # of each way\n    # two ways\n    bidirectional: true  # forth and",
        ),
        ("$", "stack", "default"),
    ),
    "alternative before others": Case(
        layers(CHOOSE),
        {"layers.voice": "stack", "layers.voice.stack.units": 8},
        ("  voice:\n    type: lstm\n    input: x\n    units: 8\n  y: {",),
        ("$", "gru"),
    ),
    "alias": Case(
        layers(ALIASES),
        {"layers.voice.units": 8, "layers.other.units": 16},
        ("units: &wide 8}", "units: 16}  # as wide?"),
    ),
    "alias of the same": Case(
        layers(ALIASES),
        {"layers.voice.units": 8, "layers.other.units": 8},
        ("units: &wide 8}", "units: *wide}  # as wide?"),
    ),
    "aliased layers": Case(
        layers(ALIASED_LAYER),
        {"layers.voice.units": 8, "layers.other.units": 16, "layers.third.units": 24},
        (
            "voice: &one  # the first\n",
            "  other: {type: lstm, input: x, units: 16}\n",
            "    <<: *one  # as the first\n    dropout: 0.1\n    units: 24\n",
        ),
    ),
    "aliased layers of the same": Case(
        layers(ALIASED_LAYER),
        {"layers.voice.units": 8, "layers.other.units": 8, "layers.third.units": 8},
        ("  other: *one\n", "    <<: *one  # as the first\n    dropout: 0.1\n  y:"),
    ),
    "anchor in what is not chosen": Case(
        layers(
            "  voice:\n    $choose:\n      a: {type: lstm, input: x, units: &n 8}\n"
            "      b: {type: gru, input: x, units: 16}\n"
            "  y: {type: dense, input: voice, units: *n}  # as many\n"
        ),
        {"layers.voice": "b"},
        ("  voice: {type: gru, input: x, units: 16}\n", "units: 8}  # as many"),
    ),
    "anchored form": Case(
        PLAIN.replace("UNITS", "&u  # why\n      $search: {int: [8, 64], step: 8}"),
        {"layers.voice.units": 24},
        ("    units: &u 24  # why  # how wide\n",),
    ),
    "optimizer in brackets": Case(
        layers(ONE, end=OPTIMIZER + "outputs: {y: y}\n"),
        {"training.optimizer": "adam", "training.optimizer.adam.learning_rate": 0.003},
        ("  optimizer: {type: adam, learning_rate: 0.003}  # first\n  epochs: 3\n", "# squares"),
    ),
    "optimizer in lines": Case(
        layers(ONE, end=OPTIMIZER + "outputs: {y: y}\n"),
        {"training.optimizer": "sgd", "training.optimizer.sgd.momentum": 0.9},
        ("  optimizer:\n    type: sgd\n    momentum: 0.9  # inertia  # first\n  epochs: 3\n",),
    ),
    "in a list": Case(
        layers(
            ONE,
            end="outputs: {y: y}\ntraining:\n  loss: mse\n  metrics:\n"
            "    - mae  # in units\n    - $search: {choice: [mse, mape]}\n    # the last\n",
        ),
        {"training.metrics.1": "mape"},
        ("    - mae  # in units\n    - mape\n    # the last\n",),
    ),
    "a choice that is a mapping": Case(
        PLAIN.replace("UNITS", "8").replace(
            "dropout: 0.1",
            "kernel_initializer: {$search: {choice: [zeros, {type: random_normal, stddev: 0.1}]}}",
        ),
        {"layers.voice.kernel_initializer": {"type": "random_normal", "stddev": 0.1}},
        ("    kernel_initializer: {type: random_normal, stddev: 0.1}\n",),
    ),
    "null": Case(
        PLAIN.replace("UNITS", "8").replace(
            "dropout: 0.1", "kernel_regularizer: {$search: {choice: [null, l2]}}"
        ),
        {"layers.voice.kernel_regularizer": None},
        ("    kernel_regularizer: null\n",),
    ),
    "json": Case(
        json.dumps(lstmgraph.load(PLAIN.replace("UNITS", UNITS)).compiled.written.data, indent=2),
        {"layers.voice.units": 24},
        ('      "units": 24,\n',),
    ),
    "flow all over": Case(
        "{recipe: 1, name: f, search: {max_trials: 2}, inputs: {x: {shape: [time, 3]}},\n"
        "  # one layer\n  layers: {y: {type: lstm, units: {$search: {int: [2, 4]}}, input: x}},\n"
        "  outputs: {y: y}, training: {loss: mse}}",
        {"layers.y.units": 3},
        ("  # one layer\n  layers: {y: {type: lstm, units: 3, input: x}},\n",),
    ),
    "windows line ends": Case(
        PLAIN.replace("UNITS", UNITS).replace("\n", "\r\n"),
        {"layers.voice.units": 24},
        ("    units: 24  # how wide\n",),
    ),
    "variables": Case(
        "vars:\n  most: 64  # at most\n  n: 2  # outputs\n"
        + PLAIN.replace("UNITS", "{$search: {int: [8, '${vars.most}'], step: 8}}").replace(
            "units: 2}", "units: '${vars.n}'}"
        ),
        {"layers.voice.units": 24},
        ("vars:\n  n: 2  # outputs\n", "units: '${vars.n}'}", "units: 24  # how wide"),
        ("most",),
    ),
    "no variable is left": Case(
        "# values\nvars: {most: 64}\n"
        + PLAIN.replace("UNITS", "{$search: {int: [8, '${vars.most}'], step: 8}}"),
        {"layers.voice.units": 24},
        ("units: 24  # how wide",),
        ("vars",),
    ),
    "text that looks like a variable": Case(
        PLAIN.replace("UNITS", UNITS).replace("name: small", "name: small\ndescription: $${x}"),
        {"layers.voice.units": 24},
        ("description: $${x}",),
    ),
    "set": Case(
        PLAIN.replace("UNITS", "16"),
        {"layers.voice.units": 24},
        ("    units: 24  # how wide\n", "    dropout: 0.3\n", "epochs: 5}  # short"),
        overrides=(f"layers.voice.units={UNITS}", "layers.voice.dropout=0.3", "training.epochs=5"),
    ),
    "set what was not there": Case(
        PLAIN.replace("UNITS", "16"),
        {"layers.voice.kernel_regularizer": "l2"},
        ("    dropout: 0.1\n    kernel_regularizer: l2\n  y: {",),
        overrides=("layers.voice.kernel_regularizer={$search: {choice: [l1, l2]}}",),
    ),
    "set in an alternative": Case(
        layers(ONE, end=OPTIMIZER + "outputs: {y: y}\n"),
        {"training.optimizer": "adam"},
        ("  optimizer: {type: adam, learning_rate: 0.5}  # first\n",),
        overrides=("training.optimizer.adam.learning_rate=0.5",),
    ),
    "set to delete": Case(
        PLAIN.replace("UNITS", UNITS),
        {"layers.voice.units": 24},
        ("    units: 24  # how wide\n  y: {",),
        ("dropout", "regularised", "$"),
        overrides=("layers.voice.dropout=$delete",),
    ),
    "set a variable": Case(
        "vars: {n: 2}  # outputs\n"
        + PLAIN.replace("UNITS", UNITS).replace("units: 2}", "units: '${vars.n}'}"),
        {"layers.voice.units": 24},
        ("vars: {n: 7}  # outputs\n",),
        overrides=("vars.n=7",),
    ),
    "base": Case(
        OWN.replace("EXTENDS", "common.yaml"),
        {"layers.voice.units": 24, "layers.y.units": 3},
        (
            "extends: extends/common.yaml  # what all recipes share\n",
            "  # the head\n  y: {type: dense, input: voice, units: 3}\n  voice: {units: 24}\n",
        ),
        bases={"common.yaml": BASE},
    ),
    "bases of bases": Case(
        OWN.replace("EXTENDS", "[./deep/middle.yaml, preset:reproducible]"),
        {"layers.voice.units": 24, "layers.y.units": 3},
        ("extends: [extends/deep/middle.yaml, preset:reproducible]  # what", "voice: {units: 24}"),
        bases={"deep/middle.yaml": "extends: ../common.yaml\n", "common.yaml": BASE},
    ),
    "set over a base": Case(
        OWN.replace("EXTENDS", "common.yaml").replace("{$search: {int: [1, 4]}}", "3"),
        {"layers.voice.dropout": 0.25},
        ("  voice: {units: 16, dropout: 0.25}\n",),
        bases={"common.yaml": BASE},
        overrides=("layers.voice.units=16", "layers.voice.dropout={$search: {float: [0.0, 0.5]}}"),
    ),
    "delete over a base": Case(
        OWN.replace("EXTENDS", "common.yaml"),
        {"layers.voice.units": 24, "layers.y.units": 3},
        ("voice: {units: 24, dropout: $delete}\n",),
        bases={"common.yaml": BASE},
        overrides=("layers.voice.dropout=$delete",),
    ),
    "a variable": Case(
        f"vars: {{n: {UNITS}}}  # of both\n"
        + layers(
            "  voice: {type: lstm, input: x, units: '${vars.n}'}  # first\n"
            "  other: {type: gru, input: x, units: '${vars.n}', dropout: {$search: RATES}}\n"
            "  y: {type: concatenate, input: [voice, other]}\n".replace("RATES", RATES)
        ),
        {"vars.n": 24, "layers.other.dropout": 0.5},
        ("vars: {n: 24}  # of both\n", "units: '${vars.n}'}  # first", "dropout: 0.5}"),
    ),
    "a variable of alternatives": Case(
        "vars:\n  cell:\n    $choose:\n      a: {type: lstm, input: x, units: " + UNITS + "}\n"
        "      b: {type: gru, input: x, units: 2}\n  same: ${vars.cell}\n"
        + layers(
            "  voice: ${vars.cell}\n  other: ${vars.same}\n"
            "  y: {type: concatenate, input: [voice, other]}\n"
        ),
        {"vars.cell": "a", "vars.cell.a.units": 16},
        (
            "  voice: {type: lstm, input: x, units: 16}\n",
            "  other: {type: lstm, input: x, units: 16}\n",
        ),
        ("vars", "$", "gru"),
    ),
    "a depth of a stack": Case(
        "vars: {deep: {$search: {int: [0, 2]}}}\n" + layers(TIED_STACK),
        {"vars.deep": 0},
        ("depth: '${vars.deep}', units: 8, return_sequences: true}\n",),
    ),
    "a variable in a base": Case(
        OWN.replace("EXTENDS", "common.yaml").replace("{$search: {int: [1, 4]}}", "'${vars.n}'"),
        {"vars.n": 32},
        ("vars: {n: 32}", "units: '${vars.n}'}"),
        bases={"common.yaml": f"vars: {{n: {UNITS}}}\n" + BASE.replace(UNITS, "'${vars.n}'")},
    ),
    "preset alone": Case(
        OWN.replace("EXTENDS", "preset:reproducible") + "training: {loss: mse}\n",
        {"layers.y.units": 3},
        ("extends: preset:reproducible  # what", "units: 3}"),
    ),
}
CASES["preset alone"] = Case(
    CASES["preset alone"].text.replace("input: voice", "input: x"),
    {"layers.y.units": 3},
    CASES["preset alone"].holds,
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("is_file", [True, False])
def test_the_best_recipe_is_the_one_that_was_written(
    name: str, is_file: bool, tmp_path: Path
) -> None:
    case = CASES[name]
    if case.bases and not is_file:
        pytest.skip("a text extends presets only")
    source = tmp_path / "source"
    for file, text in {**case.bases, "own.yaml": case.text}.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text, "utf-8", newline="")
    given = source / "own.yaml" if is_file else case.text
    recipe = lstmgraph.load(given, overrides=case.overrides)
    payload = json.loads(json.dumps(recipe_payload(recipe.compiled.written)))
    wanted = with_seed(concrete_recipe(read_payload(payload), case.values, epochs=9), SEED)
    resolved = concrete_text(wanted, ("Trial 7: val_loss 0.5 after epoch 2.",))

    folder = tmp_path / "search"
    trial = folder / "trials" / "0007"
    trial.mkdir(parents=True)
    spec = {"job": {"recipe": payload}, "values": case.values}
    (trial / "spec.json").write_text(json.dumps(spec), "utf-8")
    text = best_recipe(folder, trial, resolved)

    assert text.startswith("# Trial 7: val_loss 0.5 after epoch 2.\n")
    for part in case.holds:
        assert part.replace("epochs: 3", "epochs: 9").replace("epochs: 5", "epochs: 9") in text
    for part in case.lacks:
        assert part not in text
    path = folder / "best.recipe.yaml"
    path.write_text(text, "utf-8")
    found = lstmgraph.load(path)
    assert is_same(found.compiled.completed, wanted.completed)
    assert found.compiled.graph.nodes == wanted.graph.nodes
    assert {w.code for w in found.warnings} <= {w.code for w in recipe.warnings}


def test_a_text_that_cannot_be_changed_safely_is_written_out(tmp_path: Path) -> None:
    """An edited folder whose files do not belong together gets the resolved form."""
    recipe = lstmgraph.load(PLAIN.replace("UNITS", UNITS))
    payload = recipe_payload(recipe.compiled.written)
    wanted = with_seed(concrete_recipe(recipe.compiled.written, {"layers.voice.units": 8}), SEED)
    resolved = concrete_text(wanted)
    trial = tmp_path / "trials" / "0000"
    trial.mkdir(parents=True)
    outside = {"written": {**payload, "bases": {"../../own.yaml": "recipe: 1"}}, **payload}
    for values, job in (
        ({"layers.voice.units": 16}, payload),
        ({"layers.voice.units": 9}, payload),
        ({"layers.voice.units": 8}, {**payload, "text": "a: ["}),
        ({"layers.voice.units": 8}, outside),
        ([], payload),
        ({}, None),
    ):
        (trial / "spec.json").write_text(json.dumps({"job": {"recipe": job}, "values": values}))
        assert best_recipe(tmp_path, trial, resolved) == resolved
    (trial / "spec.json").unlink()
    assert best_recipe(tmp_path, trial, resolved) == resolved
    assert [path.name for path in tmp_path.rglob("*.yaml")] == []
