"""The kernel of each recurrent call on a machine, in training and in prediction, and why."""

from __future__ import annotations

import pytest
from building import load

from lstmgraph.compiler.machine.kernels import kernel_uses
from lstmgraph.compiler.machine.machine import Machine

RECIPE = """
inputs: {{frames: {{shape: [{steps}, 2]}}, one: {{shape: [1, 2]}}}}
layers:
  reader: {{type: lstm, input: frames, units: 2}}
  gelu: {{type: gru, input: frames, units: 2, activation: gelu}}
  single: {{type: lstm, input: one, units: 2}}
outputs: {{reader: reader, gelu: gelu, single: single}}
runtime: {{seed: 1, {runtime}}}
"""
CPU, GPU, JAX = Machine(), Machine(gpus=1), Machine(backend="jax")
SINGLE = "single step", "single step", "one step needs no loop"
GELU = "standard", "standard", "the derivative of gelu does not follow from its output"
LOOP = "standard", "standard"


@pytest.mark.parametrize(
    ("machine", "steps", "runtime", "reader", "gelu", "single"),
    [
        (CPU, "4", "", ("fused", "fused", "XLA compiles `predict`"), GELU, SINGLE),
        (CPU, "time", "", ("fused", "standard", "every new size of `time`"), GELU, SINGLE),
        (CPU, "time", "kernel: standard", (*LOOP, "`kernel: standard`"), LOOP, SINGLE),
        (CPU, "time", "xla: true", ("fused", "fused", "`xla: true`"), GELU, SINGLE),
        (CPU, "4", "xla: false", (*LOOP, "XLA is off"), GELU, SINGLE),
        (CPU, "4", "deterministic: true", (*LOOP, "`deterministic: true`"), GELU, SINGLE),
        (CPU, "4", "strategy: mirrored", (*LOOP, "`strategy: mirrored`"), GELU, SINGLE),
        (GPU, "4", "device: cpu", ("fused", "fused", "XLA compiles `predict`"), GELU, SINGLE),
        (GPU, "4", "", ("cudnn", "cudnn", "on a GPU"), LOOP, ("cudnn", "cudnn")),
        (JAX, "4", "", (*LOOP, "there is no GPU"), LOOP, LOOP),
        (CPU, "4", "kernel: unrolled", ("unrolled", "unrolled"), ("unrolled",), ("unrolled",)),
    ],
)
def test_kernels(  # noqa: PLR0913, PLR0917 - the columns of a table
    machine: Machine,
    steps: str,
    runtime: str,
    reader: tuple[str, ...],
    gelu: tuple[str, ...],
    single: tuple[str, ...],
) -> None:
    compiled = load(RECIPE.format(steps=steps, runtime=runtime)).compiled
    found = kernel_uses(compiled.declaration.runtime, compiled.graph, machine)
    for name, expected in (("reader", reader), ("gelu", gelu), ("single", single)):
        use = found[name]
        kernels = expected[:2] if len(expected) > 1 else expected * 2
        assert (use.training, use.prediction) == kernels
        assert "".join(expected[2:]) in use.reason
