"""The same models as ``torch.nn.LSTM``; masked ones read packed sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks.grid import CLASSES, FEATURES, UNITS
from benchmarks.options import THREADS

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.cells import Cell
    from benchmarks.grid import Batch, Case


class Classifier(torch.nn.Module):
    """A model of the grid. It gives logits, as torch's cross entropy wants them."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.masked = case.masked
        self.lstm = torch.nn.LSTM(FEATURES, UNITS, num_layers=case.depth, batch_first=True)
        self.head = torch.nn.Linear(UNITS, CLASSES)

    def forward(self, sequence: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(batch, STEPS, FEATURES) and (batch,) lengths -> (batch, CLASSES)."""
        read = sequence
        if self.masked:
            read = torch.nn.utils.rnn.pack_padded_sequence(
                sequence, lengths, batch_first=True, enforce_sorted=False
            )
        _, (h, _) = self.lstm(read)
        return self.head(h[-1])


class Runner:
    """Runs one model, with the weights of a Keras model of the same case."""

    def __init__(self, case: Case, batch: Batch, weights: list[np.ndarray]) -> None:
        torch.set_num_threads(THREADS)
        self.batch = batch
        self.model = Classifier(case)
        _copy_weights(weights, self.model)

    def predict(self) -> np.ndarray:
        """Probabilities, (batch, CLASSES)."""
        self.model.eval()
        with torch.inference_mode():
            return torch.softmax(self._logits(), dim=-1).numpy()

    def _logits(self) -> torch.Tensor:
        lengths = torch.from_numpy(self.batch.lengths).long()
        return self.model(torch.from_numpy(self.batch.sequence), lengths)


def _copy_weights(weights: list[np.ndarray], model: Classifier) -> None:
    """Keras's (kernel, recurrent kernel, bias) of each layer; the gates stand in one order."""
    *recurrent, head_kernel, head_bias = (torch.from_numpy(weight.copy()) for weight in weights)
    with torch.no_grad():
        for layer in range(model.lstm.num_layers):
            kernel, recurrent_kernel, bias = recurrent[3 * layer : 3 * layer + 3]
            getattr(model.lstm, f"weight_ih_l{layer}").copy_(kernel.T)
            getattr(model.lstm, f"weight_hh_l{layer}").copy_(recurrent_kernel.T)
            getattr(model.lstm, f"bias_ih_l{layer}").copy_(bias)
            getattr(model.lstm, f"bias_hh_l{layer}").zero_()
        model.head.weight.copy_(head_kernel.T)
        model.head.bias.copy_(head_bias)


class Stack(torch.nn.Module):
    """A cell of the table of training steps, with the weights of ``Cell.weights``; gives logits."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        torch.set_num_threads(THREADS)
        self.masked, self.kind = cell.masked, cell.kind
        recurrent = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell.kind]
        self.reader = recurrent(cell.features, cell.units, num_layers=cell.depth, batch_first=True)
        self.head = torch.nn.Linear(cell.units, CLASSES)
        *layers, kernel, bias = (torch.from_numpy(each) for each in cell.weights())
        with torch.no_grad():
            for index in range(cell.depth):
                self._copy(index, *layers[3 * index : 3 * index + 3])
            self.head.weight.copy_(kernel.T)
            self.head.bias.copy_(bias)

    def _copy(self, index: int, *arrays: torch.Tensor) -> None:
        """Keras's gates of a GRU are z, r, h and torch's r, z, n; its bias has two rows."""
        bias, second = arrays[2], torch.zeros_like(arrays[2])
        if self.kind == "gru":
            bias, second = bias
        for name, array in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
            (*arrays[:2], bias, second),
            strict=True,
        ):
            gates = array.T
            if self.kind == "gru":
                z, r, h = gates.chunk(3)
                gates = torch.cat([r, z, h])
            getattr(self.reader, f"{name}_l{index}").copy_(gates)

    def forward(self, sequence: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(batch, steps, features) and (batch,) lengths -> (batch, CLASSES)."""
        read = sequence
        if self.masked:
            read = torch.nn.utils.rnn.pack_padded_sequence(
                sequence, lengths, batch_first=True, enforce_sorted=False
            )
        states = self.reader(read)[1]
        return self.head((states[0] if self.kind == "lstm" else states)[-1])
