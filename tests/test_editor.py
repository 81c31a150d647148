"""The language server that editors run for YAML, on recipes with their schema line.

It is not a Python package: ``npm ci --prefix tests/npm`` installs it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from building import RECIPES, SHIPPED
from language_server import SERVER, LanguageServer
from programs import needs

from lstmgraph.resources import KERAS_SCHEMA, RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs(
    "editor",
    SERVER.exists() and shutil.which("node"),
    "run `npm ci --ignore-scripts --prefix tests/npm`, which needs Node.js",
)

SCHEMA_LINE = "# yaml-language-server: $schema=../schemas/recipe-1.editor.schema.json\n"
HEAD = SCHEMA_LINE + "recipe: 1\nname: small\ninputs: {x: {shape: [time, 2]}}\noutputs: {y: y}\n"
LSTM = "layers:\n  y:\n    type: lstm\n"
RECURRENT = set(read_schema(RECIPE_SCHEMA)["$defs"]["recurrent"]["properties"])


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with LanguageServer(RECIPES) as running:
        yield running


def at_cursor(body: str) -> tuple[str, tuple[int, int]]:
    """A recipe and the place of the ``|`` in its `body`."""
    before, _, after = (HEAD + body).partition("|")
    line = before.count("\n")
    return before + after, (line, len(before.rpartition("\n")[2]))


def offered(server: LanguageServer, body: str) -> set[str]:
    """Labels of what is offered at the ``|``; not of skeletons, which fill in several keys."""
    return {item["label"] for item in server.completions(*at_cursor(body)) if item["kind"] != 7}


def keras_arguments(name: str) -> set[str]:
    return set(read_schema(KERAS_SCHEMA)["$defs"][name]["properties"])


# --- right recipes ---


def test_shipped_recipes_have_the_schema_line_and_no_mistakes(server: LanguageServer) -> None:
    texts = [path.read_text("utf-8") for path in SHIPPED]
    assert all(text.startswith(SCHEMA_LINE) for text in texts)
    found = server.diagnostics(texts)
    assert not {
        path.stem: mistakes for path, mistakes in zip(SHIPPED, found, strict=True) if mistakes
    }


@pytest.mark.skipif(
    "extends" not in read_schema(RECIPE_SCHEMA)["properties"], reason="recipes extend none"
)
def test_parts_of_recipes_and_variables_are_no_mistakes(server: LanguageServer) -> None:
    head = SCHEMA_LINE + "recipe: 1\nname: own\nextends: common.yaml\nvars: {size: 32}\n"
    right = (
        "layers:\n  y: {units: '${vars.size}', dropout: $delete}\n  z: $delete\n"
        "training: {optimizer: {learning_rate: '${vars.size}'}}\n"
    )
    wrong = "layers:\n  y: {type: lstm, unit: 32}\n"
    found, mistakes = server.diagnostics([head + right, head + wrong])
    assert not found
    assert ["unit is not allowed" in each["message"] for each in mistakes] == [True]


# --- keys ---


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lstm", RECURRENT - {"type", "reset_after"}),
        ("gru", RECURRENT - {"type", "unit_forget_bias"}),
        ("simple_rnn", RECURRENT - {"type", "reset_after", "unit_forget_bias",
                                    "recurrent_activation"}),
        ("dense", keras_arguments("Dense") - {"type"}),
        ("conv1d", keras_arguments("Conv1D") - {"type"}),  # not those of conv1d_transpose
        ("add", keras_arguments("Add") - {"type"}),  # not those of additive_attention
        ("Embedding", keras_arguments("Embedding") - {"type"}),
    ],
)  # fmt: skip
def test_a_layer_is_offered_its_own_arguments(
    server: LanguageServer, kind: str, expected: set[str]
) -> None:
    found = offered(server, f"layers:\n  y:\n    type: {kind}\n    |\n")
    assert found == expected  # and not `call`, which stands in the place of `type`


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("layers:\n  y:\n    |\n", {"type", "call", "input", "$search", "$choose"}),
        ("layers:\n  y:\n    type: rnn\n    cells:\n      - type: simple_rnn_cell\n        |\n",
         {"units", "activation", "dropout"}),
        ("layers:\n  y:\n    call: z\n    |\n", {"input", "mask", "initial_state"}),
        ("layers:\n  y:\n    input: x\n    |\n", {"type", "call"}),
        (LSTM + "    mask:\n      |\n", {"value", "lengths", "input", "from", "$search"}),
        (LSTM + "    initial_state:\n      |\n",
         {"constant", "inputs", "static", "from", "h", "c", "$search"}),
        (LSTM + "    units:\n      |\n", {"$search", "$choose"}),
        (LSTM + "    units:\n      $search:\n        |\n", {"int", "float", "choice", "bool"}),
        ("training:\n  |\n", {"optimizer", "loss", "metrics", "callbacks", "epochs"}),
        ("training:\n  callbacks:\n    |\n", {"early_stopping", "checkpoint"}),
        ("data:\n  inputs:\n    x:\n      |\n", {"columns", "length_of"}),
        ("models:\n  step:\n    |\n", {"derive", "inputs", "outputs"}),
        ("|\n", {"layers", "runtime", "training", "search", "data", "models"}),
    ],
)  # fmt: skip
def test_keys_that_may_stand_here_are_offered(
    server: LanguageServer, body: str, expected: set[str]
) -> None:
    assert offered(server, body) >= expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (LSTM + "    mask:\n      value: 0.0\n      |\n", {"padding"}),
        (LSTM + "    initial_state:\n      from: x\n      |\n", {"bridge"}),
        (LSTM + "    initial_state:\n      static: [x]\n      |\n", {"activation"}),
        (LSTM + "    kernel_initializer:\n      type: random_normal\n      |\n",
         {"mean", "stddev", "seed"}),
        ("training:\n  optimizer:\n    type: adam\n    |\n",
         keras_arguments("optimizer.Adam") - {"type"}),
        ("search:\n  oracle:\n    type: hyperband\n    |\n",
         {"max_epochs", "factor", "hyperband_iterations"}),
    ],
)  # fmt: skip
def test_no_other_keys_are_offered(server: LanguageServer, body: str, expected: set[str]) -> None:
    """Not those of other forms and types, and no search where its value is begun already."""
    assert offered(server, body) == expected


# --- values ---


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("layers:\n  y:\n    type: |\n", {"lstm", "gru", "rnn", "dense", "conv1d", "Dense"}),
        (LSTM + "    activation: |\n", {"tanh", "relu", "sigmoid"}),
        ("layers:\n  y:\n    type: dense\n    activation: |\n", {"relu", "softmax", "null"}),
        (LSTM + "    use_bias: |\n", {"true", "false"}),
        (LSTM + "    mask: |\n", {"inherited", "none", "{lengths: lengths}"}),
        (LSTM + "    initial_state: |\n",
         {"zeros", "learned", "input", "carried", "{static: [store], activation: tanh}"}),
        (LSTM + "    kernel_initializer: |\n", {"glorot_uniform", "orthogonal"}),
        (LSTM + "    units: |\n", {"64", "[128,64]"}),
        (LSTM + "    units: {$search: |}\n", {"{bool: true}", "{choice: [tanh, relu]}"}),
        ("training:\n  loss: |\n", {"mse", "sparse_categorical_crossentropy"}),
        ("training:\n  optimizer: |\n", {"adam", "sgd"}),
        ("training:\n  metrics: [|]\n", {"mae", "accuracy"}),
        ("training:\n  optimizer:\n    type: adam\n    learning_rate:\n      type: |\n",
         {"cosine_decay", "exponential_decay"}),
        ("runtime:\n  kernel: |\n", {"auto", "cudnn", "standard", "unrolled"}),
        ("runtime:\n  xla: |\n", {"auto", "true", "false"}),
        ("search:\n  oracle:\n    type: |\n", {"random", "grid", "bayesian", "hyperband"}),
        ("models:\n  step:\n    derive: |\n", {"encoder", "decoder", "step"}),
    ],
)  # fmt: skip
def test_values_are_offered(server: LanguageServer, body: str, expected: set[str]) -> None:
    assert offered(server, body) >= expected


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (LSTM + "    units: |\n", {"int"}),
        (LSTM + "    dropout: |\n", {"float"}),
        (LSTM + "    activation: |\n", {"choice"}),
        (LSTM + "    bidirectional: |\n", {"bool"}),
        (LSTM + "    initial_state: |\n", {"choice"}),
        ("training:\n  optimizer: |\n", {"choice"}),
        ("training:\n  batch_size: |\n", {"int"}),
        ("training:\n  optimizer:\n    type: adam\n    learning_rate: |\n", {"float"}),
        ("name: |\n", set()),
        ("inputs:\n  x:\n    dtype: |\n", set()),
        ("search:\n  max_trials: |\n", set()),
        ("models:\n  step:\n    derive: |\n", set()),
    ],
)
def test_a_search_is_offered_where_a_value_may_be_searched(
    server: LanguageServer, body: str, form: set[str]
) -> None:
    """As the kind of search that such a value has."""
    head = body.partition(":")[0]
    text, place = at_cursor(body)
    if head in ("name", "inputs"):  # not twice in one recipe
        text = SCHEMA_LINE + body.replace("|", "")
        place = (place[0] - 4, place[1])
    items = [i for i in server.completions(text, place) if i["label"].startswith("$search")]
    written = json.dumps([item["insertText"] for item in items])
    assert written.count("$") == written.count("\\\\$search:")  # else it is a place to fill in
    assert {kind for kind in ("int", "float", "choice", "bool") if f"{kind}:" in written} == form


# --- what is shown ---


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (LSTM + "    un|its: 3\n", ["#### Units", "a list makes a stack", "64"]),
        (LSTM + "    drop|out: 0.1\n", ["#### Dropout", "set to 0 in training", "Default: 0.0"]),
        (LSTM + "    ma|sk: none\n", ["#### Mask", "Which time steps count", "`inherited`"]),
        (LSTM + "    mask: {len|gths: n}\n", ["#### Lengths", "how many steps of each row"]),
        (LSTM + "    initial_st|ate: {static: [x]}\n", ["one dense projection for each state"]),
        (LSTM + "    un|its: {$search: {int: [1, 2]}}\n", ["in place of a value"]),
        ("layers:\n  |y:\n    type: dense\n    units: 3\n", ["weighted sum", "layers.Dense"]),
        ("layers:\n  y:\n    ty|pe: conv1d\n", ["Slides learned filters along a sequence"]),
        ("layers:\n  y:\n    type: dense\n    kernel_reg|ularizer: l2\n",
         ["#### Kernel regularizer", "added to the loss for the kernel"]),
        ("training:\n  opti|mizer: {type: adam}\n", ["running means of gradients"]),
        ("training:\n  optimizer: {type: adam, beta|_1: 0.9}\n",
         ["#### Beta 1", "Default: 0.9"]),
        ("search:\n  ora|cle: {type: grid}\n", ["#### Oracle", "keras-tuner"]),
    ],
)  # fmt: skip
def test_hover_says_what_a_key_is(server: LanguageServer, body: str, expected: list[str]) -> None:
    shown = server.hover(*at_cursor(body))
    assert not [words for words in expected if words not in shown], shown


# --- mistakes ---

WHOLE = LSTM + "    input: x\n    units: 3\n"
MISTAKES = [
    (WHOLE + "    «drop_out»: 0.1\n", "drop_out is not allowed"),
    (WHOLE + "    «reset_after»: true\n", "reset_after is not allowed"),
    (LSTM + "    input: x\n    units: «many»\n", "Expected one of integer, array"),
    (WHOLE + "    dropout: «1.5»\n", "above the exclusive maximum of 1"),
    (WHOLE + "    mask: {«lenghts»: x}\n", "lenghts is not allowed"),
    (WHOLE + "    mask: «nothing»\n", 'Valid values: "inherited", "none"'),
    (WHOLE + "    initial_state: {«statc»: [x]}\n", "statc is not allowed"),
    (WHOLE + "    dropout: {$search: {float: [0, 1], «stepp»: 0.1}}\n", "stepp is not allowed"),
    ("layers:\n  y:\n    type: «lstmm»\n    input: x\n", "Value is not accepted"),
    ("layers:\n  y: {type: dense, input: x, units: 3, activation: «tanhh»}\n", "not accepted"),
    ("layers:\n  «y»: {type: dense, input: x}\n", 'Missing property "units"'),
    (WHOLE + "training: {loss: mse, optimizer: {type: adam, «rate»: 1}}\n", "rate is not allowed"),
    (WHOLE + "«trainng»: {loss: mse}\n", "trainng is not allowed"),
]


def test_mistakes_are_underlined_where_they_are(server: LanguageServer) -> None:
    """One each, from the first character of the key or the value to its last."""
    texts = [(HEAD + body).replace("«", "").replace("»", "") for body, _ in MISTAKES]
    for (body, message), found in zip(MISTAKES, server.diagnostics(texts), strict=True):
        assert len(found) == 1, (body, found)
        assert message in found[0]["message"]
        assert underlined(HEAD + body) == found[0]["range"], body


def underlined(text: str) -> dict[str, dict[str, int]]:
    """The range that ``«»`` marks in `text`."""
    before, _, rest = text.partition("«")
    line, start = before.count("\n"), len(before.rpartition("\n")[2])
    end = start + rest.index("»")
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    }
