"""What is a backend's own: its devices, and of TensorFlow the settings of the process, strategies,
and `predict` compiled by itself. No other part of the lowering speaks of one backend.

On others a recipe that asks for what is TensorFlow's is refused (``obstacles.py``).
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
    """Return this machine's visible GPUs, as TensorFlow or JAX sees them."""
    backend = keras.backend.backend()
    if backend == "jax":
        return _seen_by_jax()
    if backend != "tensorflow":
        return Machine(0, f"not asked of {backend}", backend)
    count = len(_tf().config.get_visible_devices("GPU"))
    return Machine(count, "" if count else "TensorFlow sees none")


def _seen_by_jax() -> Machine:
    import jax  # noqa: PLC0415 - of this backend alone

    gpus = sum(device.platform == "gpu" for device in jax.devices())
    return Machine(gpus, "" if gpus else "JAX sees none", "jax")


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow or JAX sees; on other backends, none."""
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 - of this backend alone

        return [device.device_kind for device in jax.devices() if device.platform == "gpu"]
    if keras.backend.backend() != "tensorflow":
        return []
    config = _tf().config
    details = [config.experimental.get_device_details(g) for g in config.get_visible_devices("GPU")]
    return [str(found.get("device_name", "GPU")) for found in details]


def start(compiled: CompiledRecipe) -> Machine:
    """Apply the settings of `compiled` that hold for the whole process; return the machine then.

    Raises:
        RecipeError: this machine or backend lacks what the recipe asks for, or TensorFlow has
            started in this process with another setting.
        RuntimeError: TensorFlow had started before this process was forked.
    """
    refuse_after_fork()
    runtime, machine = compiled.declaration.runtime, seen_machine()
    found = [
        _diagnostic(compiled, obstacle.code, obstacle.path, obstacle.message, obstacle.hint)
        for obstacle in obstacles(runtime, compiled.graph, machine)
    ]
    if machine.backend == "tensorflow" and not found:
        found = [
            _diagnostic(
                compiled,
                "L761",
                ("runtime", key),
                f"`{key}` cannot be set any more: TensorFlow has started in this process",
                "build this recipe first, or in a process of its own",
            )
            for key, setting in _settings(runtime).items()
            if not _is_taken(setting)
        ]
    if found:
        raise RecipeError(found, compiled.document.sources)
    if runtime.deterministic and runtime.seed is not None:
        keras.utils.set_random_seed(runtime.seed)
        if machine.backend == "tensorflow":
            _tf().config.experimental.enable_op_determinism()
    return seen_machine()


def scope(runtime: Runtime) -> AbstractContextManager[Any]:
    """Return the scope to make variables in: with ``strategy: mirrored``, one copy a device."""
    if runtime.strategy != "mirrored":
        return nullcontext()
    tf = _tf()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        return nullcontext()
    found: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(
        [device.name for device in devices]
    ).scope()
    return found


def scope_of(model: keras.Model) -> AbstractContextManager[Any]:
    """Return the scope that further variables of `model` are made in."""
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's models alone have one
    return nullcontext() if strategy is None else strategy.scope()


def compile_predict(
    model: keras.Model, most_rows: int | None, lengths: Mapping[str, int | None] | None = None
) -> None:
    """Compile `predict` with XLA, and leave `fit` and `evaluate` as they are.

    Keras makes a function of its own for each of the three, and takes the model's ``jit_compile``
    as it stands when it makes one.

    Args:
        model: its ``predict_function`` is made.
        most_rows: batches of more rows are predicted without XLA.
        lengths: by name, inputs that are lengths, and the steps that they count: `predict` raises
            a ValueError for what cannot be one.
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
    """Return the inputs of `graph` that are lengths, each with the most steps it may count."""
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


def _is_taken(setting: Callable[[], object]) -> bool:
    try:
        setting()
    except RuntimeError:  # what TensorFlow raises once it has started; equal settings it takes
        return False
    return True


def _diagnostic(
    compiled: CompiledRecipe, code: str, path: Path, message: str, hint: str
) -> Diagnostic:
    place = compiled.document.place(path, at_key=path[0] == "runtime")
    notes = compiled.document.origins.notes(path, place)
    return Diagnostic(code, message, path, place, hint, notes=notes)
