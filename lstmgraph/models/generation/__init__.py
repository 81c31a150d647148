"""Generation of token sequences with a recipe's step model."""

from __future__ import annotations

from lstmgraph.models.generation.generate import Generated, generate

__all__ = ["Generated", "generate"]
