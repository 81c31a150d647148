"""What `runtime:` does on a machine: decided for simulated machines, and set in fresh processes.

Nothing here ran on a GPU: of GPUs the decisions are tested, with their presence simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from building import batch_for, load, outputs_of, randomise, with_header
from forked import run_program

import lstmgraph
import lstmgraph.models.runtime
from lstmgraph.compiler.machine.machine import Machine, keras_backend, this_machine
from lstmgraph.resources import RECIPE_SCHEMA, read_schema

if TYPE_CHECKING:
    from pathlib import Path

NO_GPU = Machine(0, "this machine has none")
ONE_GPU = Machine(1, "")
FOUR_GPUS = Machine(4, "")
ON_JAX = Machine(0, "not TensorFlow's", "jax")

BODY = """
inputs: {{frames: {{shape: [{steps}, 3]}}}}
layers:
  reader: {{type: lstm, input: frames, units: 4{arguments}}}
  y: {{type: dense, input: reader, units: 2}}
outputs: {{y: y}}
runtime: {{{runtime}}}
"""


def recipe(runtime: str = "", steps: int | str = 5, arguments: str = "") -> lstmgraph.Recipe:
    return load(BODY.format(runtime=runtime, steps=steps, arguments=arguments))


def effects(runtime: str, machine: Machine, **body: int | str) -> dict[str, str]:
    return {row.key: row.effect for row in recipe(runtime, **body).explain(machine).runtime}


# What `explain` says.

NOT_HERE = "cannot be built here: "

SAID = {
    "cudnn on a GPU": ("", ONE_GPU, "kernel", "reader runs on cuDNN"),
    "the loop without one": (
        "",
        NO_GPU,
        "kernel",
        "the fused loop runs reader in what XLA compiles, Keras's loop elsewhere",
    ),
    "predict by XLA": ("", NO_GPU, "xla", "`predict` is compiled, once for each batch size"),
    "no XLA with cuDNN": ("", ONE_GPU, "xla", "off: XLA cannot compile cuDNN"),
    "XLA on a GPU": ("kernel: standard", ONE_GPU, "xla", "on, as Keras chooses on a GPU"),
    "XLA of the CPU": ("device: cpu", ONE_GPU, "xla", "`predict` is compiled"),
    "XLA insisted on": ("xla: true", ONE_GPU, "xla", "compiled for every new batch shape"),
    "loop for XLA": ("xla: true", ONE_GPU, "kernel", "Keras's loop on any machine"),
    "no loop for XLA": (
        "xla: false",
        NO_GPU,
        "kernel",
        "Keras's loop runs every recurrent layer, as XLA is off",
    ),
    "fused": ("kernel: fused, device: cpu", ONE_GPU, "kernel", "the fused loop runs reader"),
    "fused on a GPU": (
        "kernel: fused",
        ONE_GPU,
        "kernel",
        f"{NOT_HERE}`kernel: fused` is for CPUs, and there is a GPU",
    ),
    "fused on JAX": ("kernel: fused", ON_JAX, "kernel", f"{NOT_HERE}`kernel: fused` works only"),
    "no XLA": ("xla: false", NO_GPU, "xla", "off"),
    "deterministic": ("deterministic: true, seed: 0", NO_GPU, "xla", "off: `deterministic: true`"),
    "global seeds": ("deterministic: true, seed: 0", NO_GPU, "deterministic", "seeds set to 0"),
    "a seed of 0": ("seed: 0", NO_GPU, "seed", "determines the initial weights"),
    "no seed": ("", NO_GPU, "seed", ""),
    "threads": ("threads: 3", NO_GPU, "threads", "3 per operation, and 3 operations at once"),
    "the CPU": ("", NO_GPU, "device", "the CPU: no GPU (this machine has none)"),
    "GPUs hidden": ("device: cpu", FOUR_GPUS, "device", "GPUs are hidden from TensorFlow"),
    "one of four": ("device: 'gpu:3'", FOUR_GPUS, "device", "GPU 3; others are hidden"),
    "one too far": (
        "device: 'gpu:4'",
        FOUR_GPUS,
        "device",
        f"{NOT_HERE}`device: gpu:4` needs a GPU: there are 4 GPUs, the last `gpu:3`",
    ),
    "cudnn without a GPU": (
        "kernel: cudnn",
        NO_GPU,
        "kernel",
        f"{NOT_HERE}`kernel: cudnn` needs a GPU: there is no GPU (this machine has none)",
    ),
    "cudnn on the CPU": (
        "kernel: cudnn, device: cpu",
        ONE_GPU,
        "kernel",
        f"{NOT_HERE}`kernel: cudnn` needs a GPU: `device: cpu` hides all GPUs",
    ),
    "mirrored": ("strategy: mirrored", FOUR_GPUS, "strategy", "on each of 4 GPUs"),
    "mirrored on one": ("strategy: mirrored", ONE_GPU, "strategy", "one copy of the model"),
    "XLA mirrored": ("strategy: mirrored", FOUR_GPUS, "xla", "off: `strategy: mirrored`"),
    "growth": ("memory_growth: true", ONE_GPU, "memory_growth", "allocated as needed"),
    "growth of nothing": ("memory_growth: true", NO_GPU, "memory_growth", "no GPU here"),
    "a limit": ("memory_limit_mb: 512", ONE_GPU, "memory_limit_mb", "512 MiB of each GPU"),
    "precision": ("dtype_policy: mixed_float16", NO_GPU, "dtype_policy", "the loss is scaled"),
    "JAX's XLA": ("", ON_JAX, "xla", "jax compiles as it always does"),
    "threads of JAX": ("threads: 2", ON_JAX, "threads", f"{NOT_HERE}`threads` works only"),
}


@pytest.mark.parametrize("name", SAID)
def test_explain_says_what_a_setting_does_here(name: str) -> None:
    runtime, machine, key, said = SAID[name]
    found = effects(runtime, machine)[key]
    assert said in found if said else not found


def test_explain_names_the_sizes_that_keep_xla_off() -> None:
    assert effects("", NO_GPU, steps="time")["xla"] == (
        "`train` and `tune` compile `fit` and `evaluate` where it pays; not `predict`: every new "
        "size of `time` would be compiled again"
    )
    assert effects("", NO_GPU, arguments=", unroll: true")["xla"] == (
        "off: an unrolled loop would take long to compile"
    )


def test_every_setting_has_a_row() -> None:
    keys = [row.key for row in recipe().explain(NO_GPU).runtime]
    assert set(keys) == set(read_schema(RECIPE_SCHEMA)["$defs"]["runtime"]["properties"])
    assert len(keys) == len(set(keys))


# The machine.


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_hidden_gpus_are_none(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert this_machine() == Machine(0, "CUDA_VISIBLE_DEVICES hides them", keras_backend())


@pytest.mark.parametrize(
    ("environment", "configured", "wanted"),
    [
        (None, None, "tensorflow"),
        (None, '{"backend": "jax"}', "jax"),
        ("jax", '{"backend": "tensorflow"}', "jax"),
        (None, "not JSON", "tensorflow"),
        (None, '["a list"]', "tensorflow"),
    ],
)
def test_the_backend_is_that_of_keras(
    environment: str | None,
    configured: str | None,
    wanted: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if environment:
        monkeypatch.setenv("KERAS_BACKEND", environment)
    if configured:
        (tmp_path / "keras.json").write_text(configured)
    assert keras_backend() == wanted


# What is refused when the model is built.


def refused(runtime: str) -> list[tuple[str, int]]:
    with pytest.raises(lstmgraph.RecipeError) as caught:
        recipe(runtime).build()
    return [(found.code, found.place.span.line) for found in caught.value.diagnostics]


@pytest.mark.parametrize("runtime", ["kernel: cudnn", "device: gpu", "device: 'gpu:1'"])
def test_a_gpu_that_is_not_there_is_refused_at_its_line(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstmgraph.models.runtime, "seen_machine", lambda: NO_GPU)
    assert refused(runtime) == [("L762", 8)]


def test_other_backends_refuse_what_is_tensorflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstmgraph.models.runtime, "seen_machine", lambda: ON_JAX)
    settings = "threads: 2, device: cpu, strategy: mirrored, memory_limit_mb: 9"
    assert refused(settings) == [("L763", 8)] * 4


def test_a_setting_that_comes_too_late_is_refused_at_its_line() -> None:
    keras.ops.ones(1)  # TensorFlow has started
    assert refused("threads: 63") == [("L761", 8)]


# `predict` by XLA.


@pytest.mark.slow
def test_predict_is_compiled_and_fit_is_not() -> None:
    model = recipe("seed: 1").build()
    randomise(model)
    data = batch_for(model)
    np.testing.assert_allclose(
        model.predict_on_batch(data)["y"], outputs_of(model, data)["y"], rtol=0, atol=1e-6
    )
    assert model.jit_compile is False
    assert compiled_calls(model.predict_function, data) == {"must be compiled"}
    plain = recipe("seed: 1, xla: false").build()
    plain.predict_on_batch(data)
    assert compiled_calls(plain.predict_function, data) == set()


class PredictingModel:
    """Keeps what Keras's model does to choose a function: `jit_compile` counts when it is made."""

    jit_compile = False
    predict_function = None

    def make_predict_function(self, force: bool = False) -> None:
        if self.predict_function is None or force:
            jit_compile = self.jit_compile
            self.predict_function = lambda _batches: jit_compile


def test_batches_of_more_rows_are_predicted_without_xla() -> None:
    model = PredictingModel()
    lstmgraph.models.runtime.compile_predict(model, most_rows=32)
    compiled = {
        rows: model.predict_function([({"frames": np.ones((rows, 5)), "n": np.ones(rows)},)])
        for rows in (1, 32, 33, 500)
    }
    assert compiled == {1: True, 32: True, 33: False, 500: False}
    assert model.jit_compile is False


@pytest.mark.slow
def test_wide_layers_are_compiled_for_few_rows() -> None:
    wide = lstmgraph.load(recipe("seed: 1").resolved(), overrides={"layers.reader.units": 257})
    said = {row.key: row.effect for row in wide.explain(NO_GPU).runtime}
    assert "once for each batch size up to 32 rows" in said["xla"]
    model = wide.build()
    frames = np.random.default_rng(0).normal(size=(40, 5, 3)).astype("float32")
    found = model.predict({"frames": frames}, batch_size=40, verbose=0)
    few = model.predict({"frames": frames}, batch_size=20, verbose=0)
    wanted = outputs_of(model, {"frames": frames})
    for outputs in (found, few):
        np.testing.assert_allclose(outputs["y"], wanted["y"], rtol=0, atol=1e-6)


def compiled_calls(function, data) -> set[str]:
    """Whether a traced function has calls in it that XLA compiles."""
    graph = function.get_concrete_function([(data,)]).graph
    calls = [op for op in graph.get_operations() if "_XlaMustCompile" in op.node_def.attr]
    return {"must be compiled" for op in calls if op.get_attr("_XlaMustCompile")}


# In processes of their own.


def test_threads_are_set_before_tensorflow_starts(tmp_path: Path) -> None:
    text = with_header(BODY.format(runtime="threads: 1", steps=5, arguments=""))
    program = f"""
    import lstmgraph
    text = {text!r}
    lstmgraph.load(text).build()
    lstmgraph.load(text).build()          # in force already
    import tensorflow as tf
    print(tf.config.threading.get_intra_op_parallelism_threads())
    print(tf.config.threading.get_inter_op_parallelism_threads())
    """
    assert run_program(program, tmp_path, tmp_path).split() == ["1", "1"]


TRAINED = """
recipe: 1
name: trained
inputs: {frames: {shape: [20, 3]}}
layers:
  reader: {type: lstm, input: frames, units: 64, dropout: 0.2, recurrent_dropout: 0.1}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
runtime: {deterministic: true, seed: 3}
training: {loss: mse}
"""

TRAIN_AND_HASH = f"""
import hashlib, os
import numpy as np
import lstmgraph
random = np.random.default_rng(0)
frames, y = random.normal(size=(96, 20, 3)).astype("f"), random.normal(size=(96, 2)).astype("f")
for _ in range(int(os.environ["TIMES"])):
    model = lstmgraph.load({TRAINED!r}).build()
    model.fit({{"frames": frames}}, {{"y": y}}, epochs=2, batch_size=16, verbose=0)
    weights = b"".join(weight.tobytes() for weight in model.get_weights())
    print(hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.slow
def test_deterministic_training_gives_the_same_bits(tmp_path: Path) -> None:
    """Twice in one process, and again in another: shuffling and dropout included."""
    hashes = [
        *run_program(TRAIN_AND_HASH, tmp_path, tmp_path, TIMES="2").split(),
        *run_program(TRAIN_AND_HASH, tmp_path, tmp_path, TIMES="1").split(),
    ]
    assert len(hashes) == 3
    assert len(set(hashes)) == 1


@pytest.mark.slow
def test_mirrored_training_gives_the_numbers_of_one_copy(tmp_path: Path) -> None:
    """Two logical CPUs stand in for two GPUs."""
    without_dropout = TRAINED.replace(", dropout: 0.2, recurrent_dropout: 0.1", "")
    without_dropout = without_dropout.replace("deterministic: true, ", "")
    program = f"""
    import numpy as np
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import lstmgraph
    text = {without_dropout!r}
    how = {{"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0}}
    random = np.random.default_rng(0)
    frames, y = random.normal(size=(32, 20, 3)).astype("f"), random.normal(size=(32, 2)).astype("f")
    weights = []
    for strategy in ("none", "mirrored"):
        model = lstmgraph.load(text, overrides={{"runtime.strategy": strategy}}).build()
        model.fit({{"frames": frames}}, {{"y": y}}, **how)
        copies = model.distribute_strategy.num_replicas_in_sync if strategy == "mirrored" else 1
        print(copies)
        weights.append(model.get_weights())
    for one, two in zip(*weights):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)
    """
    assert run_program(program, tmp_path, tmp_path).split() == ["1", "2"]
