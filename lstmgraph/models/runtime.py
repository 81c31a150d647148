"""The parts that depend on the backend: devices, process settings, strategies, compiled `predict`.

Apart from the devices, all of these are TensorFlow's. On another backend a recipe that asks for
them is refused (``obstacles.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.checks.data_needs import lengths_of
from lstmgraph.compiler.machine.machine import Machine
from lstmgraph.compiler.machine.obstacles import obstacles
from lstmgraph.data.lengths import check_lengths
from lstmgraph.forks import refuse_after_fork
from lstmgraph.messages.diagnostics import Diagnostic
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.graph import Graph
    from lstmgraph.language.declaration.recipe import Runtime
    from lstmgraph.messages.diagnostics import Path


def seen_machine() -> Machine:
    """Return the machine as the backend sees it: its visible GPUs, on TensorFlow and JAX only."""
    backend = keras.backend.backend()
    if backend == "jax":
        return _seen_by_jax()
    if backend != "tensorflow":
        return Machine(0, f"not asked of {backend}", backend)
    count = len(_tf().config.get_visible_devices("GPU"))
    return Machine(count, "" if count else "TensorFlow sees none")


def _seen_by_jax() -> Machine:
    import jax  # noqa: PLC0415 - other backends run without it

    gpus = sum(device.platform == "gpu" for device in jax.devices())
    return Machine(gpus, "" if gpus else "JAX sees none", "jax")


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow or JAX sees; empty on other backends."""
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 - other backends run without it

        return [device.device_kind for device in jax.devices() if device.platform == "gpu"]
    if keras.backend.backend() != "tensorflow":
        return []
    config = _tf().config
    details = [config.experimental.get_device_details(g) for g in config.get_visible_devices("GPU")]
    return [str(detail.get("device_name", "GPU")) for detail in details]


def start(compiled: CompiledRecipe) -> Machine:
    """Apply the settings of `compiled` that hold for the whole process, and return the machine.

    Raises:
        RecipeError: this machine or backend lacks what the recipe asks for, or TensorFlow has
            started in this process with another setting.
        RuntimeError: TensorFlow had started before this process was forked.
    """
    refuse_after_fork()
    runtime, machine = compiled.declaration.runtime, seen_machine()
    diagnostics = [
        _diagnostic(compiled, obstacle.code, obstacle.path, obstacle.message, obstacle.hint)
        for obstacle in obstacles(runtime, compiled.graph, machine)
    ]
    if machine.backend == "tensorflow" and not diagnostics:
        diagnostics = [
            _diagnostic(
                compiled,
                "L761",
                ("runtime", key),
                f"`{key}` cannot be set any more: TensorFlow has started in this process",
                "build this recipe first, or in a separate process",
            )
            for key, setting in _settings(runtime).items()
            if not _is_accepted(setting)
        ]
    if diagnostics:
        raise RecipeError(diagnostics, compiled.document.sources)
    if runtime.deterministic and runtime.seed is not None:
        keras.utils.set_random_seed(runtime.seed)
        if machine.backend == "tensorflow":
            _tf().config.experimental.enable_op_determinism()
    return seen_machine()


def scope(runtime: Runtime) -> AbstractContextManager[Any]:
    """Return the scope to make variables in: with ``strategy: mirrored``, one copy per device."""
    if runtime.strategy != "mirrored":
        return nullcontext()
    tf = _tf()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        return nullcontext()
    mirrored: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(
        [device.name for device in devices]
    ).scope()
    return mirrored


def scope_of(model: keras.Model) -> AbstractContextManager[Any]:
    """Return the scope that further variables of `model` are made in."""
    strategy = getattr(model, "distribute_strategy", None)  # only TensorFlow's models have one
    return nullcontext() if strategy is None else strategy.scope()


def build_optimizer(model: keras.Model) -> None:
    """Make the variables of the optimizer, unless it has them.

    Where the first step of a training makes them, TensorFlow traces that step twice.
    """
    if not model.optimizer.built:  # built again, a LossScaleOptimizer has two of them twice
        with scope_of(model):
            model.optimizer.build(model.trainable_variables)


def compile_predict(
    model: keras.Model, most_rows: int | None, lengths: Mapping[str, int | None] | None = None
) -> None:
    """Compile `predict` with XLA, and leave `fit` and `evaluate` as they are.

    Keras makes a separate function for each of the three, and reads the model's ``jit_compile``
    when it makes one.

    Args:
        model: the model whose ``predict_function`` is replaced.
        most_rows: the largest batch to compile for; larger ones run without XLA. None for no limit.
        lengths: the lengths inputs by name, with the most steps that each may count: `predict`
            raises a ValueError for lengths that are out of range.
    """
    chosen = model.jit_compile
    model.jit_compile = True
    model.make_predict_function()
    model.jit_compile = chosen
    compiled = plain = model.predict_function
    if most_rows is not None:
        model.make_predict_function(force=True)
        plain = model.predict_function
    elif not lengths:
        return

    def predict(batches: Any) -> Any:
        for name, steps in (lengths or {}).items():
            for batch in batches:
                given = keras.utils.unpack_x_y_sample_weight(batch)[0]
                if isinstance(given, Mapping) and name in given:
                    check_lengths(name, given[name], steps)
        if most_rows is None:
            return compiled(batches)
        rows = max(len(tensor) for tensor in keras.tree.flatten(batches[0]))
        return (compiled if rows <= most_rows else plain)(batches)

    model.predict_function = predict


def steps_of_lengths(graph: Graph) -> dict[str, int | None]:
    """Return the lengths inputs of `graph`, and the most steps that each may count."""
    return {
        name: min((size for size in sizes if isinstance(size, int)), default=None)
        for name, sizes in lengths_of(graph).items()
    }


def _tf() -> Any:
    import tensorflow  # noqa: PLC0415 - other backends run without it

    return tensorflow


def _settings(runtime: Runtime) -> dict[str, Callable[[], object]]:
    """Return the settings that TensorFlow takes only before it starts, by the recipe's key."""
    config = _tf().config
    gpus = config.list_physical_devices("GPU")
    settings: dict[str, Callable[[], object]] = {}
    if runtime.device == "cpu":
        settings["device"] = lambda: config.set_visible_devices([], "GPU")
    elif runtime.gpu_index is not None:
        chosen = [gpus[runtime.gpu_index]]
        settings["device"] = lambda: config.set_visible_devices(chosen, "GPU")
    if runtime.threads is not None:
        settings["threads"] = lambda: _set_threads(runtime.threads)
    if runtime.memory_growth is not None:
        grow = runtime.memory_growth
        settings["memory_growth"] = lambda: [
            config.experimental.set_memory_growth(gpu, grow) for gpu in gpus
        ]
    if runtime.memory_limit_mb is not None:
        share = config.LogicalDeviceConfiguration(memory_limit=runtime.memory_limit_mb)
        settings["memory_limit_mb"] = lambda: [
            config.set_logical_device_configuration(gpu, [share]) for gpu in gpus
        ]
    return settings


def _set_threads(count: int | None) -> None:
    threading = _tf().config.threading
    threading.set_intra_op_parallelism_threads(count)
    threading.set_inter_op_parallelism_threads(count)


def _is_accepted(setting: Callable[[], object]) -> bool:
    try:
        setting()
    except RuntimeError:  # TensorFlow has started, with another value of this setting
        return False
    return True


def _diagnostic(
    compiled: CompiledRecipe, code: str, path: Path, message: str, hint: str
) -> Diagnostic:
    place = compiled.document.place(path, at_key=path[0] == "runtime")
    notes = compiled.document.origins.notes(path, place)
    return Diagnostic(code, message, path, place, hint, notes=notes)
