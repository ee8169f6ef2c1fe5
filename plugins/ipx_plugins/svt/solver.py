"""Singular value thresholding, Uzawa's algorithm for

    min tau |X|_* + 1/2 |X|_F^2    subject to the known values,

    X = D_tau(Y),    Y+ = Y + delta P(M - X),

D_tau the soft thresholding of singular values, P the projection onto the known values and M the
data (Cai, Candes, Shen 2010, equation 2.8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Diagonal, Problem, Solver, State, image_norm, using
from ipx.toolkit import column
from ipx_plugins.svt import SVTOptions

_SPECTRAL = 4  # channels from which on they are bands


@dataclass(frozen=True)
class SVTState(State):
    """X, and Y on the known values."""

    dual: Tensor


class SVT(Solver[SVTOptions, SVTState]):
    """tau = 5 sqrt(n1 n2) for data of root mean square 1, delta = 1.2 n1 n2 / m (section 5.1).

    It stops at a relative residual on the known values, which noise keeps from becoming small: the
    budget then ends it.
    """

    iterations = 500

    def init(self, problem: Problem) -> SVTState:
        """Y after the steps that leave X at zero (equation 5.3)."""
        y, seen = self._data(problem)
        tau, delta = self._tau(y, seen), self._delta(y, seen)
        top = torch.linalg.matrix_norm(self._matrices(y), 2)
        top = top if top.ndim == 1 else top.amax(1)
        skipped = torch.ceil(tau / (delta * top).clamp_min(1e-12))
        dual = column(skipped * delta, y) * y
        return SVTState(torch.zeros_like(y), dual)

    def step(self, problem: Problem, state: SVTState) -> SVTState:
        """One step of Uzawa's algorithm."""
        y, seen = self._data(problem)
        x = self._shrunk(state.dual, self._tau(y, seen))
        rest = torch.where(seen, y - x, torch.zeros_like(y))
        return replace(state, x=x, dual=state.dual + column(self._delta(y, seen), y) * rest)

    def residual(self, problem: Problem, before: SVTState, after: SVTState) -> Tensor:
        """|P(X - M)| / |P(M)|, ``(B,)`` (equation 5.4)."""
        y, seen = self._data(problem)
        rest = torch.where(seen, after.x - y, torch.zeros_like(y))
        return image_norm(rest) / image_norm(y).clamp_min(1e-12)

    @staticmethod
    def _data(problem: Problem) -> tuple[Tensor, Tensor]:
        """The known values of the image, 0 elsewhere, and their mask."""
        y = problem.noise.centred(problem.y)
        d = using(problem.operator, Diagonal).diagonal(y).expand(problem.image_shape)
        known, trusted = (d != 0).expand_as(y), problem.noise.trusted(problem.y)
        seen = known if trusted is None else known & trusted
        return torch.where(seen, y / torch.where(known, d, 1.0), torch.zeros_like(y)), seen

    def _bands(self, x: Tensor) -> bool:
        told = self.options.matrix
        return told == "bands" or (told == "auto" and x.shape[1] >= _SPECTRAL)

    def _matrices(self, x: Tensor) -> Tensor:
        """The matrix of an image ``(B, C, H W)``, or one for each channel ``(B, C, H, W)``."""
        return x.flatten(2) if self._bands(x) else x.reshape(*x.shape[:2], -1, x.shape[-1])

    def _shrunk(self, x: Tensor, tau: Tensor) -> Tensor:
        """D_tau(x)."""
        u, s, v = torch.linalg.svd(self._matrices(x), full_matrices=False)
        less = (s - column(tau, s)).clamp_min(0.0)
        made: Tensor = ((u * less[..., None, :]) @ v).reshape(x.shape)
        return made

    def _tau(self, y: Tensor, seen: Tensor) -> Tensor:
        """tau, ``(B,)``."""
        rows, columns = self._matrices(y).shape[-2:]
        mean = (y**2).flatten(1).sum(1) / seen.flatten(1).sum(1).clamp_min(1)
        return self.options.threshold * (rows * columns * mean).sqrt()

    def _delta(self, y: Tensor, seen: Tensor) -> Tensor:
        """delta, ``(B,)``."""
        share = seen.to(y.dtype).flatten(1).mean(1).clamp_min(1e-6)
        return self.options.step / share
