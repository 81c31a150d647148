"""Build a recipe's model with the weights of a state dict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.notes import Note
from lstmgraph.interop.torch_weights.checkpoints import read_checkpoint
from lstmgraph.interop.torch_weights.layers import converted, torch_layers
from lstmgraph.interop.torch_weights.mapping import fits, guessed, kind_of, targets_of
from lstmgraph.interop.torch_weights.safetensors import read_safetensors
from lstmgraph.interop.torch_weights.suffixes import SAFETENSORS
from lstmgraph.messages.wording import few

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import keras

    from lstmgraph.compiler.graph import Node
    from lstmgraph.compiler.load import HasCompiled
    from lstmgraph.explain.weight_fit import LayerTransfer
    from lstmgraph.interop.torch_weights.layers import TorchLayer
    from lstmgraph.interop.torch_weights.mapping import Pair

USUAL: Mapping[str, Mapping[str, Any]] = {
    "LSTM": {"activation": "tanh", "recurrent_activation": "sigmoid"},
    "GRU": {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True},
    "SimpleRNN": {"activation": "tanh"},
    "LayerNormalization": {"epsilon": 1e-5},
}
"""The arguments with which Keras's layers compute what PyTorch's do by default."""


@dataclass(frozen=True)
class TorchTransfer:
    """A model with the weights of a state dict, and what became of every layer."""

    model: keras.Model
    layers: tuple[LayerTransfer, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[Note, ...]
    """What to know: arguments that the weights do not tell, and tensors that are not used."""


def transfer_torch(
    path: Path, recipe: HasCompiled, given: Mapping[str, str] | None = None
) -> TorchTransfer:
    """Build the recipe's model with the weights of a PyTorch state dict that fit.

    Args:
        path: a ``.safetensors`` file, or a ``.pt`` file of a state dict, which is read as data.
        recipe: the recipe whose model is built.
        given: layers of the recipe by names of modules, where the guess is wrong.

    Raises:
        WeightsFileError: the file cannot be read, or `given` names what is not there.
        RecipeError: the model cannot be built.
        OSError: the file cannot be read.
    """
    state = (read_safetensors if path.suffix == SAFETENSORS else read_checkpoint)(path)
    layers, unknown = torch_layers(state)
    graph = recipe.compiled.graph
    # The other format sorts the tensors by name.
    in_order = path.suffix != SAFETENSORS
    pairs = guessed(layers, graph, given or {}, in_order=in_order)
    targets, sources = targets_of(graph), {layer.name: layer for layer in layers}
    weights: dict[str, dict[str, Any]] = {}
    notes = [*_notes_of_state(unknown)]
    for pair in pairs:
        node = targets[pair.target]
        found = converted(sources[pair.source], node, kind_of(node))
        weights[pair.target] = _raw(sources[pair.source]) if found is None else found
        notes += _notes_of(pair, node)
    used, taken = {pair.source for pair in pairs}, {pair.target for pair in pairs}
    for layer in layers:
        if layer.name not in used:
            weights.setdefault(layer.name or "the module", _raw(layer))
            free = [n for name, n in targets.items() if name not in taken and fits(layer, n)]
            notes += _notes_of_left(layer, free)

    from lstmgraph.models.building import build_model  # noqa: PLC0415 - imports TensorFlow
    from lstmgraph.models.given_weights import load_layers  # noqa: PLC0415 - imports h5py
    from lstmgraph.models.weights_file import Weights  # noqa: PLC0415 - as above

    model = build_model(recipe.compiled)
    outcomes = load_layers(Weights(weights, path), model)
    return TorchTransfer(model, outcomes, pairs, tuple(notes))


def _raw(layer: TorchLayer) -> dict[str, Any]:
    return {f"torch/{key}": tensor for key, tensor in layer.tensors.items()}


def _notes_of_state(unknown: list[str]) -> Iterator[Note]:
    if unknown:
        kinds = "LSTM, GRU, RNN, Linear, Embedding, LayerNorm and Conv1d, without projections"
        yield Note(
            "M405",
            f"not used, as they belong to no layer that is read: {few(unknown)}",
            f"the layers that are read are {kinds}",
        )


def _notes_of_left(layer: TorchLayer, fitting: list[Node]) -> Iterator[Note]:
    if fitting:
        names = few([node.keras_name for node in fitting])
        yield Note(
            "M407",
            f"'{layer.name}' is not used: it fits {names}, and nothing says which",
            f"choose with --map {layer.name}={fitting[0].keras_name}",
        )


def _notes_of(pair: Pair, node: Node) -> Iterator[Note]:
    """Yield what the weights do not tell, where the recipe has it otherwise than PyTorch."""
    for key, usual in USUAL.get(kind_of(node), {}).items():
        own = node.arguments.get(key, usual)
        if own != usual:
            yield Note(
                "M406",
                f"'{pair.target}' has {key} {own}, and PyTorch {usual} unless the module was made "
                "otherwise",
                f"write `{key}: {str(usual).lower()}`, or keep it if the module has it too",
            )
