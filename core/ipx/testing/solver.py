"""Checks of solvers, on small problems made of whatever is installed that fits them."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ipx.declare.capabilities import Scalar, Shape, Value, has
from ipx.declare.options import NoOptions, Options
from ipx.declare.specs import Spec
from ipx.errors import MissingExtraError, PlanError
from ipx.numerics.tensors import image_norm
from ipx.parts.prior import Prior
from ipx.solving.attach import attach, plan_for
from ipx.solving.build import noise, operator, prior
from ipx.solving.loop import iterate
from ipx.solving.problem import Problem
from ipx.solving.states import load_state, save_state
from ipx.testing.common import Lazy, close, draw

if TYPE_CHECKING:
    from ipx.testing import Check

SHAPE = (1, 24, 24)
PRIORS = ("tikhonov", "tv", "wavelet", "denoiser", "decoder")


def _pictures() -> Tensor:
    """Three pictures of a bright rectangle on a ramp."""
    x = torch.linspace(0.1, 0.4, SHAPE[-1], dtype=torch.float64).expand(3, *SHAPE).clone()
    for i in range(3):
        x[i, :, 4 + i : 15, 3 : 12 + 3 * i] += 0.5
    return x


class _Denoiser(Prior[NoOptions]):
    """Total variation as a denoiser, its weight proportional to the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.edges: Any = prior("tv", tol=1e-2)

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        weight = 0.6 * torch.as_tensor(sigma, dtype=x.dtype)
        return cast(Tensor, self.edges.prox(x, weight))


class _Decoder(Prior[NoOptions]):
    """A generative model that knows the pictures of these checks: their span."""

    def __init__(self) -> None:
        super().__init__()
        self.basis: Tensor = torch.linalg.qr(_pictures().flatten(1).T)[0]  # (n, 3), orthonormal

    def code_size(self, image_shape: Shape) -> int:
        return self.basis.shape[1]

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.basis

    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        return (z @ self.basis.T).view(-1, *image_shape)

    def deviation(self) -> float:
        return 0.1


def checks(spec: Spec, options: Options) -> Iterator[tuple[str, Check]]:
    """Decrease of objective or error, purity, independence of the images of a batch."""
    solver: Any = Lazy(spec, options)

    def problems() -> Iterator[Problem]:
        found = False
        for op in ("blur", "inpaint"):
            for name in ("none",) if solver.traits.own_prior else PRIORS:
                y = operator(op, SHAPE).forward(_pictures()) + 0.1 * (draw(1, 3, *SHAPE) - 0.5)
                lam = torch.tensor([0.02, 0.05, 0.2], dtype=y.dtype)
                if name in ("denoiser", "decoder"):
                    regulariser: Prior[Any] = _Denoiser() if name == "denoiser" else _Decoder()
                    lam = 0.01 * lam
                else:
                    regulariser = prior(name)
                problem = Problem(
                    y, operator(op, SHAPE), noise("gaussian", sigma=0.05), regulariser, lam
                )
                try:
                    plan = plan_for(problem, solver.made)
                    if solver.traits.own_prior:
                        solver.init(problem)
                except PlanError:
                    continue
                except MissingExtraError:  # no weights come with it
                    return
                found = True
                yield attach(problem, plan)
        if not found and not solver.traits.own_prior:  # a network says what it was trained for
            raise AssertionError("it fits none of the small problems of the contract kit")

    def decrease() -> None:
        for problem in problems():
            result = iterate(problem, solver.made)
            # no objective, but the picture is known
            if solver.traits.own_prior or not has(problem.prior, Value):
                clean = _pictures()
                before = image_norm(problem.start() - clean)
                after = image_norm(result.x - clean)
                if "diverged" in result.status or not bool((after < before).all()):
                    raise AssertionError(f"error {before.tolist()} became {after.tolist()}")
                continue
            before = problem.objective(problem.start())
            after = problem.objective(result.x)
            if "diverged" in result.status or not bool((after < before).all()):
                raise AssertionError(f"objective {before.tolist()} became {after.tolist()}")
            close(result.objective, after, 1e-12, "reported objective")

    def purity() -> None:
        for problem in problems():
            state = solver.init(problem)
            kept = copy.deepcopy(
                [
                    getattr(state, f.name)
                    for f in fields(state)
                    if isinstance(getattr(state, f.name), Tensor)
                ]
            )
            one, two = solver.step(problem, state), solver.step(problem, state)
            now = [
                getattr(state, f.name)
                for f in fields(state)
                if isinstance(getattr(state, f.name), Tensor)
            ]
            if not all(torch.equal(a, b) for a, b in zip(kept, now, strict=True)):
                raise AssertionError("a step changes the state it was given")
            if not torch.equal(solver.solution(problem, one), solver.solution(problem, two)):
                raise AssertionError("the same step gives another result the second time")

    def batch() -> None:
        for problem in problems():
            whole = iterate(problem, solver.made, iterations=15, tol=0.0).x
            for i in range(3):
                lam = torch.as_tensor(problem.lam)[i : i + 1]
                one = problem.changed(y=problem.y[i : i + 1], lam=lam)
                alone = iterate(one, solver.made, iterations=15, tol=0.0).x
                close(whole[i : i + 1], alone, 1e-8, f"image {i} of a batch against alone")

    def resume() -> None:
        """A state that was saved and read back goes on with the same bits."""
        for problem in problems():
            first = iterate(problem, solver.made, iterations=3, tol=0.0)
            with tempfile.TemporaryDirectory() as folder:
                save_state(Path(folder) / "state", first.state)
                again = load_state(Path(folder) / "state")
            one, two = (solver.step(problem, s) for s in (first.state, again))
            if not torch.equal(solver.solution(problem, one), solver.solution(problem, two)):
                raise AssertionError("from a saved state it goes on otherwise")

    yield "decrease", decrease
    yield "resume", resume
    yield "pure-step", purity
    yield "batch", batch
