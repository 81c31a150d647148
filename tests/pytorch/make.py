"""Write the fixtures of tests/test_pytorch.py with PyTorch itself.

In an environment of its own, with torch and safetensors: ``python tests/pytorch/make.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).parent
ROWS, STEPS, FEATURES, UNITS = 3, 5, 3, 4
LENGTHS = torch.tensor([5, 2, 3])


class Tagger(nn.Module):
    """Every kind of module that is read, and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.conv = nn.Conv1d(6, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.rnn = nn.RNN(8, UNITS, batch_first=True)
        self.batch = nn.BatchNorm1d(UNITS)
        self.hidden = nn.Linear(UNITS, 5, bias=False)
        self.out = nn.Linear(5, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.embedding(words).transpose(1, 2)).transpose(1, 2)
        y, _ = self.rnn(self.norm(x))
        return self.out(torch.tanh(self.hidden(y)))


def recurrent(kind: str, layers: int, both: bool) -> dict[str, np.ndarray]:
    module = getattr(nn, kind)(
        FEATURES, UNITS, num_layers=layers, bidirectional=both, batch_first=True
    )
    name = f"{kind.lower()}-{layers}{'-both' if both else ''}"
    torch.save(
        {f"rnn.{key}": value for key, value in module.state_dict().items()}, HERE / f"{name}.pt"
    )
    x = torch.randn(ROWS, STEPS, FEATURES)
    states = torch.randn(2, layers * (1 + both), ROWS, UNITS)
    given = (states[0], states[1]) if kind == "LSTM" else states[0]
    found = {"x": x, "states": states[: 2 if kind == "LSTM" else 1]}
    for packed in (False, True):
        for begun in (False, True):
            sequence = pack_padded_sequence(x, LENGTHS, True, False) if packed else x
            y, last = module(sequence, given if begun else None)
            y = pad_packed_sequence(y, True, total_length=STEPS)[0] if packed else y
            key = f"{'packed' if packed else 'plain'}-{'begun' if begun else 'zeros'}"
            found[f"{key}-y"] = y
            found[f"{key}-last"] = torch.stack(last) if kind == "LSTM" else last[None]
    return {f"{name}/{key}": value.detach().numpy() for key, value in found.items()}


def main() -> None:
    torch.manual_seed(7)
    found: dict[str, np.ndarray] = {}
    for kind in ("LSTM", "GRU"):
        for layers in (1, 2):
            for both in (False, True):
                found |= recurrent(kind, layers, both)
    tagger = Tagger().eval()
    for parameter in tagger.parameters():
        nn.init.normal_(parameter, std=0.5)
    words = torch.randint(0, 11, (ROWS, STEPS))
    save_file(tagger.state_dict(), HERE / "tagger.safetensors")
    torch.save({"epoch": 3, "state_dict": tagger.state_dict()}, HERE / "tagger.pt")
    torch.save(tagger, HERE / "whole-module.pt")
    half = {key: value.bfloat16() for key, value in tagger.state_dict().items()}
    save_file(half, HERE / "tagger-bfloat16.safetensors")
    found |= {"tagger/words": words.numpy(), "tagger/y": tagger(words).detach().numpy()}
    np.savez_compressed(HERE / "expected.npz", **found)


if __name__ == "__main__":
    main()
