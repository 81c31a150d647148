"""What the fuzzer over files makes and reads: valid files, how they are changed, who reads them.

Each reader names the exceptions that its function documents. Everything else that leaves it is a
failure, and so is what `Failure` says of its result.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from data_building import FORECAST, ROWS, SEQUENCES, recipe, store_rows, write_csv, write_parquet
from fuzz import changed as changed_recipe
from hostile_bytes import (
    Outside,
    changed_archive,
    changed_bytes,
    changed_json,
    changed_lines,
    changed_npy,
    displaced,
    unzipped,
    zipped,
)
from hostile_bytes import member as zip_member
from hostile_hdf5 import changed_hdf5
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

MODEL = """\
recipe: 1
name: small
inputs: {x: {shape: [time, 3]}, lengths: {shape: [], dtype: int32}}
layers:
  reader: {type: lstm, input: x, units: 2, mask: {lengths: lengths}}
  y: {type: dense, input: reader, units: 2}
outputs: {y: y}
models: {step: {derive: step}}
training: {loss: mse, epochs: 1, batch_size: 8}
"""
CARRIED = """\
recipe: 1
name: carried
inputs: {x: {shape: [4, 3]}}
layers: {reader: {type: lstm, input: x, units: 2, initial_state: carried}}
outputs: {y: reader}
runtime: {batch_size: 2}
"""
TRAINED = """\
recipe: 1
name: trained
inputs: {x: {shape: [3]}}
layers:
  thinned: {type: dropout, input: x, rate: 0.2}
  y: {type: dense, input: thinned, units: 1}
outputs: {y: y}
runtime: {seed: 5}
training:
  {loss: mse, epochs: 2, batch_size: 8, callbacks: {early_stopping: {monitor: loss, patience: 5}}}
"""
PRINTABLE = {"\n", "\t", "\r"}


class OracleError(AssertionError):
    """A reader ended well, and what it gave or did must not be."""


@dataclass(frozen=True)
class Reader:
    """A function that reads what a target made, in the folder `case`."""

    name: str
    read: Callable[[Path], Any]
    documented: tuple[type[Exception], ...]
    share: float = 1.0
    """How many of the inputs it reads: 0.1 of a slow one."""
    seconds: float = 2.0
    """Of processor time."""
    memory: int = 300 << 20
    names_file: bool = False
    """Whether each message must name what was read."""


@dataclass
class Target:
    """A kind of file."""

    name: str
    outside: Outside
    marker: str
    """A folder that what must not run would make."""
    seeds: dict[str, bytes] = field(default_factory=dict)
    readers: tuple[Reader, ...] = ()

    def make(self, case: Path, chance: random.Random) -> None:
        """Write a hostile input into the empty folder `case`."""
        raise NotImplementedError


# --- .keras ---


class KerasTarget(Target):
    """``.keras`` files, and the weights alone."""

    def __init__(self, folder: Path, outside: Outside, marker: str) -> None:
        super().__init__("keras", outside, marker)
        self.recipe = lstmgraph.load(MODEL)
        models = self.recipe.models()
        self.seeds = {}
        for name, further in (("small", ""), ("step", "step")):
            path = folder / f"{name}.keras"
            self.recipe.save(models[name], path, further=further)
            self.seeds[name] = path.read_bytes()
        other = lstmgraph.load(MODEL.replace("units: 2", "units: 3"))
        other.save(other.build(), folder / "other.keras")
        self.other = unzipped((folder / "other.keras").read_bytes())
        text = lstmgraph.RecipeError
        self.readers = (
            Reader(
                "load", lambda c: lstmgraph.load(self.path(c)).explain(), (text,), names_file=True
            ),
            Reader("diff", lambda c: lstmgraph.diff(self.path(c), self.recipe), (text,), 0.5),
            Reader("commands", self.commands, (), 0.2, 5),
            Reader("load_model", self.load_model, (text, ValueError), 0.25, 20, names_file=True),
            Reader("transfer", self.transfer, (text, ValueError), 0.15, 20, names_file=True),
            Reader("weights", self.weights, (text, ValueError), 0.15, 20, names_file=True),
        )

    @staticmethod
    def path(case: Path) -> Path:
        return next(case.glob("given.*"), case / "given.keras")

    def make(self, case: Path, chance: random.Random) -> None:
        raw = self.seeds["small" if chance.random() < 0.9 else "step"]
        members = unzipped(raw)
        if chance.random() < 0.15:  # the weights alone
            path = case / "given.weights.h5"
            path.write_bytes(changed_hdf5(members["model.weights.h5"], chance, self.outside))
            return
        path = case / "given.keras"
        if chance.random() < 0.05:  # parts of another model
            for name in ("config.json", "model.weights.h5"):
                if chance.random() < 0.6:
                    members[name] = self.other[name]
            path.write_bytes(zipped([zip_member(n, m) for n, m in members.items()]))
            return
        path.write_bytes(changed_archive(members, chance, lambda n, m: self.change(n, m, chance)))
        if chance.random() < 0.03:
            displaced(path, chance, self.outside)

    def change(self, name: str, content: bytes, chance: random.Random) -> bytes:
        """A member's content, changed as its kind can be."""
        if name == "config.json" and chance.random() < 0.1:
            return with_code(content, self.marker, chance)
        if name.endswith(".json"):
            words = ("Lambda", "Dense", "GRU", "keras.layers", "os", "builtins", "system", "relu")
            text = decoded(content)
            for _ in range(chance.choice((1, 1, 1, 3))):
                text = changed_json(text, chance, words)
            return encoded(text)
        if name.endswith(".yaml"):
            return changed_recipe(content, [content], chance)
        if name.endswith(".h5"):
            return changed_hdf5(content, chance, self.outside)
        return changed_bytes(content, chance)

    def commands(self, case: Path) -> None:
        path = str(self.path(case))
        for command in (["validate", path], ["explain", path], ["diff", path, path]):
            run_command(command)

    def load_model(self, case: Path) -> None:
        path = self.path(case)
        model = lstmgraph.load_model(path)
        check_same_model(model, path)
        self.check_weights(model)

    def transfer(self, case: Path) -> None:
        self.check_weights(lstmgraph.transfer(self.path(case), self.recipe).model)

    def weights(self, case: Path) -> None:
        from lstmgraph.export.weights import load_weights

        model = self.recipe.build()
        load_weights(self.recipe.compiled, model, self.path(case))
        self.check_weights(model)

    def check_weights(self, model: Any) -> None:
        """Nothing of a file outside is among the weights."""
        for weight in model.get_weights():
            if (weight == Outside.NUMBER).any():
                raise OracleError("weights of the file beside it were read")


def with_code(config: bytes, marker: str, chance: random.Random) -> bytes:
    """A model's configuration with a layer that would run code: as Keras writes one, or by name."""
    import keras

    found = json.loads(config)
    layer = chance.choice(found["config"]["layers"])
    text = f"lambda x: __import__('os').mkdir({marker!r}) or x"
    own = keras.saving.serialize_keras_object(keras.layers.Lambda(eval(text)))
    named = {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "function",
    }
    if chance.random() < 0.3:
        own["config"]["function"] = named
    if chance.random() < 0.2:
        layer["config"]["activation"] = named
    else:
        layer["class_name"], layer["module"], layer["registered_name"] = (
            "Lambda",
            "keras.layers",
            None,
        )
        layer["config"] = {**own["config"], "name": layer["config"]["name"]}
    return json.dumps(found).encode()


def check_same_model(model: Any, path: Path) -> None:
    """What was loaded computes what the recipe in the file says."""
    from lstmgraph.language.text.embedded import embedded_model

    recipe = lstmgraph.load(path)
    further = embedded_model(path)
    wanted = recipe.models()[further or recipe.name]
    shapes = [[weight.shape for weight in each.get_weights()] for each in (model, wanted)]
    if shapes[0] != shapes[1]:
        raise OracleError(f"another model was loaded: weights of {shapes[0]}, not {shapes[1]}")
    if {n: t.shape for n, t in model.input.items()} != {
        n: t.shape for n, t in wanted.input.items()
    }:
        raise OracleError(f"another model was loaded: it takes {model.input}")
    rng = np.random.default_rng(1)
    values = [rng.normal(size=shape).astype("float32") for shape in shapes[0]]
    given = {n: _batch(t, rng) for n, t in wanted.input.items()}
    outputs = []
    for each in (model, wanted):
        each.set_weights(values)
        outputs.append({name: np.asarray(y) for name, y in each(given, training=False).items()})
    if outputs[0].keys() != outputs[1].keys():
        raise OracleError(f"another model was loaded: it gives {list(outputs[0])}")
    for name, y in outputs[0].items():
        if not np.allclose(y, outputs[1][name], atol=1e-5):
            raise OracleError(f"another model was loaded: {name} is another")


def _batch(tensor: Any, rng: np.random.Generator) -> np.ndarray:
    shape = (3, *(4 if size is None else size for size in tensor.shape[1:]))
    if "int" in tensor.dtype:
        return np.array([4, 2, 0], tensor.dtype)
    return rng.normal(size=shape).astype(tensor.dtype)


# --- data ---


class DataTarget(Target):
    """``.npz``, ``.npy``, CSV and Parquet files and folders of them."""

    def __init__(self, folder: Path, outside: Outside, marker: str) -> None:
        import tensorflow  # noqa: F401 - or the first saved dataset pays for it

        super().__init__("data", outside, marker)
        rng = np.random.default_rng(1)
        arrays: dict[str, Any] = {
            "x": rng.normal(size=(9, 5, 2)).astype("float32"),
            "lengths": np.arange(9, dtype="int32") % 6,
            "kind": np.arange(9) % 4,
        }
        np.savez(folder / "seed.npz", **arrays)
        self.npz = (folder / "seed.npz").read_bytes()
        self.arrays = unzipped(self.npz)
        rows = store_rows(9, 8)
        self.csv = write_csv(rows, folder / "seed.csv").read_bytes()
        self.parquet = write_parquet(rows, folder / "seed.parquet").read_bytes()
        self.recipes = {
            "sequences": recipe(SEQUENCES),
            "forecast": recipe(FORECAST),
            "rows": recipe(ROWS),
        }
        documented = (lstmgraph.DataError,)
        self.readers = (
            Reader("load_data", self.load, documented, 1, 3),
            Reader("command", self.command, (), 0.1, 4),
        )

    def make(self, case: Path, chance: random.Random) -> None:
        kind = chance.choice(("npz", "npz", "npy", "npy", "csv", "parquet", "tables"))
        used = "sequences" if kind in ("npz", "npy") else chance.choice(("forecast", "rows"))
        (case / "recipe").write_text(used)
        if kind == "npz":
            path = case / "given.npz"
            raw = changed_archive(
                self.arrays, chance, lambda _, m: changed_npy(m, chance, self.marker)
            )
            path.write_bytes(raw)
            if chance.random() < 0.05:
                displaced(path, chance, self.outside)
        elif kind == "npy":
            self._folder(case, chance, self.arrays, lambda m: changed_npy(m, chance, self.marker))
        elif kind == "csv":
            (case / chance.choice(("given.csv", "given.tsv", "given.csv.gz"))).write_bytes(
                self._csv(self.csv, chance)
            )
        elif kind == "parquet":
            (case / "given.parquet").write_bytes(changed_bytes(self.parquet, chance))
        else:
            members = {"a.csv": self.csv, "b.csv": self.csv}
            self._folder(case, chance, members, lambda m: self._csv(m, chance))

    def _folder(
        self,
        case: Path,
        chance: random.Random,
        files: dict[str, bytes],
        change: Callable[[bytes], bytes],
    ) -> None:
        folder = case / "given.d"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        path = folder / chance.choice(list(files))
        path.write_bytes(change(path.read_bytes()))
        if chance.random() < 0.3:
            displaced(folder / chance.choice(list(files)), chance, self.outside)
        if chance.random() < 0.1:
            extra = folder / chance.choice(("dataset_spec.pb", "more.npy", "snapshot.metadata"))
            extra.write_bytes(changed_bytes(chance.randbytes(60), chance))

    @staticmethod
    def _csv(raw: bytes, chance: random.Random) -> bytes:
        lines = raw.decode().splitlines()
        at = chance.randrange(len(lines))
        cells = lines[at].split(",")
        cells[chance.randrange(len(cells))] = chance.choice(
            ("", '"', "NaN", "-inf", "1e999", "x" * 200_000, "\x1b[31mx", "\u202ex", "\0", "=1+1",
             "99999-99-99", "0001-01-01", "2024-02-30", "1" * 400, ",,,", '"a\nb"', "é", "1;2")
        )  # fmt: skip
        lines[at] = ",".join(cells)
        if chance.random() < 0.2:
            lines.insert(at, lines[chance.randrange(len(lines))])
        if chance.random() < 0.1:
            lines[0] = ",".join(cells * 2_000)
        found = "\n".join(lines).encode("utf-8", "surrogatepass")
        return changed_bytes(found, chance) if chance.random() < 0.4 else found

    @staticmethod
    def path(case: Path) -> Path:
        return next(case.glob("given.*"), case / "given.npz")

    def load(self, case: Path) -> None:
        found = self.recipes[(case / "recipe").read_text()]
        data = found.load_data(self.path(case))
        for part in data.parts.values():
            inputs, targets, _ = part.arrays()
            for name, array in {**inputs, **targets}.items():
                if not np.isfinite(array).all():
                    raise OracleError(f"{name} is not finite")

    def command(self, case: Path) -> None:
        used = (case / "recipe").read_text()
        path = case / "recipe.yaml"
        path.write_text(self.recipes[used].resolved())
        run_command(["data", str(path), "--data", str(self.path(case))])


# --- state files ---


class StateTarget(Target):
    """Files of streams, and of carried states."""

    def __init__(self, folder: Path, outside: Outside, marker: str) -> None:
        from lstmgraph.models.carried import save_states
        from lstmgraph.models.stepping import StateFileError

        super().__init__("states", outside, marker)
        derived = lstmgraph.load(MODEL).derive("step")
        self.stepper = lstmgraph.Stepper(derived, rows=2)
        self.x = {"x": np.ones((2, 3), "float32")}
        self.stepper.step(self.x)
        self.stepper.save_state(folder / "streams.npz")
        self.model = lstmgraph.load(CARRIED).build()
        save_states(self.model, folder / "carried.npz")
        self.seeds = {
            name: (folder / f"{name}.npz").read_bytes() for name in ("streams", "carried")
        }
        self.readers = (
            Reader(
                "Stepper.restore_state",
                self.restore,
                (StateFileError, OSError),
                1,
                3,
                names_file=True,
            ),
            Reader(
                "restore_states",
                self.restore_carried,
                (ValueError, OSError),
                1,
                3,
                names_file=False,
            ),
        )

    def make(self, case: Path, chance: random.Random) -> None:
        raw = self.seeds[chance.choice(("streams", "streams", "carried"))]
        path = case / "given.npz"
        path.write_bytes(
            changed_archive(unzipped(raw), chance, lambda n, m: self.change(n, m, chance))
        )
        if chance.random() < 0.1:
            displaced(path, chance, self.outside)

    def change(self, name: str, content: bytes, chance: random.Random) -> bytes:
        from hostile_bytes import npy

        if name == "about.npy" and chance.random() < 0.8:
            import io

            text = str(np.load(io.BytesIO(content)))
            try:
                return npy(np.array(changed_json(text, chance)))
            except (UnicodeEncodeError, ValueError):
                return content
        return changed_npy(content, chance, self.marker)

    def restore(self, case: Path) -> None:
        before = self.stepper.state, np.array(self.stepper.position)
        try:
            self.stepper.restore_state(case / "given.npz")
        except Exception:
            now = self.stepper.state
            if any(not np.array_equal(now[n], a, equal_nan=True) for n, a in before[0].items()):
                raise OracleError("the streams have changed") from None
            if not np.array_equal(before[1], self.stepper.position):
                raise OracleError("the position has changed") from None
            raise
        try:
            self.stepper.step(self.x)
            self.stepper.reset()
            self.stepper.step(self.x)
        except Exception as error:
            from lstmgraph.models.stepping import Stepper

            self.stepper = Stepper(self.stepper.derived, rows=2)
            self.stepper.step(self.x)
            raise OracleError(f"taken, and no step can be made: {error!r}"[:500]) from None

    def restore_carried(self, case: Path) -> None:
        from lstmgraph.models.carried import read_states, restore_states

        before = read_states(self.model)
        try:
            restore_states(self.model, case / "given.npz")
        except Exception:
            now = read_states(self.model)
            if any(not np.array_equal(now[n], a, equal_nan=True) for n, a in before.items()):
                raise OracleError("the states have changed") from None
            raise


# --- search folders ---


class SearchTarget(Target):
    """Folders of searches: read, reported, gone on with."""

    def __init__(self, folder: Path, outside: Outside, marker: str) -> None:
        from lstmgraph.tuning.result import write_results
        from lstmgraph.tuning.search.errors import SearchError
        from lstmgraph.tuning.search.reading import read_results

        super().__init__("search", outside, marker)
        self.folders = {}
        for oracle in ("random", "hyperband"):
            there = folder / oracle
            self.search(there, oracle)
            best = there / "trials" / "0000" / "recipe.yaml"
            best.write_text("recipe: 1\n")
            self.folders[oracle] = there
        write_results(shutil.copytree(there, folder / "warm"))  # pyarrow makes its pool of memory
        documented = (SearchError,)
        self.readers = (
            Reader("read_results", lambda c: repr(read_results(c / "s")), documented, 1, 2),
            Reader("write_results", lambda c: write_results(c / "s"), documented, 0.6, 4),
            Reader("report", self.report, (), 0.15, 4),
            Reader("run_search", self.go_on, documented, 0.03, 20),
        )

    def search(self, folder: Path, oracle: str, trials: int = 5) -> None:
        """Search there, or go on."""
        from search_trials import SPACE
        from searching import ORACLES

        from lstmgraph.tuning.search.engine import run_search
        from lstmgraph.tuning.search.jobs import RunOptions, SearchJob

        job = SearchJob("fuzzed", SPACE, ORACLES[oracle], "search_trials:arithmetic", seed=3)
        run_search(job, RunOptions(max_trials=trials, preload=()), folder)

    def make(self, case: Path, chance: random.Random) -> None:
        oracle = chance.choice(list(self.folders))
        folder = case / "s"
        shutil.copytree(self.folders[oracle], folder)
        (case / "oracle").write_text(oracle)
        if chance.random() < 0.5:  # one that was stopped
            journal = folder / "search.jsonl"
            lines = journal.read_bytes().splitlines(keepends=True)
            journal.write_bytes(b"".join(lines[: chance.randrange(len(lines) + 1)]))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        important = [folder / "job.json", folder / "search.jsonl"]
        for _ in range(chance.choice((1, 1, 2))):
            path = chance.choice(important if chance.random() < 0.6 else files)
            if not path.is_file() or path.is_symlink():
                continue
            self._change(path, chance)
        if chance.random() < 0.1:
            odd = (
                folder
                / "trials"
                / chance.choice(("-1", "99999999999999999999", "x\x1b[31m", "0000.old"))
            )
            odd.mkdir(exist_ok=True)
        if chance.random() < 0.35:
            self._displace(folder, chance)

    def _change(self, path: Path, chance: random.Random) -> None:
        raw = path.read_bytes()
        words = ("val_loss", "completed", "../../../outside/secret.txt", "<script>x</script>")
        if chance.random() < 0.15:
            new = changed_bytes(raw, chance)
        elif path.suffix == ".json":
            new = encoded(changed_json(decoded(raw), chance, words))
        elif path.suffix == ".jsonl":
            new = encoded(changed_lines(decoded(raw), chance, words))
        else:
            new = changed_bytes(raw, chance)
        path.write_bytes(new)

    def _displace(self, folder: Path, chance: random.Random) -> None:
        trial = folder / "trials" / f"000{chance.randrange(3)}"
        names = ["job.json", "search.jsonl", "lock", "server.log", "trials", "report.html",
                 "trials.csv", "best.keras"]  # fmt: skip
        own = ["epochs.jsonl", "outcome.json", "spec.json", "recipe.yaml", "best.keras", "log.txt"]
        paths = [*(folder / name for name in names), trial, *(trial / name for name in own)]
        path = chance.choice(paths)
        if path.parent.is_dir() and not path.parent.is_symlink():
            displaced(path, chance, self.outside)

    def report(self, case: Path) -> None:
        run_command(["report", str(case / "s")])
        self.check_leaks(case / "s")

    def check_leaks(self, folder: Path) -> None:
        """No text of a file outside was written into the folder."""
        for path in folder.glob("*.*"):
            own = path.is_file() and not path.is_symlink() and path.stat().st_size < 10_000_000
            if own and Outside.TEXT.encode() in path.read_bytes():
                raise OracleError(f"{path.name} holds text of a file outside")

    def go_on(self, case: Path) -> None:
        folder = case / "s"
        self.search(folder, (case / "oracle").read_text(), 6)
        self.check_leaks(folder)


# --- trainings ---


class TrainingTarget(Target):
    """Folders of trainings, and their checkpoint."""

    def __init__(self, folder: Path, outside: Outside, marker: str) -> None:
        from lstmgraph.messages.errors import DivergedError, FolderError
        from lstmgraph.training.state import epochs_done, read_checkpoint

        super().__init__("training", outside, marker)
        rng = np.random.default_rng(1)
        self.data = {"x": rng.normal(size=(16, 3)).astype("float32")}
        self.data["y"] = self.data["x"][:, :1]
        self.recipe = lstmgraph.load(TRAINED)
        self.folder = folder / "run"
        self.recipe.train(self.data, folder=self.folder)
        self.checkpoint = unzipped((self.folder / "checkpoint.keras").read_bytes())
        documented = (FolderError, OSError)
        whole = (lstmgraph.RecipeError, lstmgraph.DataError, ValueError, DivergedError, OSError)
        self.readers = (
            Reader("read_checkpoint", lambda c: read_checkpoint(c / "run" / "checkpoint.keras"),
                   documented, 1, 2, names_file=True),
            Reader("epochs_done", lambda c: epochs_done(c / "run"), (), 1, 2),
            Reader("train", self.train, whole, 0.03, 30),
        )  # fmt: skip

    def make(self, case: Path, chance: random.Random) -> None:
        folder = case / "run"
        shutil.copytree(self.folder, folder)
        path = folder / "checkpoint.keras"
        raw = changed_archive(self.checkpoint, chance, lambda n, m: self.change(n, m, chance))
        if chance.random() < 0.8:
            path.write_bytes(raw)
        if chance.random() < 0.3:
            names = [".lock", *(each.name for each in folder.iterdir())]
            displaced(folder / chance.choice(sorted(names)), chance, self.outside)

    def change(self, name: str, content: bytes, chance: random.Random) -> bytes:
        if name.endswith(".json"):
            return encoded(changed_json(decoded(content), chance, ("x",)))
        if name.endswith(".npz"):
            arrays = unzipped(content)
            if arrays:
                return changed_archive(
                    arrays, chance, lambda _, m: changed_npy(m, chance, self.marker)
                )
        if name.endswith(".h5"):
            return changed_hdf5(content, chance, self.outside)
        return changed_bytes(content, chance)

    def train(self, case: Path) -> None:
        self.recipe.train(self.data, folder=case / "run", epochs=3)


def decoded(raw: bytes) -> str:
    """Text of bytes that may be none; `encoded` gives the same bytes again."""
    return raw.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes of `decoded`; and a lone surrogate as UTF-8 would write it, which is no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


TARGETS: dict[str, Callable[[Path, Outside, str], Target]] = {
    "keras": KerasTarget,
    "data": DataTarget,
    "states": StateTarget,
    "search": SearchTarget,
    "training": TrainingTarget,
}


def run_command(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command in this process: it exits with 0, 1 or 2 and prints only what is printable.

    Returns:
        The exit code, and what was printed.
    """
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 1, 2):
        raise OracleError(f"{arguments[0]} exits with {result.exit_code}")
    odd = {c for c in result.output if not (c.isprintable() or c in PRINTABLE)}
    if odd:
        raise OracleError(f"{arguments[0]} prints {sorted(odd)[:5]}")
    return result.exit_code, result.output
