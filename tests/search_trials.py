"""Trial functions and a space for the tests of searches."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.language.space import Condition, Dimension, Range, Space
from lstmgraph.messages.diagnostics import Diagnostic, Place, Span
from lstmgraph.messages.errors import RecipeError

if TYPE_CHECKING:
    from lstmgraph.tuning.search.trial import Trial, TrialOutcome


SPACE = Space(
    (
        Dimension("units", "int", 64, range=Range(32, 256, 32)),
        Dimension("rate", "float", 1e-3, range=Range(1e-4, 1e-1, None, "log")),
        Dimension("bridge", "choice", None, choices=(None, "dense", [1, 2])),
        Dimension("deep", "bool", False, choices=(False, True)),
        Dimension("second", "int", 16, (Condition("deep", (True,)),), Range(8, 32, 8)),
    )
)


def cost(values: dict[str, Any]) -> float:
    """The valley that searches look for: smooth in the numbers, a step for each choice."""
    found = (values["units"] - 128) ** 2 / 1e4 + (math.log10(values["rate"]) + 2) ** 2
    found += 0.0 if values["bridge"] == "dense" else 0.5
    return found + (abs(values["second"] - 16) / 16 if values["deep"] else 0.25)


def arithmetic(trial: Trial) -> TrialOutcome:
    """Ends at once. The seed shows in the result, so that another seed gives another number."""
    time.sleep(trial.spec.job.get("sleep", 0.0))
    noise = random.Random(trial.spec.seed_of()).random() / 100
    last = 3 if trial.spec.epochs is None else trial.spec.epochs
    history = []
    for epoch in range(trial.spec.initial_epoch, last):
        history.append(cost(dict(trial.spec.values)) + noise + 1 / (epoch + 1))
        if trial.on_epoch(epoch, {"val_loss": history[-1]}):
            break
    for name in ("best.keras", "last.keras")[: 1 + trial.spec.keep_last]:
        (Path(trial.spec.folder) / name).write_text(str(history[-1]), "utf-8")
    if trial.spec.continues:
        assert (Path(trial.spec.continues) / "last.keras").exists()
    return trial.outcome(
        metrics={"val_loss": min(history), "size": float(trial.spec.values["units"])},
        history={"val_loss": tuple(history)},
        epochs=len(history),
    )


def misbehaving(trial: Trial) -> TrialOutcome:
    """Does what the job says trial N shall do: ``{"acts": {"1": "raise"}}``."""
    act = trial.spec.job["acts"].get(str(trial.spec.number), "")
    if act == "raise":
        raise ValueError("no such layer")
    if act == "refuse":
        place = Place("small.yaml", Span(3, 5, 3, 9))
        raise RecipeError(
            [Diagnostic("L902", "cannot run", ("layers",), place, "correct the data")],
            {"small.yaml": "a\nb\nc: d\n"},
        )
    if act == "exit":
        os.write(1, b"so long\n")
        os._exit(3)
    if act == "segfault":
        os.write(2, b"about to fall\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (Path(trial.spec.folder) / "grandchild").write_text(str(child.pid), "utf-8")
        trial.on_epoch(0, {"val_loss": 0.5})
        time.sleep(60)
    if act == "eat":
        held = bytearray(400 * 2**20)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(60)
    if act == "meet":
        here = Path(trial.spec.folder)
        (here / "here").touch()
        while len(list(here.parent.glob("*/here"))) < 2:
            time.sleep(0.01)
    if act == "nan":
        return trial.outcome(metrics={"val_loss": math.nan})
    if act == "full":
        raise OSError(28, "No space left on device")
    return trial.outcome(
        metrics={"val_loss": float(trial.spec.number)},
        history={
            "environment": (float(os.environ.get("CUDA_VISIBLE_DEVICES", "-1").split(",")[0]),)
        },
    )


def small_keras(trial: Trial) -> TrialOutcome:
    """A real model: one LSTM on random sequences, trained for two epochs."""
    import keras  # noqa: PLC0415 - in the child alone
    import numpy as np  # noqa: PLC0415

    spec = trial.spec
    keras.utils.set_random_seed(spec.seed_of())
    data = np.random.default_rng(0).normal(size=(64, 5, 3)).astype("float32")
    target = data.sum(axis=(1, 2))[:, None]
    inputs = keras.Input((5, 3))
    state = keras.layers.LSTM(int(spec.values["units"]) // 8, use_cudnn=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(state))
    model.compile(keras.optimizers.Adam(spec.values["rate"]), "mse")
    began = time.monotonic()
    history = model.fit(data, target, validation_split=0.25, epochs=2, batch_size=16, verbose=0)
    seconds = time.monotonic() - began
    model.save(Path(spec.folder) / "best.keras")
    losses = tuple(history.history["val_loss"])
    return trial.outcome(
        metrics={"val_loss": min(losses)},
        history={"val_loss": losses},
        epochs=2,
        fit_seconds=seconds,
        parameters=model.count_params(),
    )


def a_search(trial: Trial) -> TrialOutcome:
    """A whole search as a trial, so that it starts from a process that has TensorFlow already."""
    from lstmgraph.tuning.search.engine import run_search  # noqa: PLC0415 - imported once, by the server
    from lstmgraph.tuning.search.jobs import RunOptions, SearchJob  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a process of its own
    wanted = trial.spec.job
    job = SearchJob("demo", SPACE, wanted["oracle"], **wanted["job"])
    options = RunOptions(**{"preload": (), **wanted["options"]})
    run_search(job, options, Path(wanted["folder"]))
    return trial.outcome(metrics={"val_loss": 0.0})


def noted(trial: Trial) -> TrialOutcome:
    """`arithmetic` that says that it runs, and waits until it may go on."""
    notes = Path(trial.spec.job["notes"])
    (notes / f"{trial.spec.number}-{os.getpid()}").touch()
    while not (notes / "go").exists():
        time.sleep(0.05)
    return arithmetic(trial)


def ancestors(trial: Trial) -> TrialOutcome:
    """Notes which files there are of the trials that this one goes on from."""
    here, seen = Path(trial.spec.folder), []
    source = trial.spec.continues
    while source is not None:
        found = here.with_name(Path(source).name)
        seen += [f"{found.name}/{path.name}" for path in sorted(found.iterdir())]
        source = json.loads((found / "spec.json").read_text("utf-8"))["continues"]
    (here / "seen").write_text(" ".join(seen), "utf-8")
    assert here.parent.name == "trials", "beside it is what trials share"
    return trial.outcome(metrics={"val_loss": 0.0})
