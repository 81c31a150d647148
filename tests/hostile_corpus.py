"""The hostile corpus: one file or folder for each fault of each kind, and what must happen.

Whole files that are text lie in tests/hostile/; the others are made here, always the same, from a
model, a search and a training that are right (`fuzz_targets`).
"""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fuzz_targets import Target, with_code
from hostile_bytes import (
    BOMB,
    Runs,
    bomb,
    displaced,
    member,
    npy,
    npy_header,
    unzipped,
    zipped,
)
from hostile_hdf5 import edited_hdf5

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STORED = Path(__file__).parent / "hostile"


@dataclass(frozen=True)
class Read:
    """A command or a function that reads the file, and how it must end."""

    by: str
    """A key of `COMMANDS` or `FUNCTIONS` in test_hostile_files.py."""
    ends: int | str
    """The exit code of a command; of a function the name of the exception, or ``fine``."""
    says: str = ""
    """What the message must hold."""


@dataclass(frozen=True)
class Hostile:
    """One of the corpus."""

    name: str
    about: str
    target: str
    """Whose valid files it is made from: a key of ``fuzz_targets.TARGETS``."""
    file: str
    """Its name in the folder of the case."""
    make: Callable[[Target, Path], None]
    """Writes it to a path, given the valid files."""
    reads: tuple[Read, ...]


def refused(*commands: str, code: int = 1, says: str = "") -> tuple[Read, ...]:
    """Each of the commands exits with `code`, and says so."""
    return tuple(Read(command, code, says) for command in commands)


# --- .keras and weights ---

WEIGHTS = "model.weights.h5"
READ_WEIGHTS = ("transfer", "build --weights", "export --weights")


def keras_with(**members: Callable[[Any, bytes], bytes] | None) -> Callable[[Any, Path], None]:
    """A ``.keras`` file with members changed, by their first word; None leaves one out."""

    def make(target: Any, path: Path) -> None:
        found = []
        for name, content in unzipped(target.seeds["small"]).items():
            change = members.get(name.partition(".")[0], lambda _, content: content)
            if change is not None:
                found.append(member(name, change(target, content)))
        path.write_bytes(zipped(found))

    return make


def with_members(change: Callable[[list[Any]], None]) -> Callable[[Any, Path], None]:
    """A ``.keras`` file whose list of members is changed."""

    def make(target: Any, path: Path) -> None:
        found = [member(name, content) for name, content in unzipped(target.seeds["small"]).items()]
        change(found)
        path.write_bytes(zipped(found))

    return make


def at(found: list[Any], name: str) -> int:
    return next(n for n, each in enumerate(found) if each.name == name.encode())


def hdf5(edit: str, seed: int = 0) -> Callable[[Any, bytes], bytes]:
    """A weights file after an edit of ``Hdf5Edits``."""
    return lambda target, raw: edited_hdf5(
        raw, edit, random.Random(seed), target.outside, "layers/"
    )


def weights_file(edit: str, seed: int = 0) -> Callable[[Any, Path], None]:
    """A ``.weights.h5`` file after an edit."""

    def make(target: Any, path: Path) -> None:
        raw = unzipped(target.seeds["small"])[WEIGHTS]
        path.write_bytes(hdf5(edit, seed)(target, raw))

    return make


def config(change: Callable[[dict[str, Any]], None]) -> Callable[[Any, bytes], bytes]:
    """A model's configuration, changed; `change` is given the layers by name, and ``""`` is all."""

    def edit(_: Any, content: bytes) -> bytes:
        found = json.loads(content)
        layers = {layer["config"]["name"]: layer for layer in found["config"]["layers"]}
        change({**layers, "": found})
        return json.dumps(found).encode()

    return edit


def set_config(layer: str, **values: Any) -> Callable[[Any, bytes], bytes]:
    """A layer with other arguments."""
    return config(lambda layers: layers[layer]["config"].update(values))


def as_gru(layers: dict[str, Any]) -> None:
    reader = layers["reader"]
    reader["class_name"] = "GRU"
    del reader["config"]["unit_forget_bias"]


def without_mask(layers: dict[str, Any]) -> None:
    for node in layers["reader"]["inbound_nodes"]:
        node["kwargs"]["mask"] = None


def with_another_layer(layers: dict[str, Any]) -> None:
    extra = json.loads(json.dumps(layers["y"]))
    extra["config"]["name"] = extra["name"] = "more"
    layers[""]["config"]["layers"].append(extra)


ANOTHER_MODEL = {
    "other-activation": set_config("reader", activation="relu"),
    "other-last-activation": set_config("y", activation="softmax"),
    "other-direction": set_config("reader", go_backwards=True),
    "other-units": set_config("reader", units=3),
    "other-cell": config(as_gru),
    "other-bias": set_config("y", use_bias=False),
    "no-mask": config(without_mask),
    "one-more-layer": config(with_another_layer),
    "dropout": set_config("reader", dropout=0.5),
    "stateful": set_config("reader", stateful=True),
    "other-input": config(
        lambda layers: layers["x"]["config"].update({"batch_shape": [None, 7, 3]})
    ),
}
NO_CONFIG = {
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "empty": b"",
    "no-layers": b'{"config": {}}',
    "layers-of-numbers": b'{"config": {"layers": [1.5, null]}}',
    "deep": b"[" * 100_000,
    "not-a-number": b"NaN",
    "no-text": b"\xff\xfe",
}

KERAS = [
    *(
        Hostile(f"hdf5-{edit}", "weights that lie in another file", "keras", "given.weights.h5",
                weights_file(edit), refused(*READ_WEIGHTS, code=2, says="given.weights.h5"))
        for edit in ("external_storage", "virtual", "external_dataset", "external_group")
    ),
    *(
        Hostile(f"keras-{edit}", "the same in a .keras file", "keras", "given.keras",
                keras_with(model=hdf5(edit)),
                (*refused(*READ_WEIGHTS, code=2, says="given.keras"),
                 Read("load_model", "ValueError", "given.keras")))
        for edit in ("external_storage", "virtual", "external_dataset", "external_group")
    ),
    *(
        Hostile(f"weights-{edit}-{seed}", "weights of another kind or shape", "keras",
                "given.weights.h5", weights_file(edit, seed),
                refused("build --weights", "export --weights", code=code, says="given.weights.h5"))
        # Without one of the layers it is still a weights file: what it lacks is said of the recipe.
        for edit, seed, code in (
            ("missing", 0, 1), ("soft_link", 0, 2), ("empty", 1, 2), ("shape", 0, 2)
        )
    ),
    *(
        Hostile(f"model-{name}", "a model that is not its recipe's", "keras", "given.keras",
                keras_with(config=edit), (Read("load_model", "ValueError", "given.keras"),))
        for name, edit in ANOTHER_MODEL.items()
    ),
    *(
        Hostile(f"config-{name}", "a configuration that is none", "keras", "given.keras",
                keras_with(config=lambda _, __, text=text: text),
                (Read("load_model", "ValueError", "given.keras"), Read("explain", 0)))
        for name, text in NO_CONFIG.items()
    ),
    Hostile("config-lambda", "a layer of Python bytecode", "keras", "given.keras",
            keras_with(config=lambda target, raw: with_code(raw, target.marker, random.Random(4))),
            (Read("load_model", "ValueError", "given.keras"),)),
    Hostile("no-config", "no configuration", "keras", "given.keras", keras_with(config=None),
            (Read("load_model", "ValueError", "given.keras"),)),
    Hostile("no-weights", "no weights", "keras", "given.keras", keras_with(model=None),
            (Read("load_model", "ValueError", "given.keras"),
             *refused(*READ_WEIGHTS, code=2, says="given.keras"))),
    Hostile("no-recipe", "no recipe", "keras", "given.keras", keras_with(lstmgraph=None),
            (Read("load_model", "RecipeError", "given.keras"),
             *refused("validate", "explain", says="given.keras"))),
    *(
        Hostile(f"recipe-{name}", "a recipe in the file that is none", "keras", "given.keras",
                keras_with(lstmgraph=lambda _, __, text=text: text),
                (Read("load_model", "RecipeError", "given.keras"),
                 *refused("validate", "explain", "diff", says="given.keras")))
        for name, text in {
            "bytes": b"\xff\xfe\0",
            "python": b"recipe: !!python/object/apply:os.system [touch ran]\n",
            "deep": b"[" * 100_000,
            "terminal": b"recipe: 1\nname: \"\\e]0;owned\\a\\u202e\"\nkey\x1b[31m: 1\n",
        }.items()
    ),
    Hostile("keras-bomb", f"a member of {BOMB:,} zeros that nothing needs", "keras", "given.keras",
            with_members(lambda found: found.append(bomb(b"assets/zeros"))),
            (Read("load_model", "fine or ValueError"), Read("transfer", 0), Read("explain", 0))),
    Hostile("keras-recipe-bomb", f"a recipe of {BOMB:,} zeros", "keras", "given.keras",
            with_members(lambda found: found.__setitem__(
                at(found, "lstmgraph.recipe.yaml"), bomb(b"lstmgraph.recipe.yaml"))),
            (Read("load_model", "RecipeError", "given.keras"), Read("explain", 1, "given.keras"))),
    Hostile("keras-weights-bomb", f"weights of {BOMB:,} zeros", "keras", "given.keras",
            with_members(lambda found: found.__setitem__(
                at(found, WEIGHTS), bomb(WEIGHTS.encode()))),
            (Read("load_model", "ValueError", "given.keras"),
             *refused("transfer", code=2, says="given.keras"))),
    *(
        Hostile(f"keras-{name}", "an archive that is damaged", "keras", "given.keras",
                with_members(lambda found, change=change: found.__setitem__(
                    at(found, WEIGHTS), replace(found[at(found, WEIGHTS)], **change))),
                (Read("load_model", "ValueError", "given.keras"),
                 *refused("transfer", code=2, says="given.keras")))
        for name, change in {
            "encrypted": {"flags": 1},
            "unknown-compression": {"method": 99},
            "damaged-bz2": {"method": 12},
            "damaged-lzma": {"method": 14},
            "wrong-checksum": {"crc": 1},
            "too-small": {"size": 10},
        }.items()
    ),
    *(
        Hostile(f"keras-{kind.replace(' ', '-')}", "not a regular file", "keras", "given.keras",
                lambda target, path, kind=kind: put(target, path, kind),
                (Read("load_model", "RecipeError or ModelFileError", "given.keras"),
                 *refused("transfer", "validate", "explain", code=2, says="given.keras")))
        for kind in ("pipe", "device", "circle", "folder")
    ),
]  # fmt: skip


def put(target: Any, path: Path, kind: str) -> None:
    """A link, a pipe or the like in place of a file."""
    displaced(path, random.Random(0), target.outside, kinds=(kind,))


# --- data ---


def npz_with(**arrays: bytes) -> Callable[[Any, Path], None]:
    """An ``.npz`` archive with members in place of, or beside, those that are right."""

    def make(target: Any, path: Path) -> None:
        found = {**target.arrays, **{f"{name}.npy": raw for name, raw in arrays.items()}}
        path.write_bytes(zipped([member(name, raw) for name, raw in found.items()]))

    return make


def npy_folder(name: str, kind: str) -> Callable[[Any, Path], None]:
    """A folder of ``.npy`` files, one of them displaced."""

    def make(target: Any, path: Path) -> None:
        path.mkdir()
        for each, raw in target.arrays.items():
            (path / each).write_bytes(raw)
        put(target, path / name, kind)

    return make


def stored(name: str) -> Callable[[Any, Path], None]:
    """A file of tests/hostile/."""
    return lambda _, path: path.write_bytes((STORED / name).read_bytes())


def lengths(value: float, dtype: str) -> bytes:
    found = np.arange(9).astype(dtype) % 6
    found[3] = value
    return npy(found)


def pickled(target: Any, path: Path) -> None:
    npz_with(x=npy(np.array([Runs(target.marker)], object)))(target, path)


DATA = [
    Hostile("npz-pickle", "an array of Python objects", "data", "given.npz", pickled,
            refused("data", says="Python objects")),
    *(
        Hostile(f"npz-{name}", "an array whose header is none", "data", "given.npz",
                npz_with(x=raw), refused("data", says="given.npz"))
        for name, raw in {
            "open-bracket": npy_header("(" * 300),
            "huge-shape": npy_header(f"({2**62}, 4)"),
            "negative-shape": npy_header("(-1,)"),
            "long-texts": npy_header("(9,)", "'<U100000000'"),
            "records": npy_header("(9,)", "[('a', '<f4', (1000000000,))]"),
            "call": npy_header("(9,)", "__import__('os').system('true')"),
            "version": npy_header("(9,)", version=b"\x09\x01"),
            "cut-off": npy_header("(9, 5, 2)"),
        }.items()
    ),
    Hostile("npz-bomb", f"a member of {BOMB:,} zeros that nothing needs", "data", "given.npz",
            lambda target, path: path.write_bytes(zipped(
                [*(member(n, m) for n, m in target.arrays.items()), bomb(b"more.npy")])),
            (Read("data", 0),)),
    *(
        Hostile(f"npz-{name}", "an archive that is damaged", "data", "given.npz",
                lambda target, path, change=change: path.write_bytes(zipped(
                    [replace(member(n, m), **change) for n, m in target.arrays.items()])),
                refused("data", says="given.npz"))
        for name, change in {
            "encrypted": {"flags": 1},
            "unknown-compression": {"method": 99},
            "damaged-bz2": {"method": 12},
            "damaged-lzma": {"method": 14},
            "wrong-checksum": {"crc": 1},
        }.items()
    ),
    *(
        Hostile(f"lengths-{name}", "lengths that are none", "data", "given.npz",
                npz_with(lengths=lengths(value, dtype)), refused("data", says="lengths"))
        for name, value, dtype in (
            ("int64", 2**63 - 1, "int64"), ("wraps", 2**32 + 1, "int64"), ("half", 4.5, "float64"),
            ("nan", np.nan, "float64"), ("negative", -1, "int64"), ("too-long", 6, "int32"),
        )
    ),
    *(
        Hostile(f"npy-{kind}", "not a regular file in a folder of arrays", "data", "given.d",
                npy_folder("x.npy", kind), refused("data", code=2, says="x.npy"))
        for kind in ("pipe", "device", "circle")
    ),
    *(
        Hostile(f"data-{kind}", "not a regular file", "data", f"given{ending}",
                lambda target, path, kind=kind: put(target, path, kind),
                refused("data", code=2, says=f"given{ending}"))
        for kind, ending in (("pipe", ".npz"), ("device", ".npz"))
    ),
    *(
        Hostile(f"table-{kind}-{ending[1:]}", "not a regular file", "data", f"given{ending}",
                lambda target, path, kind=kind: put(target, path, kind),
                refused("data rows", code=2, says=f"given{ending}"))
        for kind in ("pipe", "device") for ending in (".csv", ".parquet", ".csv.gz")
    ),
    *(
        Hostile(name, about, "data", "given.csv", stored(f"data/{name}.csv"),
                refused("data rows", says="given.csv"))
        for name, about in {
            "terminal-header": "names of columns that write to a terminal",
            "terminal-cell": "a cell that writes to a terminal",
            "twice": "a column twice",
            "binary": "bytes that are no text",
            "ragged": "rows of other lengths",
        }.items()
    ),
    Hostile("terminal-arrays", "names of arrays that write to a terminal", "data", "given.npz",
            lambda _, path: path.write_bytes(zipped(
                [member("x\x1b[31m\u202e.npy", npy(np.ones(3)))])),
            refused("data", says="\\x1b[31m")),
]  # fmt: skip


# --- states ---


def state(seed: str = "streams", **arrays: bytes) -> Callable[[Any, Path], None]:
    """A file of states with other members."""

    def make(target: Any, path: Path) -> None:
        found = {**unzipped(target.seeds[seed]), **{f"{n}.npy": m for n, m in arrays.items()}}
        path.write_bytes(zipped([member(name, raw) for name, raw in found.items()]))

    return make


def last_axis(target: Any, path: Path) -> None:
    found = unzipped(target.seeds["streams"])
    for name in found:
        if name.startswith("now."):
            found[name] = npy(np.ones((2, 3), "float32"))
    path.write_bytes(zipped([member(name, raw) for name, raw in found.items()]))


def state_bomb(target: Any, path: Path) -> None:
    found = [member(n, m) for n, m in unzipped(target.seeds["streams"]).items()]
    path.write_bytes(zipped([*found, bomb(b"more.npy")]))


RESTORED = (Read("restore_state", "StateFileError", "given.npz"),)
STATES = [
    Hostile("state-last-axis", "states of other units", "states", "given.npz", last_axis, RESTORED),
    *(
        Hostile(f"state-about-{name}", "what says nothing of its model", "states", "given.npz",
                state(about=npy(np.array(text))), RESTORED)
        for name, text in {
            "list": "[]", "deep": "[" * 100_000, "plan": '{"format": 1, "plan": [1]}',
            "states": '{"format": 1, "plan": {"states": 5}}', "text": "\x1b[31m",
        }.items()
    ),
    *(
        Hostile(f"state-{name}", "an array that is none", "states", "given.npz",
                state(position=raw), RESTORED)
        for name, raw in {
            "bracket": npy_header("(" * 300), "huge": npy_header(f"({2**62},)"),
            "alone": b"", "text": npy(np.array("x")),
        }.items()
    ),
    Hostile("state-bomb", f"a member of {BOMB:,} zeros", "states", "given.npz", state_bomb,
            RESTORED),
    Hostile("state-pickle", "Python objects", "states", "given.npz",
            lambda target, path: state(
                position=npy(np.array([Runs(target.marker)], object)))(target, path), RESTORED),
    *(
        Hostile(f"carried-{name}", "carried states that are none", "states", "given.npz",
                lambda target, path, change=change: path.write_bytes(zipped([
                    replace(member(n, m), **change)
                    for n, m in unzipped(target.seeds["carried"]).items()])),
                (Read("restore_states", "ValueError", "given.npz"),))
        for name, change in {
            "encrypted": {"flags": 1}, "unknown-compression": {"method": 99},
            "damaged-bz2": {"method": 12}, "damaged-lzma": {"method": 14},
            "bracket": {"data": npy_header("("), "method": 0, "size": len(npy_header("("))},
        }.items()
    ),
    *(
        Hostile(f"state-{kind}", "not a regular file", "states", "given.npz",
                lambda target, path, kind=kind: put(target, path, kind),
                (Read("restore_state", "StateFileError or OSError", "given.npz"),
                 Read("restore_states", "ValueError or OSError", "given.npz")))
        for kind in ("pipe", "device", "circle", "folder")
    ),
]  # fmt: skip


# --- folders of searches ---


def search(name: str, change: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    """The folder of a search in which one file is changed."""

    def make(target: Any, path: Path) -> None:
        shutil.copytree(target.folders["random"], path)
        change(target, path / name)

    return make


def edited_job(text: str) -> Callable[[Any, Path], None]:
    """job.json with values replaced: a stored object is laid over the one that is right."""

    def change(_: Any, path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **json.loads(text)}))

    return change


def without(key: str) -> Callable[[Any, Path], None]:
    """job.json without a key."""

    def change(_: Any, path: Path) -> None:
        found = json.loads(path.read_text("utf-8"))
        del found[key]
        path.write_text(json.dumps(found), "utf-8")

    return change


def with_line(text: bytes, line: int = 2) -> Callable[[Any, Path], None]:
    """The journal with another line in place of one."""

    def change(_: Any, path: Path) -> None:
        lines = path.read_bytes().splitlines()
        lines[line - 1] = text
        path.write_bytes(b"\n".join(lines) + b"\n")

    return change


def displacing(kind: str) -> Callable[[Any, Path], None]:
    return lambda target, path: put(target, path, kind)


LINES = [line for line in (STORED / "search" / "lines.jsonl").read_bytes().splitlines() if line]
JOBS = [line for line in (STORED / "search" / "jobs.jsonl").read_text("utf-8").splitlines() if line]
SEARCHES = [
    *(
        Hostile(f"job-{number}", f"job.json with {text[:60]}", "search", "s",
                search("job.json", edited_job(text)),
                (*refused("report", says="job.json"), Read("tune", "SearchError", "job.json")))
        for number, text in enumerate(JOBS, 1)
    ),
    *(
        Hostile(f"job-without-{key}", "job.json that lacks something", "search", "s",
                search("job.json", without(key)), refused("report", says="job.json"))
        for key in ("name", "dimensions", "oracle", "objectives", "seed", "pruning")
    ),
    *(
        Hostile(f"job-text-{number}", "job.json that is no object", "search", "s",
                search("job.json", lambda _, path, text=text: path.write_bytes(text)),
                (*refused("report", says="job.json"), Read("tune", "SearchError", "job.json")))
        for number, text in enumerate(
            (b"", b"[]", b"5", b"null", b"\xff", b"[" * 100_000, b"9" * 5000), 1)
    ),
    *(
        Hostile(f"journal-{number}", f"a journal with {line[:60]!r}", "search", "s",
                search("search.jsonl", with_line(line)),
                (*refused("report", says="search.jsonl:2"),
                 Read("tune", "SearchError", "search.jsonl:2")))
        for number, line in enumerate((*LINES, b"[" * 100_000, b"9" * 5000, b"\xff"), 1)
    ),
    *(
        Hostile(f"search-{name.replace('/', '-')}-{kind.replace(' ', '-')}",
                "a link, a pipe or a device in the folder", "search", "s",
                search(name, displacing(kind)),
                (Read("tune", "SearchError", name.rpartition("/")[2]),))
        for name in ("job.json", "search.jsonl", "lock")
        for kind in ("link", "dangling", "pipe", "device", "folder link")
    ),
    *(
        Hostile(f"search-{name}-{kind}", "the same, where what is there is not used", "search", "s",
                search(name, displacing(kind)), (Read("tune", "fine or SearchError"),))
        for name, kind in (("server.log", "link"), ("server.log", "dangling"),
                           ("server.log", "pipe"), ("trials", "dangling"),
                           ("trials", "folder link"), ("report.html", "link"),
                           ("trials.csv", "link"))
    ),
    *(
        Hostile(f"report-{name.rpartition('/')[2]}-{kind}", "a local file, to be copied",
                "search", "s", search(name, displacing(kind)), (Read("report", "no leak"),))
        for name in ("trials/0000/recipe.yaml", "trials/0000/best.keras",
                     "trials/0001/epochs.jsonl")
        for kind in ("link", "pipe", "device")
    ),
    *(
        Hostile(f"report-{name}-link", "a link where the report writes", "search", "s",
                search(name, displacing("link")), (Read("report", "no leak"),))
        for name in ("report.html", "trials.csv", "epochs.csv", "best.keras", "best.recipe.yaml")
    ),
]  # fmt: skip


# --- folders of trainings ---


def training(name: str, change: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    """The folder of a training in which one file is changed."""

    def make(target: Any, path: Path) -> None:
        shutil.copytree(target.folder, path)
        change(target, path / name)

    return make


def checkpoint(name: str, content: bytes | None, **lies: Any) -> Callable[[Any, Path], None]:
    """A checkpoint with a member replaced, left out, or described wrongly."""

    def change(target: Any, path: Path) -> None:
        found = []
        for own, raw in target.checkpoint.items():
            if own != name:
                found.append(member(own, raw))
            elif content is not None:
                found.append(replace(member(own, content or raw), **lies))
        path.write_bytes(zipped(found))

    return training("checkpoint.keras", change)


VALUES, ARRAYS = "lstmgraph.training.json", "lstmgraph.training.npz"
CHECKPOINT = (
    Read("read_checkpoint", "FolderError", "checkpoint.keras"),
    Read("epochs_done", "fine"),
)
TRAININGS = [
    *(
        Hostile(f"checkpoint-values-{number}", "values that are none", "training", "run",
                checkpoint(VALUES, text), CHECKPOINT)
        for number, text in enumerate(
            (b"[]", b"5", b"{}", b"{", b"\xff", b"[" * 100_000, b'{"version": 1}',
             b'{"version": 1, "identity": 5}', b'{"version": [], "identity": {}}'), 1)
    ),
    *(
        Hostile(f"checkpoint-arrays-{name}", "arrays that are none", "training", "run",
                checkpoint(ARRAYS, content), CHECKPOINT)
        for name, content in {
            "missing": None, "bytes": b"PK", "lone": npy(np.ones(3)),
            "bracket": zipped([member("a.npy", npy_header("("))]),
        }.items()
    ),
    *(
        Hostile(f"checkpoint-{name}", "a checkpoint that is damaged", "training", "run",
                checkpoint(VALUES, b"", **lies), CHECKPOINT)
        for name, lies in {
            "encrypted": {"flags": 1}, "unknown-compression": {"method": 99},
            "damaged-bz2": {"method": 12}, "damaged-lzma": {"method": 14},
        }.items()
    ),
    Hostile("checkpoint-bomb", f"values of {BOMB:,} zeros", "training", "run",
            training("checkpoint.keras", lambda target, path: path.write_bytes(zipped(
                [*(member(n, m) for n, m in target.checkpoint.items() if n != VALUES),
                 bomb(VALUES.encode())]))), CHECKPOINT),
    *(
        Hostile(f"training-{name.strip('.')}-{kind.replace(' ', '-')}",
                "a link, a pipe or a device in the folder", "training", "run",
                training(name, displacing(kind)), refused("train", says=name))
        for name, kind in ((".lock", "link"), (".lock", "dangling"), (".lock", "pipe"),
                           ("checkpoint.keras", "pipe"), ("checkpoint.keras", "device"),
                           ("checkpoint.keras", "outside"))
    ),
    *(
        Hostile(f"training-{name}-link", "a link where the training writes", "training", "run",
                training(name, displacing("link")), (Read("train", "no leak"),))
        for name in ("history.csv", "results.json", "environment.json")
    ),
]  # fmt: skip


# --- recipes ---


def written(text: str | bytes) -> Callable[[Any, Path], None]:
    return lambda _, path: path.write_bytes(text.encode() if isinstance(text, str) else text)


RECIPE = """\
recipe: 1
name: small
inputs: {x: {shape: [time, 2]}}
layers: {y: {type: lstm, input: x, units: 3}}
outputs: {y: y}
"""
EMOJI = json.dumps(
    {
        "recipe": 1, "name": "small", "description": "\U0001f600 \u00fc",
        "inputs": {"x": {"shape": ["time", 2]}},
        "layers": {"y": {"type": "lstm", "input": "x", "units": 3}}, "outputs": {"y": "y"},
    }
)  # fmt: skip
EVERY = ("validate", "explain", "graph", "fmt --diff", "migrate --diff", "space")
RECIPES = [
    Hostile("many-wrong-keys", "30,000 wrong keys", "", "given.yaml",
            written(RECIPE + "".join(f"k{n}: 1\n" for n in range(30_000))),
            (*refused("validate", says="given.yaml"), Read("validate --format sarif", 1))),
    Hostile("json-emoji", "JSON as json.dumps writes it", "", "given.json", written(EMOJI),
            (Read("validate", 0), Read("explain", 0))),
    Hostile("terminal", "keys that write to a terminal", "", "given.yaml",
            written(RECIPE + '"\\e]0;owned\\a\\u202e": 1\n'), refused("validate", "explain")),
    Hostile("terminal-blame", "values that write to a terminal, shown by their origins", "",
            "given.yaml", written(RECIPE + 'description: "\\e[31m\\u202e"\n'),
            (Read("explain --blame", 0), Read("fmt --diff", "no escapes"))),
    Hostile("recipe-pipe", "a pipe", "", "given.yaml", lambda _, path: os.mkfifo(path),
            refused(*EVERY, code=2, says="given.yaml")),
    Hostile("recipe-device", "a device", "", "given.yaml",
            lambda _, path: path.symlink_to("/dev/zero"),
            refused(*EVERY, code=2, says="given.yaml")),
    Hostile("extends-pipe", "a base that is a pipe", "", "given.yaml",
            lambda _, path: (os.mkfifo(path.with_name("base.yaml")),
                             path.write_text(f"extends: base.yaml\n{RECIPE}")),
            refused("validate", "explain", says="base.yaml")),
]  # fmt: skip

CORPUS: Sequence[Hostile] = (*KERAS, *DATA, *STATES, *SEARCHES, *TRAININGS, *RECIPES)
