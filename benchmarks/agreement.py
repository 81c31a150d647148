"""Sides that do not compute the same thing are not compared."""

from __future__ import annotations

import numpy as np


def require_equal(found: object, wanted: object, what: str) -> None:
    """Equal up to float32's rounding over a hundred steps.

    Raises:
        RuntimeError: they are not.
    """
    if not np.allclose(np.asarray(found), np.asarray(wanted), rtol=1e-3, atol=1e-5):
        raise RuntimeError(f"the two sides do not compute the same: {what}")
