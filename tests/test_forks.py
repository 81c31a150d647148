"""Processes that are started from one in which TensorFlow runs, or does not yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")

PROGRAM = """
import multiprocessing, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import keras
import lstmgraph
import numpy as np
import tensorflow as tf
from training_cases import arrays, recipe

def build(): return recipe().build()
def train(): return recipe().train(arrays(), folder=sys.argv[1], epochs=1)
def load(): return lstmgraph.load_model(sys.argv[2])
def data():
    x, y = arrays()
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    return recipe().load_data(dataset)
def start(): keras.ops.zeros(3) + 1
def grandchild():
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    run(build)

def run(function):
    try:
        function()
    except RuntimeError as error:
        assert "TensorFlow had started before this process was forked" in str(error), error
        os._exit(3)
    os._exit(0)

def outcomes(method, functions):
    context = multiprocessing.get_context(method)
    for function in functions:
        if function is start:  # here, not in a child
            start()
            continue
        child = context.Process(target=run, args=(function,))
        child.start()
        child.join(100)
        code, name = child.exitcode, function.__name__
        child.kill()
        found = {0: "works", 3: "refused", None: "hangs"}.get(code, code)
        yield f"{method} {name} {found}"

if __name__ == "__main__":
    print(*outcomes("fork", [build, build, train, start, build]), sep="\\n", flush=True)
    small = recipe()
    small.save(small.build(), sys.argv[2])
    for method, functions in (
        ("fork", [train, load, data, grandchild]), ("spawn", [build]), ("forkserver", [build])
    ):
        print(*outcomes(method, functions), sep="\\n", flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What became of each process: first those before TensorFlow started, then those after."""
    folder = tmp_path_factory.mktemp("forks")
    program = folder / "program.py"
    program.write_text(PROGRAM)
    run = subprocess.run(
        [sys.executable, str(program), str(folder / "run"), str(folder / "m.keras")],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
        env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.slow
@FORKS
def test_a_process_forked_before_works(outcomes: list[str]) -> None:
    """Trials are forked so, from a process that has imported Keras; each then starts its own.

    Then TensorFlow starts without lstmgraph.
    """
    assert outcomes[:4] == [
        *("fork build works", "fork build works", "fork train works"),
        "fork build refused",
    ]


@pytest.mark.slow
@FORKS
def test_a_process_forked_after_tensorflow_started_is_told(outcomes: list[str]) -> None:
    """Those that are started in other ways work, and know nothing of it."""
    assert outcomes[4:] == [
        *(f"fork {name} refused" for name in ("train", "load", "data", "grandchild")),
        "spawn build works",
        "forkserver build works",
    ]
