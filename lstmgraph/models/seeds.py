"""Seeds for each layer, trial, execution and fold from one: no global random state is touched."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *names: int | str) -> int:
    """A seed of 31 bits for the thing that `names` names; differs wherever a name does.

    One seeded initializer used twice gives equal kernels, so every kernel gets its own seed.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
