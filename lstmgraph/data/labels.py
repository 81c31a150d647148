"""Check that rows have as many steps as CTC needs for their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgraph.data.values import CHUNK_BYTES

if TYPE_CHECKING:
    from lstmgraph.data.problems import Problems
    from lstmgraph.data.values import Array


def check_labels(name: str, labels: Array, steps: Array, problems: Problems) -> None:
    """Report (D209) rows with fewer steps than their labels need.

    CTC puts a blank between two labels that are equal, so such a pair needs a step more. Keras
    gives other rows a loss of about 700, which no training can lower.

    Args:
        name: the target.
        labels: (rows, labels), filled up with 0.
        steps: the counted steps of each row, (rows,), or of all, (1,). A row without any has no
            loss.
        problems: where the rows are reported.
    """
    count, first, example = 0, 0, ""
    rows = max(1, CHUNK_BYTES // max(1, labels[:1].nbytes))
    for start in range(0, len(labels), rows):
        part = np.asarray(labels[start : start + rows])
        given = np.broadcast_to(steps, len(labels))[start : start + rows]
        lengths = np.count_nonzero(part, axis=1)
        pairs = np.count_nonzero((part[:, 1:] == part[:, :-1]) & (part[:, 1:] != 0), axis=1)
        short = (lengths + pairs > given) & (given > 0)
        if short.any() and not count:
            row = int(np.argmax(short))
            first = start + row
            needed = int(lengths[row] + pairs[row])
            example = f"{lengths[row]} labels need {needed} steps, but it has {given[row]}"
        count += int(np.count_nonzero(short))
    if count:
        are = "1 row has" if count == 1 else f"{count:,} rows have"
        problems.add(
            "D209",
            f"'{name}': {are} too few steps for the labels, the first {name}[{first}]: {example}",
            "CTC needs a step for each label, and one more between two equal ones: leave such rows "
            "out, or pool fewer steps",
        )
