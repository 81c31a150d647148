"""Random recipes to Keras models and back, in one process.

    python tests/fuzz_round_trips.py --recipes 1000

Each is built, imported from the model, and built again. The second model must be the first call by
call, and give the same outputs with the same weights, on rows with padding. What is refused or
differs is printed, with the seed and the number that make it again, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import keras
from generated import recipes
from hypothesis import HealthCheck, Phase, given, seed, settings
from round_trips import differences, randomized, without_sections

from lstmgraph.interop.importing import Converted, convert
from lstmgraph.interop.importing.checking import Differ, move_weights
from lstmgraph.interop.reading import read_model
from lstmgraph.messages.errors import ModelFileError
from lstmgraph.models.building import build_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generated_base import Generated


def generated(count: int, start: int) -> Iterator[dict[str, Any]]:
    """Yield `count` random recipes, the same ones for the same `start`."""
    found: list[dict[str, Any]] = []

    @seed(start)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes())
    def collect(each: Generated) -> None:
        found.append(each.data)

    collect()
    yield from found


def outcome(data: dict[str, Any]) -> tuple[str, str]:
    """Return ``identical``, or how one recipe does not come back, and a text about it."""
    keras.backend.clear_session()
    model = without_sections(data).build()
    randomized(model)
    try:
        converted = convert(read_model(model))
    except ModelFileError as error:
        return " ".join(sorted({each.code for each in error.diagnostics})), str(error)
    again = build_model(converted.compiled)
    found = differences(model, again)
    if found:
        return "different", "\n".join([*found, converted.text])
    return compared(model, again, converted)


def compared(model: keras.Model, again: keras.Model, converted: Converted) -> tuple[str, str]:
    """Return whether two models give the same outputs with the same weights."""
    move_weights(again, {layer.name: layer for layer in model.layers}, converted.layers)
    check = Differ(converted, model, again).check()
    return ("identical", "") if check.ok else ("other outputs", f"{check}\n{converted.text}")


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one recipe to run again")
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    started = time.process_time()
    for number, data in enumerate(generated(given.recipes, given.seed)):
        if given.only not in (None, number):
            continue
        try:
            kind, text = outcome(data)
        except Exception as error:  # any is a finding
            kind, text = f"raised {type(error).__name__}", str(error)
        counts[kind] += 1
        if kind != "identical":
            print(f"--- {given.seed}:{number} {kind}\n{text}\n{json.dumps(data)}", flush=True)
        if number == 0:
            gc.freeze()  # of Keras's own objects, which each `clear_session` would go through
        if not sum(counts.values()) % 50:
            seconds = time.process_time() - started
            print(f"{sum(counts.values())} recipes, {seconds:.0f} s: {dict(counts)}", flush=True)
    print(f"{sum(counts.values())} recipes: {dict(counts)}")
    return int(set(counts) != {"identical"})


if __name__ == "__main__":
    sys.exit(main())
