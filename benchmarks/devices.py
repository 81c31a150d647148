"""LSTMs as on a device: LiteRT files of lstmgraph and of Keras, onnxruntime and torch.

One row, one thread. Each runtime computes the same numbers, which is checked. The sides run in
turn. What is measured goes to a file of JSON lines, a case each: a run that is stopped goes on
where it was. The table has the median time of a call, by the clock and of the processor, the size
of the file, and what the values between operators take, where LiteRT plans that before it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.options import ENVIRONMENT, missing
from benchmarks.report import QUIET, machine, other_load, put_section
from benchmarks.timing import turns
from benchmarks.training import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

OURS, OURS_INT8, KERAS = "lstmgraph, LiteRT", "lstmgraph, LiteRT int8", "Keras, LiteRT"
OURS_ALONE, KERAS_ALONE = f"{OURS} alone", f"{KERAS} alone"
"""The same files on LiteRT's own kernels. XNNPACK, else used where the processor has vectors,
multiplies the matrices of Keras's loop, and not those of LiteRT's LSTM operator."""
ONNX, ONNX_DYNAMIC, ONNX_INT8 = "onnxruntime", "onnxruntime dynamic", "onnxruntime int8"
TORCH = "torch.nn.LSTM"
REPEATS = 30
FEATURES = 16
ROWS = 20
"""Of the data that shows ranges."""
CLOSE, CLOSE_IN_INTEGERS = 1e-5, 0.15
"""How far outputs, which are within 1, may be off."""
FASTER, SMALLER, SMALLER_IN_INT8 = 3.0, 0.75, 0.35
"""The aims: times as fast as Keras's file, parts of its size, and parts of the float file's."""
LAYERS: Mapping[str, str] = {
    "lstm": "{{type: lstm, input: x, units: {units}, depth: {layers}}}",
    "gru": "{{type: gru, input: x, units: {units}, depth: {layers}}}",
    "dense": "{{type: dense, input: x, units: {units}, activation: tanh}}",
    "conv1d": "{{type: conv1d, input: x, filters: {units}, kernel_size: 3, activation: tanh}}",
}
RECIPE = """
recipe: 1
name: device
inputs: {{x: {{shape: [{steps}, {features}]}}}}
layers: {{y: {layer}}}
outputs: {{y: y}}
training: {{loss: mse}}
"""
COLUMNS = (
    *("kind", "layers", "units", "steps", "side", "clock, ms", "processor, ms", "file, kB"),
    *("values, kB", "against", "times as fast", "of its size", "aims"),
)

Line = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A stack of layers that reads one row."""

    kind: str
    layers: int
    units: int
    steps: int

    @property
    def recipe(self) -> str:
        """The text of the recipe."""
        layer = LAYERS[self.kind].format(units=self.units, layers=self.layers)
        return RECIPE.format(steps=self.steps, features=FEATURES, layer=layer)


@dataclass
class Side:
    """One runtime: how it is called, the bytes of its file and values, and what its calls took."""

    run: Callable[[], np.ndarray]
    bytes: int | None = None
    arena: int | None = None
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def call(self) -> None:
        """Call it once, and keep what that took."""
        clock, processor = time.perf_counter(), time.process_time()
        self.run()
        self.clock.append(time.perf_counter() - clock)
        self.processor.append(time.process_time() - processor)

    def as_dict(self) -> Line:
        """Return what was measured, in bytes and seconds."""
        names = ("bytes", "arena", "clock", "processor")
        return {name: getattr(self, name) for name in names}


def main(arguments: Sequence[str]) -> None:
    """Measure the cases that the file lacks, or write its table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks devices", description=__doc__)
    add = parser.add_argument
    add("--lines", type=Path, default=Path("devices.jsonl"), metavar="FILE", help="JSON lines")
    add("--minutes", type=float, metavar="N", help="begin no case after so many minutes")
    add("--repeats", type=int, default=REPEATS, metavar="N", help="calls of each side")
    add("--layers", type=int, nargs="+", metavar="N", default=[1, 2, 3])
    add("--units", type=int, nargs="+", metavar="N", default=[16, 64, 256])
    add("--steps", type=int, nargs="+", metavar="N", default=[50, 200, 500])
    add("--quick", action="store_true", help="the smallest LSTM alone, to see that everything runs")
    add("--onnx", action="store_true", help="other layers in onnxruntime: float, dynamic and int8")
    add(
        "--markdown", type=Path, metavar="FILE", help="put the table into FILE, and measure nothing"
    )
    chosen = parser.parse_args(arguments)
    if chosen.markdown:
        put_section(chosen.markdown, table(read_lines(chosen.lines)))
        return
    os.environ.update({**ENVIRONMENT, "OMP_NUM_THREADS": "1"})
    end = time.monotonic() + 60 * (chosen.minutes or float("inf"))
    done = [Case(**line["case"]) for line in read_lines(chosen.lines)]
    for case in _cases(chosen):
        if case in done or time.monotonic() > end:
            continue
        line = measured(case, chosen.repeats)
        with chosen.lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(*_rows(line), sep="\n", flush=True)


def _cases(chosen: argparse.Namespace) -> Iterator[Case]:
    sizes = [[1], [16], [50]] if chosen.quick else [chosen.layers, chosen.units, chosen.steps]
    yield from (Case("lstm", *each) for each in product(*sizes))
    if chosen.onnx:
        kinds = [kind for kind in LAYERS if kind != "lstm"]
        yield from (Case(kind, 1, *each) for kind, *each in product(kinds, *sizes[1:]))


def measured(case: Case, repeats: int) -> Line:
    """Return what so many calls of each side took, or why one cannot be run."""
    load = other_load()
    with tempfile.TemporaryDirectory() as folder:
        sides = _sides(case, Path(folder))
        running = [name for name, side in sides.items() if isinstance(side, Side)]
        for repeat in range(repeats):
            for name in turns(running, repeat):
                side = sides[name]
                assert isinstance(side, Side)
                side.call()
    return {
        "case": asdict(case),
        "sides": {
            name: side.as_dict() if isinstance(side, Side) else side for name, side in sides.items()
        },
        "load": load,
        "machine": machine(),
    }


def _sides(case: Case, folder: Path) -> dict[str, Side | str]:
    import numpy as np

    import lstmgraph

    recipe = lstmgraph.load(case.recipe)
    model = recipe.build()
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, case.steps, FEATURES)).astype("float32")
    wanted = np.asarray(model({"x": x})["y"])
    made = _Made(recipe, model, {"x": x, "y": wanted}, folder)
    sides: dict[str, Side | str] = {}
    if case.kind == "lstm":
        files = {OURS: made.litert(), OURS_INT8: made.litert("int8"), KERAS: made.by_keras()}
        files |= {OURS_ALONE: files[OURS], KERAS_ALONE: files[KERAS]}
        alone = (OURS_ALONE, KERAS_ALONE)
        sides |= {name: made.side(path, alone=name in alone) for name, path in files.items()}
    for name, kind in {ONNX: None, ONNX_DYNAMIC: "dynamic", ONNX_INT8: "int8"}.items():
        sides[name] = missing("onnx", "onnxruntime") or made.onnx(kind)
    if case.kind == "lstm":
        sides[TORCH] = missing("torch") or Side(_torch(case, model.get_weights(), x[:1]))
    for name, side in sides.items():
        in_integers = name in (OURS_INT8, ONNX_DYNAMIC, ONNX_INT8)
        close = CLOSE_IN_INTEGERS if in_integers else CLOSE
        if isinstance(side, Side) and np.abs(side.run() - wanted[:1]).max() > close:
            raise RuntimeError(f"{name} computes something else")
    return sides


class _Made:
    """The files of a model."""

    def __init__(self, recipe: Any, model: Any, data: Any, folder: Path) -> None:
        self.recipe = recipe
        self.model = model
        self.data = data
        self.folder = folder
        self.x = data["x"][:1]

    def litert(self, kind: str | None = None) -> Path:
        return self._exported("litert", kind, f"{kind}.tflite")

    def by_keras(self) -> Path:
        import tensorflow as tf

        path = self.folder / "keras.tflite"
        # For any number of rows, Keras's export would use operators that plain LiteRT has not.
        signature = [{"x": tf.TensorSpec(self.x.shape, name="x")}]
        self.model.export(path, format="litert", verbose=False, input_signature=signature)
        return path

    def onnx(self, kind: str | None = None) -> Side:
        path = self._exported("onnx", kind, f"{kind}.onnx")
        return Side(_onnx(path, self.x), path.stat().st_size)

    def _exported(self, format_name: str, kind: str | None, name: str) -> Path:
        data = self.data if kind else None
        path = self.folder / name
        self.recipe.export(self.model, path, format=format_name, quantize=kind, data=data)
        return path

    def side(self, path: Path, *, alone: bool) -> Side:
        """Return a LiteRT file as a side, without XNNPACK if it is `alone`."""
        from lstmgraph.export.arena import arena_size

        content = path.read_bytes()
        return Side(_litert(path, self.x, alone=alone), len(content), arena_size(content))


def _litert(path: Path, x: np.ndarray, *, alone: bool) -> Callable[[], np.ndarray]:
    """Return a call by index, which is faster than one by the signature's names."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(path),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if alone
        else OpResolverType.AUTO,
    )
    given, found = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()

    def run() -> np.ndarray:
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(found["index"])

    return run


def _onnx(path: Path, x: np.ndarray) -> Callable[[], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    return lambda: session.run(["y"], {"x": x})[0]


def _torch(case: Case, weights: list[np.ndarray], x: np.ndarray) -> Callable[[], np.ndarray]:
    import torch

    torch.set_num_threads(1)
    lstm = torch.nn.LSTM(FEATURES, case.units, num_layers=case.layers, batch_first=True)
    with torch.no_grad():
        for layer in range(case.layers):
            kernel, recurrent, bias = (torch.from_numpy(w) for w in weights[3 * layer :][:3])
            getattr(lstm, f"weight_ih_l{layer}").copy_(kernel.T)
            getattr(lstm, f"weight_hh_l{layer}").copy_(recurrent.T)
            getattr(lstm, f"bias_ih_l{layer}").copy_(bias)
            getattr(lstm, f"bias_hh_l{layer}").zero_()
    given: Any = torch.from_numpy(x)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return lstm(given)[1][0][-1].numpy()

    return run


# --- the table ---

AGAINST: Mapping[str, Sequence[str]] = {
    OURS: (KERAS, ONNX, TORCH),
    OURS_INT8: (OURS, KERAS),
    OURS_ALONE: (KERAS_ALONE,),
    ONNX_DYNAMIC: (ONNX,),
    ONNX_INT8: (ONNX,),
}
"""What each side is compared with; other sides have a row without a comparison."""


@dataclass(frozen=True)
class Compared:
    """A side beside another one: how many times as fast, and how large, as parts of the other."""

    side: str
    other: str
    faster: float
    size: float | None

    @property
    def aims(self) -> list[tuple[str, bool]]:
        """Return the aims that there are, in words, and whether they are reached."""
        aims = []
        if (self.side, self.other) in ((OURS, KERAS), (OURS_ALONE, KERAS_ALONE)):
            aims += [(f"{FASTER:g} times as fast", self.faster >= FASTER)]
        if (self.side, self.other) == (OURS, KERAS):
            aims += [(f"at most {SMALLER:g} of its size", (self.size or 1) <= SMALLER)]
        if (self.side, self.other) == (OURS_INT8, OURS):
            aims += [
                (f"at most {SMALLER_IN_INT8:g} of its size", (self.size or 1) <= SMALLER_IN_INT8)
            ]
        return aims


def compared(line: Line, side: str) -> list[Compared]:
    """Return a side beside the others; its speed is the median of the repeats' ratios."""
    found = []
    for other in AGAINST.get(side, ()):
        one, two = (line["sides"].get(name) for name in (side, other))
        if not isinstance(one, dict) or not isinstance(two, dict):
            continue
        ratios = [b / a for a, b in zip(one["clock"], two["clock"], strict=True)]
        size = one["bytes"] / two["bytes"] if two["bytes"] else None
        found.append(Compared(side, other, statistics.median(ratios), size))
    return found


def table(lines: Sequence[Line]) -> str:
    """Return the lines as Markdown, in the order of their cases."""
    latest = {Case(**line["case"]): line for line in lines}
    order = sorted(latest, key=lambda case: (list(LAYERS).index(case.kind), *asdict(case).values()))
    shown = [latest[case] for case in order]
    parts = [
        "## On devices",
        f"A call with one row of {FEATURES} features, one thread, the sides in turn: medians of "
        f"{_counts(shown)} calls. `times as fast` is the median over the calls, by the clock; "
        f"`values` are those between a LiteRT file's operators. Aims: {_aims(shown)}",
    ]
    rough = sum((line["load"] or 0) > QUIET for line in shown)
    if rough:
        parts.append(f"**Rough: other processes ran before {rough} of {len(shown)} cases.**")
    processors = sorted({line["machine"]["processor"] for line in shown})
    parts.append(f"{', '.join(processors)}.")
    head = [_markdown(COLUMNS), _markdown(["---"] * len(COLUMNS))]
    parts.append("\n".join([*head, *(row for line in shown for row in _rows(line))]))
    return "\n\n".join(parts) + "\n"


def _counts(lines: Sequence[Line]) -> str:
    sides = [side for line in lines for side in line["sides"].values() if isinstance(side, dict)]
    counts = sorted({len(side["clock"]) for side in sides} or {0})
    return " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))


def _aims(lines: Sequence[Line]) -> str:
    """Return how many of the cases reach each aim."""
    found: dict[str, list[bool]] = {}
    for line in lines:
        for each in (each for side in line["sides"] for each in compared(line, side)):
            for aim, reached in each.aims:
                found.setdefault(f"{each.side}, against {each.other}, {aim}", []).append(reached)
    said = [f"{aim}: {sum(reached)} of {len(reached)}" for aim, reached in found.items()]
    return "; ".join(said or ["none was measured"]) + "."


def _rows(line: Line) -> Iterator[str]:
    """Yield a row for each side and each other that it is compared with."""
    case = [str(value) for value in line["case"].values()]
    for name, side in line["sides"].items():
        if isinstance(side, str):
            yield _markdown([*case, name, side, *[""] * 7])
            continue
        own = [
            *(f"{statistics.median(side[times]) * 1e3:.3f}" for times in ("clock", "processor")),
            *(
                "" if side[each] is None else f"{side[each] / 1e3:.1f}"
                for each in ("bytes", "arena")
            ),
        ]
        for each in compared(line, name) or [None]:
            yield _markdown([*case, name, *own, *_comparison(each)])
            own = [""] * len(own)


def _comparison(found: Compared | None) -> list[str]:
    if found is None:
        return [""] * 4
    aims = [f"{aim}: {'ok' if reached else 'missed'}" for aim, reached in found.aims]
    size = "" if found.size is None else f"{found.size:.2f}"
    return [found.other, f"{found.faster:.2f}", size, "; ".join(aims)]


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
