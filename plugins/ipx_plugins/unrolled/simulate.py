"""Training problems with random operators and noise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import ipx
from ipx import Problem
from ipx_plugins.unrolled import UnrolledOptions


class Draw:
    """Random numbers for options."""

    def __init__(self, rng: torch.Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        """A uniform number between ``low`` and ``high``."""
        return low + (high - low) * float(
            torch.rand((), generator=self.rng, device=self.rng.device)
        )

    def whole(self, count: int) -> int:
        """A uniform integer, 0 .. count - 1."""
        return int(torch.randint(count, (), generator=self.rng, device=self.rng.device))


def options_for(task: str, options: UnrolledOptions, draw: Draw, side: int) -> dict[str, Any]:
    """Random options of an operator; none for an operator not listed here."""
    if task == "blur":
        share = options.unknown_border
        unknown = share > 0 and draw.between(0, 1) < share
        return _blur(draw, side) | ({"boundary": "unknown"} if unknown else {})
    if task == "inpaint":
        return {"missing": draw.between(*options.missing), "seed": draw.whole(1 << 30)}
    if task == "super-resolution":
        fitting = [f for f in options.factors if side % f == 0] or [2]
        return {"factor": fitting[draw.whole(len(fitting))]}
    if task == "fourier":
        kind = ("radial", "lines", "random")[draw.whole(3)]
        share = draw.between(0.15, 0.5)
        return {"kind": kind, "share": share, "seed": draw.whole(1 << 30)}
    return {}


def _blur(draw: Draw, side: int) -> dict[str, Any]:
    """Options of a PSF (Gaussian, uniform, disk, motion) of up to about 25 pixels.

    Even PSFs have mirrored borders and motion paths periodic ones, for which the prox is exact.
    """
    reach = min(1.0, side / 32)
    kind = ("gaussian", "uniform", "disk", "motion", "random-motion")[draw.whole(5)]
    if kind == "gaussian":
        return {"kind": kind, "sigma": draw.between(0.5, 3.0 * reach)}
    if kind == "uniform":
        return {"kind": kind, "size": 3 + 2 * draw.whole(max(1, int(6 * reach)))}
    if kind == "disk":
        return {"kind": kind, "radius": draw.between(1.0, 5.0 * reach)}
    more = {"angle": draw.between(0, 180)} if kind == "motion" else {"seed": draw.whole(1 << 30)}
    length = draw.between(5.0, 20.0) * reach
    return {"kind": kind, "length": max(length, 1.0), "boundary": "circular", **more}


def simulated(task: str, clean: Tensor, options: UnrolledOptions, rng: torch.Generator) -> Problem:
    """A problem whose data are ``clean`` ``(B, C, H, W)`` degraded by ``task``.

    The solver gets the true noise level; of compressed data the root mean square of all errors.
    """
    draw = Draw(rng)
    shape = tuple(clean.shape[1:])
    operator = ipx.operator(task, shape, **options_for(task, options, draw, min(shape[1:])))
    noise = ipx.noise(options.noise, sigma=draw.between(*options.sigma))
    seeded = torch.Generator().manual_seed(draw.whole(1 << 62))
    seen = operator.forward(clean)
    y = noise.sample(seen, seeded)
    if options.compressed > 0 and draw.between(0, 1) < options.compressed:
        low, high = options.quality
        stored = ipx.noise("jpeg", quality=low + draw.whole(high - low + 1))
        y = stored.sample(y, seeded)
        noise = ipx.noise(options.noise, sigma=float((y - seen).square().mean().sqrt()))
    return Problem(y, operator, noise, ipx.prior("none"), 1.0)
