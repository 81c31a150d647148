"""The models of a recipe as data, for `explain` and for the manifest of a build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.compiler.derive import FurtherModel
    from lstmgraph.compiler.graph import Graph, GraphInput
    from lstmgraph.keras_facts.tensors import Dim, TensorSpec

MAIN = "main"
"""The kind of the recipe's own model."""


@dataclass(frozen=True)
class ModelRow:
    """A model: its inputs and outputs by name, and the outputs that feed its state inputs."""

    name: str
    kind: str
    """``main``, ``written``, ``encoder``, ``decoder``, ``step``, or ``start``."""
    inputs: Mapping[str, TensorSpec]
    """The tensors as they are fed: ``(time, batch, ...)`` for time-major inputs."""
    outputs: Mapping[str, TensorSpec]
    states: Mapping[str, str | None]
    """For each state input, the output that feeds it in the next call; None if there is none."""
    plan: dict[str, Any] | None = None
    """The plan of a step model; None for other models."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` and the manifest hold; see docs/json.md."""
        return {
            "name": self.name,
            "kind": self.kind,
            "inputs": _specs(self.inputs),
            "outputs": _specs(self.outputs),
            "states": dict(self.states),
            "plan": self.plan,
        }


def model_rows(compiled: CompiledRecipe) -> list[ModelRow]:
    """Return the further models of a recipe, without its main model."""
    return [_row(model.name, model.kind, model.graph, model) for model in compiled.models.values()]


def manifest(compiled: CompiledRecipe, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest of a build: every model with its file, which `files` has by name."""
    main = _row(compiled.graph.name, MAIN, compiled.graph, None)
    rows = [main, *model_rows(compiled)]
    models = [{"name": row.name, "file": files[row.name], **row.as_dict()} for row in rows]
    return {"manifest": 1, "recipe": compiled.graph.name, "models": models}


def _row(name: str, kind: str, graph: Graph, model: FurtherModel | None) -> ModelRow:
    return ModelRow(
        name,
        kind,
        {own: _as_fed(tensor) for own, tensor in graph.inputs.items()},
        {own: graph.specs[port] for own, port in graph.outputs.items()},
        model.states if model else {},
        model.plan.as_dict() if model and model.plan else None,
    )


def _as_fed(tensor: GraphInput) -> TensorSpec:
    if not tensor.time_major:
        return tensor.spec
    batch, time, *rest = tensor.spec.shape
    shape: tuple[Dim, ...] = (time, batch, *rest)
    return type(tensor.spec)(shape, tensor.spec.dtype)


def _specs(specs: Mapping[str, TensorSpec]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": list(spec.shape), "dtype": spec.dtype}
        for name, spec in specs.items()
    ]
