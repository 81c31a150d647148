"""keras-tuner's oracles behind one ask-and-tell interface that can be replayed exactly."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import GridSearchOracle, HyperbandOracle, RandomSearchOracle

from lstmgraph.tuning.search.bayesian import BayesianOracle
from lstmgraph.tuning.search.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SCORE = "score"
"""The number that oracles get of a trial: made from its objectives, less is better."""
NEVER = 10**9


class Exhausted(Exception):  # noqa: N818 - an answer, not an error
    """The oracle has nothing more to propose."""


class Idle(Exception):  # noqa: N818 - an answer, not an error
    """The oracle waits for a running trial to end."""


ORACLES = {
    "random": RandomSearchOracle,
    "grid": GridSearchOracle,
    "hyperband": HyperbandOracle,
    "bayesian": BayesianOracle,
}


class OracleDriver:
    """One of keras-tuner's oracles. Its trials are numbered from 0 in the order of proposals."""

    def __init__(
        self, kind: str, arguments: Mapping[str, Any], space: keras_tuner.HyperParameters, seed: int
    ) -> None:
        self.is_hyperband = kind == "hyperband"
        budget = {} if self.is_hyperband else {"max_trials": None}  # the search counts itself
        self.oracle = ORACLES[kind](
            objective=keras_tuner.Objective(SCORE, "min"),
            hyperparameters=space,
            seed=seed + 1,  # keras-tuner takes 0 for "none given"
            max_consecutive_failed_trials=NEVER,
            **budget,
            **arguments,
        )
        self.oracle.verbose = 0
        # The journal is the oracle's memory: nothing of its own is written.
        self.oracle.save = lambda: ""
        self.oracle._save_trial = lambda _: None
        self._ids: list[str] = []

    def ask(self, recorded: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the next proposal, Hyperband's ``tuner/...`` values included.

        Args:
            recorded: what it was when this search ran before.

        Raises:
            Exhausted: there is none any more.
            Idle: there is none until a trial ends.
            SearchError: it is not `recorded`.
        """
        if isinstance(self.oracle, BayesianOracle):
            if recorded is not None:
                _check_point(self.oracle.hyperparameters.space, recorded)
            self.oracle.recorded = recorded
        with _quiet():
            trial = self.oracle.create_trial(f"worker-{len(self._ids)}")
        if trial.status == "STOPPED":
            raise Exhausted
        if trial.status == "IDLE":
            raise Idle
        values = trial.hyperparameters.values
        if recorded is not None:
            _compare(len(self._ids), values, recorded)
            trial.hyperparameters.values = values = dict(recorded)
        self._ids.append(trial.trial_id)
        return {name: _plain(value) for name, value in values.items()}

    def tell(self, number: int, score: float | None) -> None:
        """Note that trial `number` has ended with `score`; None: it failed.

        To Hyperband a failure is the worst of scores, because a bracket with a failed trial never
        fills, and the search would wait for it for ever.
        """
        trial = self.oracle.get_trial(self._ids[number])
        if score is None and self.is_hyperband:
            score = math.inf
        with _quiet():
            if score is None:
                trial.status = "FAILED"
            else:
                self.oracle.update_trial(trial.trial_id, {SCORE: score})
                trial.status = "COMPLETED"
            self.oracle.end_trial(trial)

    def promotable(self) -> set[int]:
        """Return the trials that Hyperband may still continue, whose last weights are needed."""
        if not self.is_hyperband:
            return set()
        rounds = [
            info["id"]
            for bracket in self.oracle._brackets
            for each in bracket["rounds"][:-1]
            for info in each
        ]
        return {self._ids.index(trial) for trial in rounds}

    def source(self, values: Mapping[str, Any]) -> int | None:
        """Return the trial that one with `values` goes on from."""
        trial = values.get("tuner/trial_id")
        return None if trial is None else self._ids.index(trial)


def _check_point(space: Iterable[Any], recorded: Mapping[str, Any]) -> None:
    """Refuse a recorded proposal that no oracle can have made.

    The Bayesian oracle would replay it unchecked.
    """
    point = keras_tuner.HyperParameters()
    for each in space:
        point.merge([each])
        if point.is_active(each) != (each.name in recorded):
            raise SearchError(f"{each.name} is missing, or has no part in this trial")
        if each.name in recorded:
            _check_value(each, recorded[each.name])
            point.values[each.name] = recorded[each.name]
    if unknown := recorded.keys() - point.values.keys():
        raise SearchError(f"there is no dimension {min(unknown)}")


def _check_value(dimension: Any, value: Any) -> None:
    kinds = keras_tuner.engine.hyperparameters
    if isinstance(dimension, kinds.Choice | kinds.Boolean):
        fits = any(type(value) is type(each) and value == each for each in dimension.values)
    else:
        # keras-tuner's rounding can lead beyond the upper end, by less than one.
        slack = 1 if isinstance(dimension.default, int) else abs(dimension.max_value) * 1e-9
        fits = not isinstance(value, bool) and isinstance(value, int | float)
        fits = fits and dimension.min_value <= value <= dimension.max_value + slack
    if not fits:
        raise SearchError(f"{dimension.name} cannot be {value!r}")


def _compare(number: int, proposed: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    if proposed.keys() == recorded.keys() and all(
        _equal(proposed[name], recorded[name]) for name in recorded
    ):
        return
    raise SearchError(
        f"trial {number} was {dict(recorded)}, and the oracle now proposes "
        f"{ {name: _plain(value) for name, value in proposed.items()} }"
    )


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal, but for the last digits of a float.

    Libraries of another machine may differ in these.
    """
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings of what keras-tuner calls, and of kernels that fit badly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
