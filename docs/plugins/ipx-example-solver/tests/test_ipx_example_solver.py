"""The contract kit of ipx on this plugin, and a problem with a known minimum."""

from itertools import pairwise

import ipx
import numpy as np
from ipx.testing import contract_tests

test_contract = contract_tests("ipx-example-solver")


def test_finds_the_minimum_that_is_known_in_closed_form() -> None:
    truth = np.tile(np.linspace(0, 1, 32), (32, 1))
    y = ipx.degrade(truth, op="blur", seed=1)
    exact = ipx.restore(y, op="blur", prior="tikhonov", lam=0.1, solver="direct")
    found = ipx.restore(y, op="blur", prior="tikhonov", lam=0.1, solver="ipx-example-solver", tol=1e-7)
    assert np.abs(found - exact).max() < 1e-4


def test_the_objective_never_rises() -> None:
    truth = np.kron(np.random.default_rng(0).random((6, 6)), np.ones((8, 8)))
    y = ipx.degrade(truth, op="blur", noise={"name": "gaussian", "sigma": 0.03})
    values: list[float] = []
    ipx.solve(
        y,
        op="blur",
        prior={"name": "wavelet", "invariant": False},
        lam=0.01,
        solver="ipx-example-solver",
        observers=[lambda progress: values.append(float(progress.objective))],
    )
    assert len(values) > 10
    assert all(after <= before + 1e-9 for before, after in pairwise(values))
