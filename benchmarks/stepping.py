"""One step of a stream: the Stepper, against calling a model step by step as people do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

import lstmgraph
from benchmarks.agreement import require_equal
from benchmarks.floor import floor_of, onnx_session
from benchmarks.grid import CLASSES, FEATURES, UNITS
from benchmarks.options import Options, missing
from benchmarks.timing import OURS, Figure, Side, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstmgraph.models.derived import Derived

PART = "step"
PREDICT = "model.predict"
CALL = "model(x)"
ONNX = "onnxruntime"
LOOP = "one compiled loop"
MANY = 100
BATCHES = (1, 64)
AIMS = {PREDICT: 1 / 20}


@dataclass(frozen=True)
class StepCase:
    """`depth` LSTM layers of UNITS, each step into a dense softmax of CLASSES."""

    depth: int
    batch: int

    def __str__(self) -> str:
        layers = "1 layer" if self.depth == 1 else f"{self.depth} layers"
        return f"{layers}, batch {self.batch}"

    def recipe(self) -> lstmgraph.Recipe:
        """The model, which classifies at every step."""
        text = [
            "recipe: 1",
            "name: steps",
            "inputs:",
            f"  frames: {{shape: [time, {FEATURES}]}}",
            "layers:",
            "  reader:",
            f"    {{type: lstm, input: frames, units: {[UNITS] * self.depth},",
            "     return_sequences: true}",
            f"  label: {{type: dense, input: reader, units: {CLASSES}, activation: softmax}}",
            "outputs: {label: label}",
        ]
        return lstmgraph.load("\n".join(text))

    def flops(self) -> int:
        """Floating-point operations of the matrix products of one step of all rows."""
        sizes = [(FEATURES, 4 * UNITS), *[(UNITS, 4 * UNITS)] * (2 * self.depth - 1)]
        return self.batch * sum(2 * m * n for m, n in [*sizes, (UNITS, CLASSES)])


def measure(options: Options) -> Iterator[Figure]:
    """Figures of one step, for each depth of the grid and both batches."""
    quick = options.batches == (1,)
    for depth in options.depths:
        for batch in BATCHES[:1] if quick else BATCHES:
            case = StepCase(depth, batch)
            derived = case.recipe().derive("step")
            floor = floor_of(case.flops(), "tensorflow")
            one, many = _sides(case, derived), _many(case, derived)
            yield from compare(PART, str(case), one, options, aims=AIMS, floor=floor)
            name, floor = f"{case}, {MANY} steps", floor_of(MANY * case.flops(), "tensorflow")
            yield from compare(PART, name, many, options, aims={}, floor=floor)
            keras.backend.clear_session()


def _sides(case: StepCase, derived: Derived) -> dict[str, Side]:
    x = np.random.default_rng(2).normal(size=(case.batch, FEATURES)).astype("float32")
    stepper = lstmgraph.Stepper(derived, rows=case.batch)
    absent = missing("onnx", "onnxruntime")
    model, tensor = derived.model, keras.ops.convert_to_tensor
    sides: dict[str, Side] = {
        OURS: lambda: stepper.step(x)["label"],
        PREDICT: _by_hand(derived, x, lambda feed: model.predict(feed, verbose=0)),
        CALL: _by_hand(derived, x, lambda feed: model(keras.tree.map_structure(tensor, feed))),
        ONNX: absent or _onnx(case.recipe(), derived, x),
    }
    outputs = {name: side() for name, side in sides.items() if not isinstance(side, str)}
    for name, found in outputs.items():
        require_equal(found, outputs[OURS], f"the first step of {name}, {case}")
    return sides


def _by_hand(
    derived: Derived, x: np.ndarray, call: Callable[[dict[str, Any]], dict[str, Any]]
) -> Side:
    """A loop as one writes it: the states of each call are fed to the next."""
    states: dict[str, Any] = {name: np.zeros((len(x), UNITS), "float32") for name in derived.states}

    def step() -> object:
        found = call({"frames": x[:, None], **states})
        for name, output in derived.states.items():
            states[name] = found[str(output)]
        return np.asarray(found["label"])[:, 0]

    return step


def _onnx(recipe: lstmgraph.Recipe, derived: Derived, x: np.ndarray) -> Side:
    """The same loop over the step model, exported by this package."""
    from lstmgraph.export.onnx import onnx_model

    compiled = recipe.with_derived("step").compiled
    step = compiled.models["step"].graph
    weights = {each.name: each.get_weights() for each in derived.model.layers if each.weights}
    exported = onnx_model(replace(compiled, graph=step), weights)
    session = onnx_session(exported.SerializeToString())
    names = ["label", *(str(output) for output in derived.states.values())]

    def call(feed: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(names, session.run(names, feed), strict=True))

    return _by_hand(derived, x, call)


def _many(case: StepCase, derived: Derived) -> dict[str, Side]:
    """As many steps one by one, and in one call: what is left is the arithmetic of the step."""
    random = np.random.default_rng(4)
    x = random.normal(size=(MANY, case.batch, FEATURES)).astype("float32")
    stepper = lstmgraph.Stepper(derived, rows=case.batch)
    ours, theirs = lambda: [stepper.step(each)["label"] for each in x][-1], _loop(derived, x)
    require_equal(ours(), theirs(), f"the last of {MANY} steps, {case}")
    return {OURS: ours, LOOP: theirs}


def _loop(derived: Derived, x: np.ndarray) -> Callable[[], np.ndarray]:
    """All steps of `x` in one function, compiled by XLA as the Stepper compiles one."""
    import tensorflow as tf

    from lstmgraph.models.stepping.functions import one_step

    step, sequence = one_step(derived), tf.constant(x)
    zeros = [tf.zeros((x.shape[1], UNITS))] * len(derived.states)

    @tf.function(jit_compile=True)
    def run(sequence: Any, *states: Any) -> Any:
        label = tf.zeros((x.shape[1], CLASSES))

        def body(at: Any, _label: Any, *states: Any) -> Any:
            return (at + 1, *step(*states, sequence[at]))

        goes_on = lambda at, *_: at < MANY  # noqa: E731
        return tf.while_loop(goes_on, body, (tf.constant(0), label, *states))[1]

    return lambda: run(sequence, *zeros).numpy()
