"""Decide whether a training compiles its steps with XLA on a CPU, from what was measured.

Measured on 2 cores with TensorFlow 2.21 (``python -m benchmarks.kernels --compile``). What a step
of Keras's loop takes beside its products is mostly overhead, of which the fused loop in XLA leaves
little; XLA's products are slower than TensorFlow's where they are large. On a slower machine both
savings and compilation take longer; only their ratio decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgraph.compiler.machine.fused import runs_one_step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lstmgraph.compiler.graph import Graph

LOOP_SECONDS = 60e-6
"""What XLA saves of each time step of a recurrent layer in a training step."""
LOOP_SHARE = 0.75
"""The share of that in what a time step takes beside its products."""
FORWARD_SHARE = 0.25
"""The share of `LOOP_SECONDS` that XLA saves in `evaluate`."""
COMPILE_SECONDS = 0.6
COMPILE_LAYER_SECONDS = 0.1
"""What one shape takes to compile: a part for each model, and one for each recurrent layer."""
MOST_PRODUCTS = 1 << 20
MOST_FUSED_PRODUCTS = 1 << 25
"""Multiplications of a recurrent layer in a time step: in Keras's loop, where XLA is slower if
there are more, and in the fused one, which was measured up to 17 million."""
MOST_FUSED_NUMBERS = 1 << 13
FEW_ROWS = 64
"""Numbers of a state, (batch, units), in the fused loop, and half as many with more rows than a
few: XLA computes a step on one core, and TensorFlow on several. With 128 units, a training step
takes 0.44 to 0.68 of one with Keras's loop with 64 rows; with 32 units and 256 rows, 1.1 to 1.25.
"""
PRODUCTS_A_SECOND = 1e10
AT_ONCE_SECONDS = 0.3
MOST_AT_ONCE = 32
"""How long, and how many, steps may run before callbacks see them."""


@dataclass(frozen=True)
class StepCost:
    """About what one training step takes."""

    loop_steps: int
    """The time steps of all recurrent layers and directions, of those that loop."""
    layers: int
    """The recurrent layers that loop, both directions counted."""
    products: int
    """The multiplications of all recurrent layers in all time steps."""
    is_large: bool = False
    """Whether XLA is slower, because a layer does too many multiplications in one time step."""

    @property
    def seconds(self) -> float:
        """About how long a step takes with Keras's loop."""
        return LOOP_SECONDS / LOOP_SHARE * self.loop_steps + 3 * self.products / PRODUCTS_A_SECOND

    @property
    def at_once(self) -> int:
        """How many steps run before callbacks see them."""
        return max(1, min(MOST_AT_ONCE, int(AT_ONCE_SECONDS / max(self.seconds, 1e-6))))

    def pays(self, steps: int, shapes: int, *, forwards: bool = False) -> bool:
        """Return whether compiling `shapes` shapes saves more than it takes in `steps` steps.

        Args:
            steps: The steps of the whole training.
            shapes: The shapes of its batches.
            forwards: Whether the steps are those of `evaluate`.
        """
        if not self.layers or self.is_large:
            return False
        share = FORWARD_SHARE if forwards else 1.0
        saved = share * LOOP_SECONDS * self.loop_steps * steps
        cost = COMPILE_SECONDS + COMPILE_LAYER_SECONDS * self.layers
        return saved > shapes * cost * (0.5 if forwards else 1.0)


def step_cost(
    graph: Graph, rows: int, sizes: Mapping[str, int], fused: Collection[str] = ()
) -> StepCost:
    """Return about what a step of `rows` rows takes.

    Args:
        graph: The graph of the model.
        rows: The rows of a batch.
        sizes: The sizes of the open dimensions.
        fused: The nodes on the fused loop.
    """
    loop_steps = layers = products = 0
    is_large = False
    for node in graph.nodes:
        if node.recurrence is None or not node.inputs:
            continue
        size = graph.specs[node.inputs[0]].shape[1]
        steps = size if isinstance(size, int) else sizes.get(str(size), 1)
        ways = 2 if node.recurrence.bidirectional else 1
        cells = ways * max(1, len(node.recurrence.cells))
        own = rows * node.parameters.total
        if not runs_one_step(graph, node):
            loop_steps += steps * cells
            layers += cells
        products += steps * own
        is_fused = node.name in fused
        is_large |= own // cells > (MOST_FUSED_PRODUCTS if is_fused else MOST_PRODUCTS)
        numbers = rows * max(node.recurrence.slot_units.values())
        most = MOST_FUSED_NUMBERS if rows <= FEW_ROWS else MOST_FUSED_NUMBERS // 2
        is_large |= is_fused and numbers > most
    return StepCost(loop_steps, layers, products, is_large)
