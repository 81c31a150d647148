"""What a search hands to its trials, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lstmgraph.tuning.search.results import Objective

FUNCTION = "lstmgraph.tuning.trial:run_trial"
"""The trial function, as a search names it."""


def trial_payload(
    recipe: Mapping[str, Any], sources: Mapping[str, str], objectives: Iterable[Objective]
) -> dict[str, Any]:
    """The job of every trial.

    Args:
        recipe: of ``recipe_payload``.
        sources: paths of data, by ``train`` and ``validation``. Test data is not among them.
        objectives: the best epoch is the one where their sum is best.
    """
    named = [[objective.metric, objective.direction] for objective in objectives]
    return {"recipe": dict(recipe), "data": dict(sources), "objectives": named}
