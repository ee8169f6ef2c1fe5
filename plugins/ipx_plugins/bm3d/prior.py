"""BM3D as a prior with a denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Prior, Scalar, ShapeError
from ipx_plugins.bm3d import BM3DOptions
from ipx_plugins.bm3d.matching import Grid, Groups, match, mirror
from ipx_plugins.bm3d.profiles import Profile, Stage, choose
from ipx_plugins.bm3d.stages import filter_groups
from ipx_plugins.bm3d.transforms import opponent

_Plan: TypeAlias = "tuple[Profile | None, Groups | None, Groups | None]"


@dataclass(frozen=True)
class Matches:
    """Groups of similar blocks in a batch of images, found by `BM3D.match`.

    Attributes:
        shape: shape of the images, ``(B, C, H, W)``.
        profiles: parameters of each plane that is filtered alone (an image, or one channel).
        first: groups of the first stage, one entry per plane.
        second: groups of the second stage; None with option ``stages="first"``.
    """

    shape: tuple[int, ...]
    profiles: tuple[Profile | None, ...]
    first: tuple[Groups | None, ...]
    second: tuple[Groups | None, ...]


class BM3D(Prior[BM3DOptions]):
    """Block matching and 3-D filtering, for white Gaussian noise.

    Three channels are taken as RGB and filtered as luminance and two colour differences; blocks
    are matched on the luminance. Other numbers of channels are filtered channel by channel.
    Gradients do not propagate through the filter.
    """

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Scalar, matches: Matches | None = None) -> Tensor:
        """The estimate of the clean image, shape and dtype of ``x``.

        Args:
            x: ``(B, C, H, W)``, any size, nominally in [0, 1].
            sigma: standard deviation of the noise in the units of ``x``, >= 0: a number, one per
                image ``(B,)``, or one per pixel ``(B, 1, H, W)`` or ``(B, C, H, W)``.
            matches: result of `match` on this or a similar image; None runs `match` first.

        Raises:
            ShapeError: the shapes of ``x``, ``sigma`` and ``matches`` do not agree.
        """
        return self._run(x, sigma, matches, last=True)[0]

    @torch.no_grad()
    def match(self, x: Tensor, sigma: Scalar) -> Matches:
        """The groups of similar blocks that `denoise` would find, for use in several calls."""
        return self._run(x, sigma, None, last=False)[1]

    def _run(
        self, x: Tensor, sigma: Scalar, matches: Matches | None, last: bool
    ) -> tuple[Tensor, Matches]:
        """The estimate (of the first stage unless ``last``) and the matches."""
        if x.ndim != 4:
            raise ShapeError(f"images are (B, C, H, W), not {tuple(x.shape)}")
        if matches is not None and matches.shape != tuple(x.shape):
            raise ShapeError(f"matches are of images {matches.shape}, not {tuple(x.shape)}")
        work = x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x
        colour = x.shape[1] == 3
        planes = work if colour else work.flatten(0, 1)[:, None]
        levels = _levels(sigma, work)
        levels = levels if colour else levels.flatten(0, 1)[:, None]
        outs: list[Tensor] = []
        found: list[_Plan] = []
        for i in range(planes.shape[0]):
            given = (
                (None, None, None)
                if matches is None
                else (matches.profiles[i], matches.first[i], matches.second[i])
            )
            out, plan = self._plane(planes[i], levels[i], given, last)
            outs.append(out)
            found.append(plan)
        result = torch.stack(outs).view(x.shape).to(x.dtype) if outs else x.clone()
        profiles, first, second = zip(*found, strict=True) if found else ((), (), ())
        return result, Matches(tuple(x.shape), profiles, first, second)

    def _plane(
        self,
        x: Tensor,
        sigma: Tensor,
        given: _Plan,
        last: bool,
    ) -> tuple[Tensor, _Plan]:
        """Filter one image ``(C, h, w)`` with noise level ``(C, h, w)`` or ``(C, 1, 1)``."""
        worst = float(sigma.max())
        if worst == 0.0:
            return x, given
        profile, one, two = given
        if profile is None:
            profile = choose(self.options.profile, float(sigma.square().mean().sqrt()))
        # the group weights 1/sigma^2 must not overflow
        sigma = sigma.clamp_min(max(1e-3 * worst, 1e-15))
        colour = x.shape[0] == 3
        if colour:
            mix = opponent().to(x)
            x = torch.einsum("ij,jhw->ihw", mix, x)
            sigma = torch.einsum("ij,jhw->ihw", mix.square(), sigma.square()).sqrt()
        stage = profile.first
        grid, padded, level = _prepare(x, sigma, stage)
        if one is None:
            one = match(padded[0], grid, stage, level[0])
        y = filter_groups(padded, one, stage, level)[:, : x.shape[1], : x.shape[2]]
        if self.options.stages == "both":
            stage = profile.second
            grid, padded, level = _prepare(x, sigma, stage)
            basic = mirror(y, grid, stage)
            if two is None:
                two = match(basic[0], grid, stage, level[0])
            if last:
                y = filter_groups(padded, two, stage, level, basic)[:, : x.shape[1], : x.shape[2]]
        if colour:
            y = torch.einsum("ij,jhw->ihw", torch.linalg.inv(opponent()).to(x), y)
        return y, (profile, one, two)


def _levels(sigma: Scalar, x: Tensor) -> Tensor:
    """Sigma as ``(B, C, 1, 1)`` or ``(B, C, H, W)``."""
    level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if level.ndim == 1:
        level = level.view(-1, 1, 1, 1)
    try:
        level = level.expand(*x.shape[:2], *(level.shape[2:] or (1, 1)))
        if level.shape[2:] not in ((1, 1), x.shape[2:]):
            level = level.expand_as(x)
    except RuntimeError:
        raise ShapeError(
            f"sigma of shape {tuple(level.shape)} does not fit images {tuple(x.shape)}"
        ) from None
    return level


def _prepare(x: Tensor, sigma: Tensor, stage: Stage) -> tuple[Grid, Tensor, Tensor]:
    """The grid, the padded image, and the noise level ``(C, 1 or groups)``."""
    grid = Grid.of(x.shape[1], x.shape[2], stage)
    padded = mirror(x, grid, stage)
    if sigma.shape[1:] == (1, 1):
        return grid, padded, sigma[:, :, 0]
    around = mirror(sigma.square(), grid, stage)
    return grid, padded, functional.avg_pool2d(around, stage.block, stage.step).sqrt().flatten(1)
