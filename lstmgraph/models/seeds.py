"""Seeds for each layer, trial, execution and fold, derived from one, with no global state."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *names: int | str) -> int:
    """Return a seed of 31 bits for `names`, different wherever a name differs.

    One seeded initializer used twice gives equal kernels, so every kernel gets its own seed.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
