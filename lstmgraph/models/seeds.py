"""Derivation of a seed for each layer, trial, execution and fold, without global random state."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *names: int | str) -> int:
    """Return a seed of 31 bits, derived from `seed`, for what `names` identifies.

    An initializer used twice with one seed gives equal kernels, so every kernel gets its own seed.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
