"""The Bayesian oracle's quick regressor, against scikit-learn's own."""

import warnings

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from lstmgraph.tuning.search.bayesian import QuickRegressor


@pytest.mark.parametrize("known", [1, 3, 40])
def test_quick_predictions_are_those_of_scikit_learn(known: int) -> None:
    random = np.random.default_rng(known)
    x, y, points = (
        random.uniform(size=(known, 4)),
        random.normal(size=known),
        random.uniform(size=(9, 4)),
    )
    wanted = GaussianProcessRegressor(Matern(nu=2.5), alpha=1e-4, normalize_y=True, random_state=1)
    found = QuickRegressor(Matern(nu=2.5), alpha=1e-4, normalize_y=True, random_state=1)
    for regressor in (wanted, found):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that random numbers have no length scale
            regressor.fit(x, y)
    for one, other in zip(
        found.predict(points, return_std=True), wanted.predict(points, return_std=True), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
