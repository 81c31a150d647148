"""keras-tuner's Bayesian oracle, with a proposal in tenths of a second instead of several.

keras-tuner minimises its acquisition function from fifty starting points with numerical gradients:
some ten thousand predictions of one point each. Nearly all of their time goes into scikit-learn's
checks of its input and into threads that wait for each other over tiny matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras_tuner.oracles import BayesianOptimizationOracle
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

RESTARTS = 50
"""Starting points that keras-tuner draws for each proposal."""


class QuickRegressor(GaussianProcessRegressor):  # type: ignore[misc]
    """Predicts what its base class does, of one target, without checking the input.

    Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", algorithm 2.1.
    """

    def predict(self, X: np.ndarray, return_std: bool = False, return_cov: bool = False) -> Any:  # noqa: N803
        """Return means and standard deviations: two arrays of shape (points,)."""
        if return_cov or not return_std or not hasattr(self, "L_"):
            return super().predict(X, return_std=return_std, return_cov=return_cov)
        to_known = self.kernel_(X, self.X_train_)
        solved = solve_triangular(self.L_, to_known.T, lower=True, check_finite=False)
        variance = np.maximum(self.kernel_.diag(X) - np.sum(solved**2, axis=0), 0.0)
        mean = self._y_train_std * (to_known @ self.alpha_) + self._y_train_mean
        return mean, np.sqrt(variance) * self._y_train_std


class BayesianOracle(BayesianOptimizationOracle):  # type: ignore[misc]
    """Can also replay a recorded proposal without computing it again.

    A replayed proposal draws the same random numbers, so that the next proposal is the one of an
    uninterrupted search.
    """

    recorded: Mapping[str, Any] | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """See keras-tuner; `recorded` stands for the optimum of the acquisition function."""
        if self.recorded is None or self._samples():
            with threadpool_limits(1):  # the same sums on every machine, too
                proposal: dict[str, Any] = super().populate_space(trial_id)
            return proposal
        self._random_state.uniform(size=(RESTARTS, len(self._get_hp_bounds())))
        return {"status": "RUNNING", "values": dict(self.recorded)}

    def _samples(self) -> bool:
        completed = sum(trial.status == "COMPLETED" for trial in self.trials.values())
        initial = self.num_initial_points or max(3 * len(self.hyperparameters.space), 3)
        return bool(completed < initial)

    def _make_gpr(self) -> QuickRegressor:
        return QuickRegressor(
            kernel=Matern(nu=2.5),
            n_restarts_optimizer=20,
            normalize_y=True,
            alpha=self.alpha,
            random_state=self.seed,
        )
