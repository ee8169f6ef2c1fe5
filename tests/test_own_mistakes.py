"""Mistakes in classes of one's own, which no plugin declares and `ipx check` never sees."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from ipx import IpxError, LinearOperator, NoOptions, Prior, Problem, Solver, State

PICTURE = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
NEEDS = (ipx.Need((ipx.DataGrad,), (ipx.Grad,)),)


class Linear(LinearOperator[NoOptions]):
    """A x = x."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y


class NotFinite(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x * math.nan


class Complex(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(x)


class Wider(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x], -1)


class Still(Solver[NoOptions, State]):
    """Changes nothing."""

    needs = NEEDS

    def init(self, problem: Problem) -> State:
        return State(problem.operator.preview(problem.y))

    def step(self, problem: Problem, state: State) -> State:
        return State(state.x)


class InPlace(Still):
    def step(self, problem: Problem, state: State) -> State:
        state.x.mul_(0.9)
        return state


class NoState(Still):
    def init(self, problem: Problem) -> Any:
        return problem.operator.preview(problem.y)


class NoNeeds(Still):
    needs = ()


class Misspelt(Prior[NoOptions]):
    def gradient(self, x: Tensor) -> Tensor:
        return x


class OutsideTorch(Prior[NoOptions]):
    def value(self, x: Tensor) -> Tensor:
        return torch.from_numpy((x.detach().numpy() ** 2).sum((1, 2, 3)))


class NotMade(Prior[NoOptions]):
    def __init__(self) -> None:
        self.weight = 1.0


FORWARD = "forward of "
STEP = "changes x of the state that it is given in place; it is to return a new state"
MISTAKES = {
    "values": ({"op": NotFinite((1, 16, 16))}, FORWARD + "NotFinite gives values that are not"),
    "complex": ({"op": Complex((1, 16, 16))}, FORWARD + "Complex gives complex values"),
    "wider": ({"op": Wider((1, 16, 16))}, FORWARD + "Wider gives shape (2, 1, 16, 32), not (2, 1"),
    "channels": ({"op": Linear((16, 16))}, "gives (16, 16); shapes of images are (C, H, W)"),
    "class": ({"op": Linear}, "Linear is a class; give an instance of it"),
    "module": ({"prior": torch.nn.Identity()}, "an instance of a subclass of ipx.Prior"),
    "in place": ({"solver": InPlace()}, "step of InPlace " + STEP),
    "no state": ({"solver": NoState()}, "init of NoState gives Tensor, not a State"),
    "no needs": ({"solver": NoNeeds()}, "NoNeeds declares no needs; solvers that fit"),
    "misspelt": ({"prior": Misspelt()}, "denoise; it has gradient; did you mean grad?"),
    "numpy": ({"prior": OutsideTorch()}, "value of OutsideTorch cannot be differentiated"),
    "super": ({"prior": NotMade()}, "__init__ of NotMade does not call super().__init__()"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(name: str) -> None:
    parts, line = MISTAKES[name]
    with pytest.raises(IpxError) as told:
        ipx.solve(PICTURE, **{"op": "blur", "prior": "smooth", "lam": 0.1, **parts})
    assert line in str(told.value)


class Rolled(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x.roll(5, -1)

    def adjoint(self, y: Tensor) -> Tensor:
        return y.roll(self.back, -1)

    back = -5


class RolledOn(Rolled):
    back = 5


class Square(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x**2


class Halved(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def adjoint(self, y: Tensor) -> Tensor:
        return y / 2


@pytest.mark.parametrize("cls", [RolledOn, Square, Halved])
def test_a_wrong_adjoint_is_doubted(cls: type[Linear]) -> None:
    """Each run converged, and the image was wrong."""
    found = ipx.solve(PICTURE, op=cls((1, 16, 16)), prior="tv", lam=0.02)
    assert f"forward and adjoint of {cls.__name__} do not belong together" in found.warnings[0]


@pytest.mark.parametrize("cls", [Linear, Rolled])
def test_a_right_adjoint_is_not(cls: type[Linear]) -> None:
    found = ipx.solve(PICTURE, op=cls((1, 16, 16)), prior="tv", lam=0.02)
    assert not any("belong together" in line for line in found.warnings)


def test_a_value_that_is_no_number_is_divergence() -> None:
    class NoNumber(Prior[NoOptions]):
        def value(self, x: Tensor) -> Tensor:
            return math.nan * (x**2).flatten(1).sum(1)

        def grad(self, x: Tensor) -> Tensor:
            return 2 * x

    found = ipx.solve(PICTURE, op="blur", prior=NoNumber(), solver="gradient", lam=0.02, tol=0)
    assert found.status == ["diverged"]
