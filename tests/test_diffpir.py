"""DiffPIR with the shipped DRUNet: it improves, it is a function of its seed, it tells its end."""

from __future__ import annotations

import pytest
import torch
from skimage import data
from torch import Tensor

import ipx

TASKS = {
    "blur": {"name": "blur", "sigma": 1.2},
    "inpaint": {"name": "inpaint", "missing": 0.6},
}
NOISE = {"name": "gaussian", "sigma": 0.02}


def truth() -> Tensor:
    x = (
        torch.as_tensor(data.camera() / 255.0, dtype=torch.float32)
        .view(256, 2, 256, 2)
        .mean((1, 3))
    )
    return x[None, None, 60:124, 80:144]


def small() -> Tensor:
    """Where the size of the picture is not the point."""
    return truth()[..., 16:48, 16:48]


def solve(y: Tensor, op: object, **options: object) -> ipx.Restoration:
    solver = {"name": "diffpir", "steps": 8, **options}
    return ipx.solve(y, op=op, noise=NOISE, prior="drunet", solver=solver)


@pytest.mark.parametrize(("task", "gain"), [("blur", 1.0), ("inpaint", 5.0)])
def test_improves(task: str, gain: float) -> None:
    """Against the best TV of five weights, it loses no more than a decibel."""
    op = TASKS[task]
    x = truth()
    y = ipx.degrade(x, op=op, noise=NOISE, seed=1)
    how = solve(y, op, steps=20)
    found = float(ipx.psnr(how.x, x))
    assert found > float(ipx.psnr(y, x)) + gain
    lam = torch.logspace(-3.5, -1.5, 5)
    tv = ipx.solve(y.expand(5, -1, -1, -1), op=op, noise=NOISE, prior="tv", lam=lam).x
    assert found > float(ipx.psnr(tv, x.expand_as(tv)).max()) - 1


def test_the_seed_decides() -> None:
    y = ipx.degrade(small(), op=TASKS["blur"], noise=NOISE, seed=1)
    before = torch.get_rng_state()
    one = solve(y, TASKS["blur"], seed=3, steps=3).x
    assert torch.equal(one, solve(y, TASKS["blur"], seed=3, steps=3).x)
    assert not torch.allclose(one, solve(y, TASKS["blur"], seed=4, steps=3).x, atol=1e-3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_is_its_pictures() -> None:
    x = torch.cat([small(), small().flip(-1)])
    y = ipx.degrade(x, op=TASKS["inpaint"], noise=NOISE, seed=1)
    both = solve(y, TASKS["inpaint"], steps=4).x
    each = torch.cat([solve(y[i : i + 1], TASKS["inpaint"], steps=4).x for i in range(2)])
    assert torch.allclose(both, each, atol=1e-5)


def test_residual_and_budget() -> None:
    """Within the schedule nothing passes for converged; the budget is the schedule."""
    y = ipx.degrade(small(), op=TASKS["blur"], noise=NOISE, seed=1)
    how = solve(y, TASKS["blur"])
    assert (how.status, how.iterations) == (["done"], [8])


@pytest.mark.parametrize("zeta", [0.0, 1.0])
def test_a_step_by_hand(zeta: float) -> None:
    """With A = I the data step is a mean; then the noise, old and new, is put back."""
    y = truth().double()
    solver = ipx.solver("diffpir", zeta=zeta, strength=0.5, ensemble=False, steps=3)
    lam = 0.23 * 0.02**2
    problem = ipx.Problem(
        y, ipx.operator("identity", (1, 64, 64)), ipx.noise("gaussian"), ipx.prior("drunet"), lam
    )
    problem = ipx.attach(problem, ipx.plan_for(problem, solver))
    first = solver.init(problem)
    after = solver.step(problem, first)
    high, low = 49 / 255, (49 / 255 * 0.02) ** 0.5
    rho = 0.5 * 0.02**2 / high**2
    clean = problem.prior.denoise(first.x, high)
    z = (y + rho * clean) / (1 + rho)
    assert torch.allclose(solver.solution(problem, after), clean)
    kept = (1 - zeta) ** 0.5 * (first.x - z) / high
    new = (after.x - z) / low - kept
    if zeta == 0:
        assert float(new.abs().max()) < 1e-4
    else:
        assert float(new.std()) == pytest.approx(1.0, abs=0.05)


def test_never_chosen_by_itself() -> None:
    y = ipx.degrade(small(), op=TASKS["blur"], noise=NOISE, seed=1)
    how = ipx.solve(y, op=TASKS["blur"], noise=NOISE, prior="drunet")
    assert how.plan.solver.name != "diffpir"
