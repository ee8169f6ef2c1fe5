"""The contract kit of ipx on this plugin, and what it is for."""

import ipx
import numpy as np
from ipx.testing import contract_tests

test_contract = contract_tests("ipx-example")


def test_corners_fade() -> None:
    y = ipx.degrade(
        np.ones((9, 9)),
        op={"name": "ipx-example", "strength": 0.5},
        noise={"name": "gaussian", "sigma": 0},
    )
    assert y[4, 4] == 1
    assert y[0, 0] == 0.5


def test_restores() -> None:
    truth = np.tile(np.linspace(0, 1, 48), (48, 1))
    y = ipx.degrade(truth, op="ipx-example", seed=1)
    x = ipx.restore(y, op="ipx-example", prior="tv")
    assert np.mean((x - truth) ** 2) < 0.2 * np.mean((y - truth) ** 2)
