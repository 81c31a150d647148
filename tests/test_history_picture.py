"""The picture of a training's history: axes that can be read, whatever the numbers are."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from lstmgraph.explain.charts.axes import NumberAxis, number_axis
from lstmgraph.training.picture import history_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

SVG = "{http://www.w3.org/2000/svg}"
NAN, INF = math.nan, math.inf


def drawn(values: Sequence[float]) -> tuple[list[str], str]:
    """The texts of the picture of one metric, and the commands of its curve."""
    root = ElementTree.fromstring(history_svg({"rate": values}, "a <b> & c"))
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts[0] == "a <b> & c"
    assert {"epoch", "rate"} <= {text.removesuffix(" (log)") for text in texts}
    numbers = [text for text in texts if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text)]
    (curve,) = [path.get("d", "") for path in root.iter(f"{SVG}path")]
    return numbers, curve


def test_a_constant_is_the_one_tick_of_its_axis() -> None:
    numbers, curve = drawn([0.001] * 4)
    assert sorted(numbers) == ["0.001", "1", "2", "3", "4"]
    assert len({y for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", curve)}) == 1


@pytest.mark.parametrize("value", [0.0, 1e20, 1e300, 1e-300, -5.0])
def test_any_constant_has_its_tick(value: float) -> None:
    numbers, curve = drawn([value, value])
    assert value in map(float, numbers)
    assert len(re.findall("[ML]", curve)) == 2


def test_one_epoch_is_a_mark() -> None:
    numbers, curve = drawn([5.0])
    assert sorted(numbers) == ["1", "5"]
    assert curve.endswith("m-3 0h6")


@pytest.mark.parametrize(
    ("values", "points"),
    [([], 0), ([NAN], 0), ([NAN, INF, -INF], 0), ([1.0, INF, 3.0, NAN], 2), ([1e308, -1e308], 2)],
)
def test_what_is_no_number_leaves_a_gap(values: list[float], points: int) -> None:
    curve = drawn(values)[1]
    assert len(re.findall("[ML]", curve)) == points
    assert "nan" not in curve
    assert "inf" not in curve


@pytest.mark.parametrize("epochs", [2, 3, 5, 7, 20, 333, 1000])
def test_epochs_have_whole_ticks(epochs: int) -> None:
    axis = number_axis((1.0, float(epochs)), 0.0, 100.0, whole=True)
    labels = [text for _, text in axis.ticks()]
    assert len(labels) >= 2
    assert all(text.isdecimal() for text in labels)


@pytest.mark.parametrize(
    ("low", "high"),
    [(25.27, 63.88), (0.0012, 0.0019), (-3.0, 17.0), (1e6, 9e6), (0.1, 0.100001), (3e-9, 8e-9)],
)
def test_ticks_are_round(low: float, high: float) -> None:
    ticks = [float(text) for _, text in NumberAxis(low, high, 0.0, 100.0).ticks()]
    step = ticks[1] - ticks[0]
    power = 10.0 ** math.floor(math.log10(step * 1.0001))
    assert round(step / power, 3) in (1, 2, 5)
    assert 2 <= len(ticks) <= 7
    assert all(abs(tick / step - round(tick / step)) < 1e-6 for tick in ticks)


def test_ticks_close_to_each_other_are_told_apart() -> None:
    labels = [text for _, text in NumberAxis(100000.1, 100000.2, 0.0, 100.0).ticks()]
    assert len(set(labels)) == len(labels) >= 2


def test_training_and_validation_share_a_chart() -> None:
    text = history_svg({"loss": [3.0, 2.0], "val_loss": [4.0, 5.0], "mae": [1.0, 1.0]}, "small")
    root = ElementTree.fromstring(text)
    kinds = [path.get("class") for path in root.iter(f"{SVG}path")]
    assert kinds == ["training", "validation", "training"]
    assert [svg.get("aria-label") for svg in root.iter(f"{SVG}svg")] == [
        "small", "loss against epoch", "mae against epoch",
    ]  # fmt: skip
    assert text.count(">validation<") == 1
