"""Weights of PyTorch: the numbers that torch computed itself, by ``tests/pytorch/make.py``."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import load, outputs_of, with_header
from typer.testing import CliRunner, Result

from lstmgraph import WeightsFileError
from lstmgraph.cli import app
from lstmgraph.interop.torch_weights.transfer import transfer_torch

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HERE = Path(__file__).parent / "pytorch"
EXPECTED = np.load(HERE / "expected.npz")
LENGTHS = np.array([5, 2, 3], "int32")
MOST = 1e-6
"""The largest error that is allowed, of numbers up to 1."""

RNN = """
inputs: {{x: {{shape: [time, 3]}}, n: {{shape: [], dtype: int32}}}}
layers:
  reader:
    type: {kind}
    input: x
    units: {units}
    bidirectional: {both}
    mask: {{lengths: n}}
    initial_state: input
outputs: {{y: reader.sequence, state: reader.state}}
"""
PLAIN = """
inputs: {{x: {{shape: [time, 3]}}}}
layers: {{rnn: {{type: {kind}, input: x, units: {units}, bidirectional: {both}}}}}
outputs: {{y: rnn.sequence}}
"""
TAGGER = """
inputs: {words: {shape: [5], dtype: int32}}
layers:
  embedding: {type: embedding, input: words, input_dim: 11, output_dim: 6}
  mixed: {type: conv1d, input: embedding, filters: 8, kernel_size: 3, padding: same}
  normed: {type: layer_normalization, input: mixed, epsilon: 1e-5}
  reader: {type: simple_rnn, input: normed, units: 4, return_sequences: true}
  hidden: {type: dense, input: reader, units: 5, activation: tanh}
  tags: {type: time_distributed, input: hidden, layer: {type: dense, units: 2}}
outputs: {tags: tags}
"""


def states_of(name: str, both: bool) -> list[str]:
    """The names of PyTorch's states in order: by layer, then by direction."""
    layers = ["_1", "_2"] if "-2" in name else [""]
    return [
        f"{layer}{side}"
        for layer in layers
        for side in (["_forward", "_backward"] if both else [""])
    ]


@pytest.mark.parametrize("both", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent(kind: str, layers: int, both: bool) -> None:
    name = f"{kind}-{layers}{'-both' if both else ''}"
    own = {"kind": kind, "units": [4] * layers if layers > 1 else 4, "both": str(both).lower()}
    path = HERE / f"{name}.pt"
    found = transfer_torch(path, load(RNN.format(**own)))
    assert {each.outcome for each in found.layers} == {"loaded"}
    given = EXPECTED[f"{name}/states"]
    slots = ["h", "c"][: len(given)]
    for masked in (False, True):
        for begun in (False, True):
            key = f"{name}/{'packed' if masked else 'plain'}-{'begun' if begun else 'zeros'}"
            batch = {"x": EXPECTED[f"{name}/x"], "n": LENGTHS if masked else np.full(3, 5, "int32")}
            for slot, states in zip(slots, given, strict=True):
                for part, state in zip(states_of(name, both), states, strict=True):
                    batch[f"reader{part}_{slot}"] = state if begun else np.zeros_like(state)
            outputs = outputs_of(found.model, batch)
            np.testing.assert_allclose(outputs["y"], EXPECTED[f"{key}-y"], rtol=0, atol=MOST)
            for slot, states in zip(slots, EXPECTED[f"{key}-last"], strict=True):
                for part, state in zip(states_of(name, both), states, strict=True):
                    if f"state{part}_{slot}" in outputs:
                        own_state = outputs[f"state{part}_{slot}"]
                        np.testing.assert_allclose(own_state, state, rtol=0, atol=MOST)
    unmasked = transfer_torch(path, load(PLAIN.format(**own))).model
    outputs = outputs_of(unmasked, {"x": EXPECTED[f"{name}/x"]})
    wanted = EXPECTED[f"{name}/plain-zeros-y"]
    np.testing.assert_allclose(outputs["y"], wanted, rtol=0, atol=MOST)


@pytest.mark.parametrize("file", ["tagger.safetensors", "tagger.pt", "tagger-bfloat16.safetensors"])
def test_every_kind_of_module(file: str) -> None:
    found = transfer_torch(HERE / file, load(TAGGER))
    assert {each.outcome for each in found.layers} == {"loaded"}
    assert [(pair.source, pair.target) for pair in found.pairs] == [
        *[("embedding", "embedding"), ("conv", "mixed"), ("norm", "normed"), ("rnn", "reader")],
        *[("hidden", "hidden"), ("out", "tags")],
    ]
    (note,) = found.notes
    assert note.code == "M405"
    assert "batch.running_mean" in note.message  # BatchNorm1d is none of these modules
    outputs = outputs_of(found.model, {"words": EXPECTED["tagger/words"].astype("int32")})
    wanted = EXPECTED["tagger/y"]
    most = 0.1 if "bfloat16" in file else MOST * np.abs(wanted).max()
    np.testing.assert_allclose(outputs["tags"], wanted, rtol=0, atol=most)


def test_what_weights_do_not_tell() -> None:
    text = TAGGER.replace(", epsilon: 1e-5", "").replace(
        "simple_rnn,", "simple_rnn, activation: relu,"
    )
    notes = transfer_torch(HERE / "tagger.pt", load(text)).notes
    assert [note.message[:9] for note in notes if note.code == "M406"] == [
        "'normed' ",
        "'reader' ",
    ]


LARGER = {
    "a layer in a stack": (
        RNN.format(kind="lstm", units=[4, 6], both="false"),
        "lstm-2.pt",
        {"reader_1": "loaded", "reader_2": "shape"},
    ),
    "both directions": (
        RNN.format(kind="gru", units=7, both="true"),
        "gru-1-both.pt",
        {"reader": "shape"},
    ),
    "by name, and by kind": (
        TAGGER.replace("units: 5", "units: 6").replace("filters: 8", "filters: 9"),
        "tagger.pt",
        {
            **{"embedding": "loaded", "mixed": "shape", "normed": "shape"},
            **{"reader": "shape", "hidden": "shape", "tags": "shape"},
        },
    ),
}


@pytest.mark.parametrize("case", LARGER)
def test_other_shapes_are_no_missing_layers(case: str) -> None:
    """A module and a layer of one kind whose sizes differ: both shapes are said, of one layer."""
    text, file, wanted = LARGER[case]
    found = transfer_torch(HERE / file, load(text))
    assert {each.name: each.outcome for each in found.layers} == wanted
    for each in found.layers:
        assert (each.given == each.wanted) is (each.outcome == "loaded")
        assert len(each.given) == len(each.wanted)


def test_kinds_that_differ_stay_missing() -> None:
    text = TAGGER.replace("type: simple_rnn", "type: gru")
    found = transfer_torch(HERE / "tagger.pt", load(text))
    outcomes = {each.name: each.outcome for each in found.layers}
    assert outcomes["reader"] == "missing"
    assert outcomes["rnn"] == "left over"


TWINS = """
inputs: {x: {shape: [4]}}
layers:
  first: {type: dense, input: x, units: 4}
  second: {type: dense, input: first, units: 4}
outputs: {y: second}
"""


def saved(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A .safetensors file, written as its documentation says; tensors are sorted by name."""
    header, data = {}, b""
    for name, array in sorted(tensors.items()):
        content = array.astype("<f4").tobytes()
        ends = [len(data), len(data) + len(content)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": ends}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["transfer", *map(str, arguments)])


def test_map_decides(tmp_path: Path) -> None:
    """Modules that are alike have no order in a .safetensors file, unless they are numbered."""
    random = np.random.default_rng(0)
    weights = {f"{n}.weight": random.normal(size=(4, 4)) for n in ("out", "hidden")}
    source = saved(tmp_path / "twins.safetensors", weights)
    recipe = tmp_path / "twins.yaml"
    recipe.write_text(with_header(TWINS))
    target = tmp_path / "twins.keras"
    left = invoke(source, recipe, "-o", target)
    assert left.exit_code == 1
    assert "M407" in left.output
    assert not target.exists()
    maps = ["--map", "out=second", "--map", "hidden=first", "--format", "json"]
    told = invoke(source, recipe, "-o", target, *maps)
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["complete"]
    assert {"from": "out", "to": "second", "by": "given"} in found["mapping"]
    numbered = {f"layers.{n}.weight": random.normal(size=(4, 4)) for n in (2, 10)}
    model = transfer_torch(saved(source, numbered), load(TWINS)).model
    np.testing.assert_allclose(
        model.get_layer("first").kernel, numbered["layers.2.weight"].T, rtol=1e-6
    )
    wrong = [("nothing=first", "M404"), ("out=nothing", "M404"), ("out", "MODULE=LAYER")]
    wrong.append(("wide=first", "M408"))
    saved(source, {**weights, "wide.weight": random.normal(size=(4, 5))})
    for given, message in wrong:
        result = invoke(source, recipe, "-o", target, "--force", "--map", given)
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "pytorch.md").read_text()
    recipe, shown = page.split("```yaml\n")[1].split("```")[0], page.split("```text\n")[2]
    (tmp_path / "tagger.yaml").write_text(recipe)
    result = invoke(HERE / "tagger.pt", tmp_path / "tagger.yaml", "-o", tmp_path / "tagger.keras")
    assert result.exit_code == 0
    assert result.stdout.startswith(shown.split("```")[0])


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


def archive(path: Path, pickled: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/data.pkl", pickled)
        for name, content in members.items():
            file.writestr(f"m/data/{name}", content)
    return path


def tensor(shape: str, strides: str, count: int = 4, offset: int = 0) -> bytes:
    """The pickle of a state dict with one tensor, by hand."""
    return (
        b"\x80\x02}(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuI%d\ntQI%d\n(%st(%st\x89Ntu."
        % (count, offset, shape.encode(), strides.encode())
    ).replace(b"tQ", b"tQ")


def test_hostile_pickles(tmp_path: Path) -> None:
    """Nothing runs, nothing is large, and each has a clear error."""
    target, path = tmp_path / "touched", tmp_path / "evil.pt"
    recipe = load(TWINS)
    pickles = {
        "code": pickle.dumps(Evil(target)),
        "code in a dictionary": pickle.dumps({"first.weight": Evil(target)}),
        "an object": pickle.dumps(Path("x")),
        "the operation OBJ": b"(cos\nsystem\nX\x04\x00\x00\x00trueo.",
        "the operation INST": b"(S'true'\nios\nsystem\n.",
        "the operation EXT1": b"\x82\x01.",
        "nothing": b"",
        "half": pickle.dumps({"a": 1})[:-3],
        "a huge number": b"\x8b\xff\xff\xff\x7f.",
        "itself": b"}q\x00X\x01\x00\x00\x00ah\x00s.",
        "zeros": bytes(60_000_000),
        "a tensor beyond its numbers": tensor("I5\n", "I1\n"),
        "an offset beyond": tensor("I2\n", "I1\n", offset=3),
        "a repeated number": tensor("I1000000000\n", "I0\n"),
        "negative": tensor("I2\n", "I-1\n"),
        "too many axes": tensor("I1\n" * 40, "I1\n" * 40),
        "a wrong length": tensor("I4\n", "I1\n", count=5),
        "huge": tensor("I4\n", "I1\n", count=10**12),
    }
    for content in pickles.values():
        archive(path, content, **{"0": bytes(16)})
        with pytest.raises(WeightsFileError, match=r"^M40[23]"):
            transfer_torch(path, recipe)
    for content in (b"", b"\x80\x02}.", b"PK\x03\x04", pickle.dumps(Evil(target))):
        path.write_bytes(content)
        with pytest.raises(WeightsFileError, match=r"^M402"):
            transfer_torch(path, recipe)
    with pytest.raises(WeightsFileError, match=r"^M403.*an object of __main__\.Tagger"):
        transfer_torch(HERE / "whole-module.pt", recipe)
    assert not target.exists()


def test_hostile_safetensors(tmp_path: Path) -> None:
    path, recipe = tmp_path / "evil.safetensors", load(TWINS)
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    changes: list[Any] = [
        *(
            {**entry, "shape": shape}
            for shape in ([3], [-1], [10**12], ["2"], "2", [2.0], [1] * 40)
        ),
        *({**entry, "data_offsets": ends} for ends in ([0, 9], [8, 0], [-8, 0], [0], [0, 10**18])),
        *({**entry, "dtype": dtype} for dtype in ("F8_E4M3", 7, None, "__class__")),
        *(None, [], {}, "F32"),
    ]
    headers = [json.dumps({"first.weight": change}).encode() for change in changes]
    headers += [b"[]", b"{", b"\xff", b"[" * 100_000, b""]
    files = [struct.pack("<Q", len(header)) + header + bytes(8) for header in headers]
    files += [b"", b"\x01", struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 10**9) + b"{}"]
    for content in files:
        path.write_bytes(content)
        with pytest.raises(WeightsFileError, match=r"^M401"):
            transfer_torch(path, recipe)
