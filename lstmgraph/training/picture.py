"""The history of a training as an SVG: one panel for each metric, training and validation in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lstmgraph.compiler.checks.metric_names import VALIDATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 34, 34
COLOURS = {"training": "#1f77b4", "validation": "#d95f02"}
TICKS = 4


def history_svg(history: Mapping[str, Sequence[float]], title: str) -> str:
    """Return an SVG of `history`, which holds one value for each epoch by metric."""
    panels = [name for name in history if not name.startswith(VALIDATION)]
    width, height = WIDTH * min(2, max(1, len(panels))), HEIGHT * math.ceil(len(panels) / 2) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="17" font-size="14">{escape(title)}</text>',
    ]
    for number, name in enumerate(panels):
        curves = {"training": history[name]}
        if VALIDATION + name in history:
            curves["validation"] = history[VALIDATION + name]
        place = f"translate({number % 2 * WIDTH} {24 + number // 2 * HEIGHT})"
        parts += [f'<g transform="{place}">', *_panel(name, curves), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, curves: Mapping[str, Sequence[float]]) -> list[str]:
    values = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        room = max(0.5, abs(low) / 2)  # half of 1e20 less is another number, 0.5 less is not
        low, high = low - room, high + room
    epochs = max(len(curve) for curve in curves.values())
    parts = [f'<text x="{LEFT}" y="{TOP - 16}" font-weight="bold">{escape(name)}</text>']
    parts += _axes(low, high, epochs)
    for number, (kind, curve) in enumerate(curves.items()):
        runs = _runs([(_x(i, epochs), _y(v, low, high)) for i, v in enumerate(curve)])
        for run in runs:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{COLOURS[kind]}" '
                'stroke-width="1.6" stroke-linecap="round"/>'
            )
        # One epoch is a point, which a line does not show.
        parts += [
            f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2.5" fill="{COLOURS[kind]}"/>'
            for run in runs
            if len(run) == 1
        ]
        x = WIDTH - RIGHT - 150 + 80 * number
        parts.append(f'<text x="{x}" y="{TOP - 16}" fill="{COLOURS[kind]}">— {kind}</text>')
    return parts


def _axes(low: float, high: float, epochs: int) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        y = _y(value, low, high)
        parts += [
            f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>',
        ]
    for epoch in sorted({1, (epochs + 1) // 2, epochs}):
        x = _x(epoch - 1, epochs)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{epoch}</text>')
    middle = (LEFT + right) // 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">epoch</text>')
    return parts


def _x(index: int, epochs: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (index / (epochs - 1) if epochs > 1 else 0.5)


def _y(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the parts of a curve between the values that are NaN or infinite."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
