"""Which weights stay on the disk: those of the best trials, and those that a trial goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmgraph.tuning.search.errors import cannot_use
from lstmgraph.tuning.search.own_files import trial_folder
from lstmgraph.tuning.search.ranking import best_trials, pareto_front
from lstmgraph.tuning.search.trial import BEST_WEIGHTS, LAST_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lstmgraph.tuning.search.records import Records
    from lstmgraph.tuning.search.results import Objective


@dataclass
class WeightKeeper:
    """Deletes weights that are no longer needed.

    A trial that is no longer among the best never is again, so the same weights are deleted however
    often a search is killed and resumed.
    """

    folder: Path
    objectives: Sequence[Objective]
    keep: int
    _gone: dict[str, set[int]] = field(
        default_factory=lambda: {BEST_WEIGHTS: set(), LAST_WEIGHTS: set()}
    )

    def clean(self, records: Records, needed: Iterable[int]) -> None:
        """Delete what is not wanted of the trials that have ended.

        Args:
            records: all trials.
            needed: trials whose last weights another goes on from, or may.

        Raises:
            SearchError: a file cannot be deleted.
        """
        ranked = records.ranked()
        best = set(best_trials(ranked, self.objectives)[: self.keep])
        if len(self.objectives) > 1:
            best |= set(pareto_front(ranked, self.objectives))
        for name, wanted in ((BEST_WEIGHTS, best), (LAST_WEIGHTS, set(needed))):
            for number in records.ended.keys() - wanted - self._gone[name]:
                self._delete(trial_folder(self.folder, number) / name)
                self._gone[name].add(number)

    def _delete(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_use(path, error) from None
