"""Unrolled solvers: the classical ones before training, gradients, memory, training, use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import ipx
from ipx.solving.loop import iterate
from ipx.solving.problem import Problem
from ipx.toolkit import anderson
from ipx_plugins.unrolled import UnrolledOptions
from ipx_plugins.unrolled.equilibrium import equilibrium
from ipx_plugins.unrolled.model import run
from ipx_plugins.unrolled.network import Stages
from ipx_plugins.unrolled.simulate import Draw, options_for, simulated
from ipx_plugins.unrolled.solver import UnrolledADMM

SMALL = {"widths": (4, 6), "blocks": 1}
CLASSICAL = {
    "admm": {"rho": 0.2, "relaxation": 1.0},
    "hqs": {"rho_start": 0.2, "rho_end": 0.2},
    "pdhg": {"sigma": 0.2, "relaxation": 1.0},
    "fista": {"restart": False, "backtracking": False},
}


def picture(batch: int = 2, side: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(batch, 1, 4, 4, generator=generator, dtype=torch.float64)
    return torch.nn.functional.interpolate(rough, size=(side, side), mode="bicubic")


def problem(op: str = "blur", prior: str = "none", lam: float = 1.0, **options: object) -> Problem:
    x = picture()
    operator = ipx.operator(op, tuple(x.shape[1:]), **options)
    noise = ipx.noise("gaussian", sigma=0.02)
    y = noise.sample(operator.forward(x), torch.Generator().manual_seed(1))
    return Problem(y, operator, noise, ipx.prior(prior), lam)


def untrained(**options: object) -> Stages:
    torch.manual_seed(0)
    return Stages(UnrolledOptions(**options)).double()


def outputs(net: Stages, p: Problem, steps: int) -> Tensor:
    with torch.no_grad():
        return iterate(p, UnrolledADMM.over(net), iterations=steps, tol=0.0).x


@pytest.mark.parametrize("base", list(CLASSICAL))
@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("blur", {"sigma": 1.0}),
        ("blur", {"kind": "motion", "length": 5, "angle": 30.0}),
        ("inpaint", {}),
        ("super-resolution", {}),
    ],
)
def test_before_training_it_is_the_classical_algorithm(
    base: str, op: str, options: dict[str, object]
) -> None:
    """Frames of one pixel shrink the picture itself: the prior l1, and lista is ISTA."""
    net = untrained(base=base, prox="shrinkage", taps=1, stages=6, lam=0.01, rho=0.2, shared=False)
    with torch.no_grad():
        classical = iterate(
            problem(op, "l1", 0.01, **options),
            ipx.solver(base, **CLASSICAL[base]),
            iterations=6,
            tol=0.0,
        ).x
    assert torch.allclose(outputs(net, problem(op, **options), 6), classical, atol=1e-6)


class Cosine(ipx.OuterProx[ipx.NoOptions]):
    """sum_l |D_l x| over the eight 3 x 3 DCT filters but the mean, made of shifts."""

    def linear_part(self, image_shape: tuple[int, ...]) -> ipx.LinearOperator:
        return Shifts(image_shape)

    def prox_outer(self, u: Tensor, t: Tensor) -> Tensor:
        level = ipx.per_image(t, u)
        return torch.sign(u) * (u.abs() - level).clamp_min(0)


class Shifts(ipx.LinearOperator[ipx.NoOptions]):
    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        c, h, w = image_shape
        self.data_shape = (8 * c, h, w)
        k = np.arange(3)
        rows = [np.cos(math.pi / 3 * n * (k + 0.5)) for n in range(3)]
        rows = [r / np.linalg.norm(r) for r in rows]
        self.taps = [np.outer(a, b) for a in rows for b in rows][1:]

    def forward(self, x: Tensor) -> Tensor:
        out = [
            sum(t[i, j] * x.roll((i - 1, j - 1), (-2, -1)) for i in range(3) for j in range(3))
            for t in self.taps
        ]
        return torch.cat(out, 1)

    def adjoint(self, y: Tensor) -> Tensor:
        parts = [
            t[i, j] * y[:, n : n + 1].roll((1 - i, 1 - j), (-2, -1))
            for n, t in enumerate(self.taps)
            for i in range(3)
            for j in range(3)
        ]
        return sum(parts[1:], parts[0])


def test_admm_net_before_training_is_admm_on_the_cosine_filters() -> None:
    net = untrained(prox="filters", stages=5, lam=0.01, rho=0.2, shared=False)
    classical = problem(boundary="circular", sigma=1.0).changed(prior=Cosine(), lam=0.01)
    with torch.no_grad():
        # its system is solved by conjugate gradients to a loose tolerance: tighten by steps
        told = iterate(
            classical, ipx.solver("admm", rho=0.2, relaxation=1.0), iterations=5, tol=0.0
        ).x
    mine = outputs(net, problem(boundary="circular", sigma=1.0), 5)
    assert torch.allclose(mine, told, atol=2e-3)
    same = classical.changed(prior=net_prior(net))
    with torch.no_grad():
        exact = iterate(same, ipx.solver("admm", rho=0.2, relaxation=1.0), iterations=5, tol=0.0).x
    assert torch.allclose(mine, exact, atol=1e-6)


@pytest.mark.parametrize("base", ["admm", "pdhg"])
@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("blur", {"boundary": "circular"}),  # one system holds data and filters
        ("blur", {}),  # no transform holds both: the data term gets a copy of the picture
        ("inpaint", {}),
        ("super-resolution", {}),
        ("blur", {"kind": "motion", "length": 5, "angle": 30.0}),  # by conjugate gradients
    ],
)
def test_with_filters_the_data_term_is_split_as_by_the_classical_algorithm(
    base: str, op: str, options: dict[str, object]
) -> None:
    net = untrained(base=base, prox="filters", stages=4, lam=0.01, rho=0.2, shared=False)
    p = problem(op, **options)
    classical = p.changed(prior=net_prior(net), lam=0.01)
    with torch.no_grad():
        told = iterate(classical, ipx.solver(base, **CLASSICAL[base]), iterations=4, tol=0.0).x
    assert torch.allclose(outputs(net, p, 4), told, atol=1e-6)


def test_learned_filters_may_trust_the_data_more_where_there_is_less_noise() -> None:
    net, p = untrained(prox="filters", lam=0.01, rho=0.2), problem(boundary="circular")
    plain = net.stage(p, 0)
    with torch.no_grad():
        net.trust.fill_(0.2)  # the square of sigma / 0.01; sigma is 0.02
    stage = net.stage(p, 0)
    assert torch.allclose(plain.penalty, torch.tensor(0.2).double())
    assert torch.allclose(stage.penalty, 4 * plain.penalty)
    assert torch.allclose(stage.lam, 4 * plain.lam)


def net_prior(net: Stages) -> ipx.Prior:
    from ipx_plugins.unrolled.prox import LearnedFilters

    prior = LearnedFilters(net.prox[0])
    # the filters themselves against the shifts
    x = picture()
    bank, shifts = prior.linear_part((1, 16, 16)), Shifts((1, 16, 16))
    assert torch.allclose(bank.forward(x), shifts.forward(x), atol=1e-6)
    assert torch.allclose(bank.adjoint(bank.forward(x)), shifts.adjoint(shifts.forward(x)))
    return prior


def test_with_a_denoiser_it_is_plug_and_play() -> None:
    """At constant strength: ADMM whose prox is the denoiser, lam = 0.23 sigma^2."""
    net = untrained(prox="drunet", stages=5, sigma_start=1e-6, **SMALL)
    p = problem("blur", sigma=1.0)
    prior = net.stage(p, 0).prior
    lam = 0.23 * 0.02**2
    classical = p.changed(prior=prior, lam=lam)
    with torch.no_grad():
        told = iterate(
            classical, ipx.solver("admm", rho=0.23, relaxation=1.0), iterations=5, tol=0.0
        ).x
    assert torch.allclose(outputs(net, p, 5), told, atol=1e-6)


@pytest.mark.parametrize(
    ("base", "prox"),
    [
        ("admm", "cnn"),
        ("hqs", "cnn"),
        ("pdhg", "cnn"),
        ("fista", "cnn"),
        ("admm", "drunet"),
        ("admm", "shrinkage"),
        ("admm", "filters"),
        ("fista", "shrinkage"),
    ],
)
def test_gradients_through_the_stages_are_those_of_finite_differences(base: str, prox: str) -> None:
    options = UnrolledOptions(base=base, prox=prox, stages=3, shared=False, **SMALL)
    torch.manual_seed(0)
    net = Stages(options).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    p, x = problem("blur", sigma=1.0), picture()

    def value() -> Tensor:
        return ((run(net, p, options)[-1] - x) ** 2).sum()

    parameters = list(net.parameters())
    found = torch.autograd.grad(value(), parameters, allow_unused=True)  # not all have a rate
    torch.manual_seed(1)
    along = [torch.randn_like(q) for q in parameters]
    expected = float(sum((g * d).sum() for g, d in zip(found, along, strict=True) if g is not None))
    step = 1e-7  # so short that hardly a coefficient crosses a kink of its curve
    ends = []
    with torch.no_grad():
        for sign in (1, -2):
            for q, d in zip(parameters, along, strict=True):
                q += sign * step * d
            ends.append(float(value()))
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=3e-4, abs=1e-7)


@pytest.mark.parametrize("base", ["admm", "hqs"])
def test_an_equilibrium_has_the_gradient_of_a_long_unrolling(base: str) -> None:
    values = {"base": base, "prox": "shrinkage", "taps": 3, "lam": 0.02}
    deq = UnrolledOptions(fixed_point=True, **values)
    long = UnrolledOptions(stages=150, **values)
    net = Stages(deq).double()
    p, x = problem("blur", sigma=0.7), picture()
    solver = UnrolledADMM.over(net)
    mine = equilibrium(solver, ipx.attach(p, ipx.plan_for(p, solver)))
    found = torch.autograd.grad(((mine - x) ** 2).sum(), [net.penalty, net.strength])
    unrolled = run(net, p, long)[-1]
    told = torch.autograd.grad(((unrolled - x) ** 2).sum(), [net.penalty, net.strength])
    assert torch.allclose(mine, unrolled, atol=1e-4)
    for a, b in zip(found, told, strict=True):
        assert torch.allclose(a, b, rtol=2e-2, atol=1e-4)


def test_anderson_solves_a_linear_system_in_few_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    m = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    m = 0.95 * m / torch.linalg.matrix_norm(m, 2)
    b = torch.randn(1, 1, 2, 2, generator=generator, dtype=torch.float64)
    calls = []

    def function(x: Tensor) -> Tensor:
        calls.append(1)
        return (x.flatten() @ m.T).view_as(x) + b

    x = anderson(function, torch.zeros_like(b), tol=1e-8)
    told = torch.linalg.solve(torch.eye(4, dtype=torch.float64) - m, b.flatten())
    assert torch.allclose(x.flatten(), told, atol=1e-6)
    assert len(calls) < 15


def peak(stages: int, checkpoint: bool) -> int:
    """Largest number of bytes held at a time in a step of training."""
    options = UnrolledOptions(
        prox="cnn", stages=stages, checkpoint=checkpoint, widths=(32,), blocks=2
    )
    net = Stages(options)
    p, x = problem("blur", sigma=1.0), picture().float()
    p = p.changed(y=p.y.float())
    with torch.profiler.profile(profile_memory=True) as profile:
        loss = ((run(net, p, options)[-1] - x) ** 2).sum()
        torch.autograd.grad(loss, list(net.parameters()))
    now = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def test_checkpoints_keep_the_memory_of_training_flat() -> None:
    plain, flat = (peak(10, c) / peak(5, c) for c in (False, True))
    assert plain > 1.7
    assert flat < 1.25


def test_checkpoints_change_no_gradient() -> None:
    p, x = problem("inpaint"), picture()
    found = []
    for checkpoint in (False, True):
        options = UnrolledOptions(prox="cnn", stages=3, checkpoint=checkpoint, **SMALL)
        torch.manual_seed(0)
        net = Stages(options).double()
        loss = ((run(net, p, options)[-1] - x) ** 2).sum()
        found.append(torch.autograd.grad(loss, [net.penalty, net.strength]))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_it_has_a_prior_of_its_own() -> None:
    y = picture(1).float()
    with pytest.raises(ipx.PlanError, match="regularises by itself; take prior none"):
        ipx.solve(y, op="blur", solver="unrolled-hqs", prior="tv")
    with pytest.raises(ipx.MissingExtraError, match="ipx train unrolled-hqs"):
        ipx.solve(y, op="blur", solver="unrolled-hqs")
    # and is not taken where nothing was named
    plan = ipx.solve(y, op="blur", prior="none").plan
    assert not plan.solver.traits_for().own_prior


def test_filters_need_a_split() -> None:
    with pytest.raises(ipx.OptionError, match="hqs takes no prox of kind filters"):
        UnrolledOptions(base="hqs", prox="filters")


@pytest.mark.parametrize("task", ["blur", "inpaint", "super-resolution", "fourier", "identity"])
def test_degradations_are_drawn_from_the_generator(task: str) -> None:
    o, clean = UnrolledOptions(), picture(2, 64).float()
    one, two, other = (
        simulated(task, clean, o, torch.Generator().manual_seed(s)) for s in (3, 3, 4)
    )
    assert torch.equal(one.y, two.y)
    assert one.y.shape != other.y.shape or not torch.equal(one.y, other.y)
    for seed in range(20):  # every drawn option is valid, and its data term has an exact prox
        draw = Draw(torch.Generator().manual_seed(seed))
        operator = ipx.operator(task, (1, 64, 64), **options_for(task, o, draw, 64))
        assert operator.forward(clean).shape[0] == 2


def test_simulated_files_have_unknown_borders_and_are_compressed() -> None:
    clean = picture(2, 64).float()
    plain, bare, stored = (
        simulated("blur", clean, options, torch.Generator().manual_seed(3))
        for options in (
            UnrolledOptions(sigma=(0, 0)),
            UnrolledOptions(sigma=(0, 0), unknown_border=1.0),
            UnrolledOptions(sigma=(0, 0), compressed=1.0, quality=(60, 60)),
        )
    )
    assert plain.y.shape[-1] == 64
    assert bare.y.shape[-1] < 64
    gap = float((stored.y - plain.y).square().mean().sqrt())
    assert gap > 1 / 255  # what JPEG of quality 60 does, told as the level
    assert stored.noise.level == pytest.approx(gap, rel=1e-4)
    assert plain.noise.level == 0
