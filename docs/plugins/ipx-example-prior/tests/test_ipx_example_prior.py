"""The contract kit of ipx on this plugin, a closed form, and what the prior is for."""

import ipx
import numpy as np
import torch
from ipx.testing import contract_tests

test_contract = contract_tests("ipx-example-prior")


def test_small_pixels_are_scaled_and_large_ones_shifted() -> None:
    x = torch.tensor([0.06, -1.0], dtype=torch.float64).view(1, 1, 1, 2)
    prior = ipx.using(ipx.prior("ipx-example-prior", delta=0.1), ipx.Prox)
    near = prior.prox(x, 0.2)
    assert torch.allclose(near.flatten(), torch.tensor([0.02, -0.8], dtype=torch.float64))


def test_finds_stars() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((48, 48))
    truth[rng.integers(0, 48, 20), rng.integers(0, 48, 20)] = rng.uniform(0.5, 1.0, 20)
    blur = {"name": "blur", "sigma": 1}
    y = ipx.degrade(truth, op=blur, noise={"name": "gaussian", "sigma": 0.01}, seed=1)
    x = ipx.restore(y, op=blur, prior="ipx-example-prior")
    assert np.mean((x - truth) ** 2) < 0.2 * np.mean((y - truth) ** 2)
