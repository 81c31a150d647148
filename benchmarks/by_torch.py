"""The same models as ``torch.nn.LSTM``; masked ones read packed sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks.grid import CLASSES, FEATURES, UNITS
from benchmarks.options import THREADS

if TYPE_CHECKING:
    import numpy as np

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


class Trainer:
    """Trains and runs one model, with the weights of a Keras model of the same case."""

    def __init__(self, case: Case, batch: Batch, weights: list[np.ndarray]) -> None:
        torch.set_num_threads(THREADS)
        self.batch = batch
        self.model = Classifier(case)
        _copy_weights(weights, self.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7)
        self.loss = torch.nn.CrossEntropyLoss()

    def train(self) -> float:
        """One training step; the loss before it."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.loss(self._logits(), torch.from_numpy(self.batch.labels).long())
        loss.backward()
        self.optimizer.step()
        return loss.item()

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
