"""Files that somebody made to do harm: nothing of them runs, and all end in a clear error."""

from __future__ import annotations

import copy
import json
import math
import random
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lstmgraph.interop.inlining import inlined
from lstmgraph.interop.reading import read_model
from lstmgraph.interop.shapes import with_shapes
from lstmgraph.interop.weights import read_weights
from lstmgraph.messages.errors import ModelFileError, WeightsFileError

FILES = Path(__file__).parent / "keras2" / "files.zip"


def tensor(layer: str, call: int = 0, output: int = 0) -> dict[str, Any]:
    own = {"shape": [None, 4, 3], "dtype": "float32", "keras_history": [layer, call, output]}
    return {"class_name": "__keras_tensor__", "config": own}


def layer(kind: str, name: str, *nodes: Any, module: str = "keras.layers", **own: Any) -> Any:
    calls = [{"args": [node], "kwargs": {}} for node in nodes]
    config = {"name": name, **own}
    return {
        "module": module,
        "class_name": kind,
        "config": config,
        "registered_name": None,
        "name": name,
        "inbound_nodes": calls,
    }


def model(*layers: Any, output: str = "y") -> dict[str, Any]:
    first = layer("InputLayer", "x", batch_shape=[None, 4, 3], dtype="float32")
    config = {
        "name": "m",
        "layers": [first, *layers],
        "input_layers": ["x", 0, 0],
        "output_layers": [output, 0, 0],
    }
    return {"module": "keras", "class_name": "Functional", "config": config}


def lstm(name: str = "y", source: str = "x", **own: Any) -> Any:
    return layer("LSTM", name, tensor(source), units=2, **own)


def refused(source: Any, *codes: str) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_model(source)
    assert {found.code for found in caught.value.diagnostics} == set(codes)
    return str(caught.value)


CODE = {
    "class_name": "__lambda__",
    "config": {"code": "4wEAAAA=", "defaults": None, "closure": None},
}

DOTS = {"class_name": "__ellipsis__", "config": {}}
LAMBDA = {"class_name": "Lambda", "config": {}}


def test_everything_that_cannot_be_read_is_named_at_once() -> None:
    text = refused(
        model(
            layer("Lambda", "run", tensor("x"), function=CODE),
            layer("Evil", "mine", tensor("run"), module="os"),
            layer("Dense", "dense", tensor("mine"), units=2, activation="my_activation"),
            layer("Dense", "code", tensor("mine"), units=2, activation=CODE),
            layer(
                "Dense",
                "own",
                tensor("mine"),
                units=2,
                kernel_initializer={"module": "evil", "class_name": "Init", "config": {}},
                bias_regularizer={"module": "builtins", "class_name": "function", "config": "exec"},
            ),
            layer("Dense", "odd", tensor("mine"), units="many", sparkle=True),
            layer("NoSuchLayer", "unknown", tensor("mine")),
            layer("Map", "op", tensor("mine"), module="keras.src.ops.core"),
            layer("Bidirectional", "y", tensor("mine"), layer=LAMBDA),
        ),
        "M103", "M105", "M106", "M107", "M108", "M109",
    )  # fmt: skip
    for name in ("run", "mine", "dense", "code", "own", "odd", "unknown", "op", "y"):
        assert f"layer '{name}'" in text


@pytest.mark.parametrize(
    "kind", ["os.system", "subprocess.Popen", "evil.Functional", "__import__", "Custom>Thing"]
)
def test_other_classes_are_refused(kind: str) -> None:
    module, _, name = kind.rpartition(".")
    assert kind.rpartition(".")[2] in refused(
        {"module": module or None, "class_name": name, "config": {"layers": []}}, "M104"
    )


def test_graphs_that_are_none() -> None:
    circle = model(lstm("a", "b"), lstm("b", "a"), output="a")
    assert "in a circle" in refused(circle, "M111")
    assert "does not exist" in refused(model(lstm(source="nobody")), "M111")
    refused(model(layer("LSTM", "y", tensor("x", 7), units=2)), "M111")
    refused(model(layer("LSTM", "y", tensor("x", -1), units=2)), "M111")
    refused(model(layer("LSTM", "y", tensor("x", 10**30), units=2)), "M111")
    refused(model(layer("LSTM", "y", tensor("x", 0, 10**30), units=2)), "M111")
    refused(model(layer("LSTM", "y", tensor("y"), units=2)), "M111")
    empty = model(layer("Dense", "y", [], units=2))
    empty["config"]["layers"][1]["inbound_nodes"][0]["args"] = []
    follow(read_model(empty))
    assert "'y': two layers" in refused(model(lstm(), lstm()), "M110")
    refused(model(lstm(), output="z"), "M111")


def test_sizes_beyond_bounds(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    refused({**model(lstm()), "build_config": deep}, "M102")
    path = tmp_path / "deep.json"
    path.write_text('{"a":' + "[" * 200_000 + "]" * 200_000 + "}")
    refused(path, "M102")
    path.write_text('{"class_name": "Functional", "config": {"a": ' + "9" * 5000 + "}}")
    refused(path, "M101")
    many = model()
    many["config"]["layers"] *= 20_001
    assert "20,000 layers" in refused(many, "M102")
    inner = model(lstm())
    for number in range(30):  # each calls the one before twice
        twice = layer("Functional", "n", tensor("x"), tensor("x"), module="keras.models")
        twice["config"] = {**inner["config"], "name": "n"}
        inner = model(twice, output="n")
        inner["config"]["name"] = f"level {number}"
        inner["config"]["output_layers"] = ["n", 2, 0]
    with pytest.raises(ModelFileError):
        inlined(with_shapes(read_model(inner)))


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 100_000_000)
    tracemalloc.start()
    refused(path, "M102")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    path.write_bytes(path.read_bytes()[:1000])
    refused(path, "M101")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")
    refused(path, "M101")
    for text in ("", "[]", "null", "{", '{"class_name": 1}', "\0", "NaN"):
        path.write_text(text)
        with pytest.raises(ModelFileError):
            read_model(path)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(folder)
    return folder


def test_hdf5_that_refers_elsewhere_or_lies(old: Path, tmp_path: Path) -> None:
    whole = (old / "gru.h5").read_bytes()
    path = tmp_path / "m.h5"

    def changed(change: Any) -> None:
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            change(file)
        for read in (read_model, lambda each: read_weights(each, read_model(old / "gru.h5"))):
            with pytest.raises((ModelFileError, WeightsFileError)):
                read(path)

    def replaced(name: str, value: Any) -> Any:
        def change(file: h5py.File) -> None:
            del file[name]
            file[name] = value

        return change

    weight = "model_weights/before/before/gru_cell/kernel:0"
    changed(replaced(weight, h5py.ExternalLink(str(old / "lstm.h5"), "/model_weights")))
    changed(replaced(weight, h5py.SoftLink("/model_weights")))
    changed(replaced(weight, "text"))
    changed(replaced("model_weights/before", np.zeros(3)))
    changed(lambda file: file["model_weights/out"].attrs.create("weight_names", [b"../x"]))
    changed(lambda file: file["model_weights/out"].attrs.create("weight_names", [1.5]))
    changed(lambda file: file["model_weights"].attrs.create("layer_names", [b"out", b"out"]))
    changed(lambda file: file["model_weights"].attrs.create("layer_names", [b"nobody"]))
    numbers = random.Random(3)
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(numbers.choice([1, 8, 64])):
            damaged[numbers.randrange(len(damaged))] = numbers.randrange(256)
        path.write_bytes(bytes(damaged))
        tried(path)
        path.write_bytes(whole[: numbers.randrange(len(whole))])
        tried(path)


def tried(source: Any) -> None:
    """Read a model and follow it, with no other error than the two for files."""
    try:
        read = read_model(source)
        follow(read)
        if isinstance(source, Path):
            read_weights(source, read)
    except (ModelFileError, WeightsFileError) as error:
        text = str(error)
        if not text:
            raise


def follow(read: Any) -> None:
    inlined(with_shapes(read))


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1e308, math.nan, math.inf, "", "x", "__import__", "a" * 3000, [], {},
    [[]], ["x", 0, 0], {"class_name": "Lambda", "config": CODE}, CODE, {"class_name": "Dense"},
    {"class_name": "__keras_tensor__", "config": {}}, {"class_name": "__tensor__", "config": {}},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [
            place for key in value for place in [(*path, key), *places(value[key], (*path, key))]
        ]
    if isinstance(value, list):
        return [
            place
            for n, item in enumerate(value)
            for place in [(*path, n), *places(item, (*path, n))]
        ]
    return []


def mutated(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = copy.deepcopy(new)
    return changed


def configurations(old: Path) -> list[dict[str, Any]]:
    names = ("nested", "sequential", "stateful")
    found = [json.loads((old / f"{name}.json").read_text()) for name in names]
    with zipfile.ZipFile(old / "nested.keras") as archive:
        found.append(json.loads(archive.read("config.json")))
    new = model(
        layer("Masking", "mask", tensor("x"), mask_value=0.0, dtype="float32"),
        layer("GetItem", "last", [tensor("mask"), [DOTS, -1]], module="keras.src.ops.numpy"),
        lstm("y", "mask", dtype={"class_name": "DTypePolicy", "config": {"name": "float32"}}),
    )  # fmt: skip
    return [*found, new]


@pytest.mark.slow
def test_every_value_changed(old: Path) -> None:
    numbers = random.Random(11)
    begin = time.process_time()
    for whole in configurations(old):
        read = follow(read_model(whole))
        assert read is None
        for place in numbers.sample(every := places(whole), min(len(every), 120)):
            tried(mutated(whole, place, numbers.choice(VALUES)))
    assert time.process_time() - begin < 60  # no value makes it run on


@pytest.mark.slow
def test_nothing_is_imported_and_nothing_runs(old: Path, tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit(7)")
    source = model(
        layer("Thing", "y", tensor("x"), module="evil_module"),
        layer("Lambda", "z", tensor("x"), function=CODE),
    )
    (tmp_path / "m.json").write_text(json.dumps(source))
    program = (
        "import sys\n"
        "from lstmgraph.interop.reading import read_model\n"
        "from lstmgraph.messages.errors import ModelFileError\n"
        "read_model(sys.argv[1])\n"
        "try:\n    read_model('m.json')\nexcept ModelFileError as error:\n    print(error)\n"
        "assert not {'evil_module', 'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(old / "nested.h5")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "M105" in done.stdout
    assert "M106" in done.stdout
