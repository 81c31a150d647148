"""Generation in NumPy float64: a step by hand, all sequences one after the other, plain beams."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Weights = Mapping[str, list[np.ndarray]]

Sequence = tuple[int, ...]


class Writer:
    """An embedding, an LSTM of states h and c, and a dense softmax: one row at a time."""

    def __init__(self, weights: Weights, h: np.ndarray, c: np.ndarray) -> None:
        (self.table,) = weights["embedding"]
        self.kernel, self.recurrent, self.bias = weights["writer"]
        self.dense, self.dense_bias = weights["next"]
        self.begin = (h.astype("float64"), c.astype("float64"))

    def step(
        self, states: tuple[np.ndarray, np.ndarray], token: int
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Log-probabilities of the next token, and the new states."""
        h, c = states
        gates = self.table[token] @ self.kernel + h @ self.recurrent + self.bias
        i, f, g, o = np.split(gates, 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        logits = h @ self.dense + self.dense_bias
        logits -= logits.max()
        return logits - np.log(np.exp(logits).sum()), (h, c)

    def score(self, first: int, tokens: Sequence) -> float:
        """The sum of the log-probabilities of `tokens` after `first`."""
        states, total, last = self.begin, 0.0, first
        for token in tokens:
            logs, states = self.step(states, last)
            total, last = total + logs[token], token
        return float(total)

    def all_scores(self, first: int, end: int | None, steps: int) -> dict[Sequence, float]:
        """Every sequence that there is, with its score."""
        count = len(self.dense_bias)
        return {each: self.score(first, each) for each in sequences(count, end, steps)}

    def beams(
        self, first: int, end: int | None, steps: int, width: int
    ) -> list[tuple[Sequence, float]]:
        """Beam search, with lists."""
        alive = [((), 0.0, self.begin)]
        for _ in range(steps):
            found = []
            for tokens, score, states in alive:
                if tokens and tokens[-1] == end:
                    found.append((tokens, score, states))
                    continue
                logs, new = self.step(states, tokens[-1] if tokens else first)
                found += [((*tokens, t), score + value, new) for t, value in enumerate(logs)]
            alive = sorted(found, key=lambda each: -each[1])[:width]
        return [(tokens, score) for tokens, score, _ in alive]


def sequences(count: int, end: int | None, steps: int) -> Iterator[Sequence]:
    """All of `steps` tokens, and shorter ones that end; none goes on behind its end."""
    others = [token for token in range(count) if token != end]
    yield from itertools.product(others, repeat=steps)
    if end is not None:
        for length in range(steps):
            for start in itertools.product(others, repeat=length):
                yield (*start, end)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
