"""A restored image and how it was obtained: what `ipx.solve` returns."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ipx.planning.plan import Plan
from ipx.planning.tree import Description
from ipx.solving.fallback import numbers
from ipx.solving.posterior import Posterior
from ipx.solving.progress import Result, Status


@dataclass(frozen=True, repr=False)
class Restoration:
    """A restored image and how it was obtained.

    Attributes:
        image: the restored image, of the type and layout of the input.
        outputs: all images by name, ``(B, C, H, W)``: ``restored`` always, others from observers
            (``mean``, ``std``).
        before: the data as an image, `ipx.Problem.preview`, ``(B, C, H, W)``.
        status: per image, see `ipx.Result`.
        plans: the solver and its bridges, per image: where the data decide, images of a batch may
            get different priors.
        lam: weight of the prior per image; of a sum of several priors with a weight such a list
            for each; None for a prior without weight, in the list where only some images have such
            a prior. `solve` takes the same as ``lam``.
        level: noise level per image, given or estimated, in the unit of the noise model: standard
            deviation in image units (gaussian), photons at intensity 1 (poisson), share of wrong
            values (impulse).
        result: the final run of the solver, in the unit of its problem: data far from [0, 1] are
            divided by their largest value, which ``warnings`` tell. ``lam`` is for that unit, too.
        posterior: what the draws tell, in the unit of the problem; None without draws. The outputs
            ``std``, ``lower``, ``upper`` and ``sample-1``, ... are of them.
        rule: how lam was found and why so, in one line; empty without a weight.
        trace: the trials of the tuner, in order: ``lam`` and a criterion, each a list of one number
            per image. The criterion is ``log_ratio``, log of the data term over its target
            (discrepancy), or ``score``, log |A x - y|^2 - 2 log(m - df) (gcv), beside ``noise``,
            |A x - y| / sqrt(m - df), and ``risk``, log of the risk for the estimated level, where
            that counts. For a sum ``prior`` tells the one that is tried alone; the trials of all
            have a list for each in ``lam``.
        op: the operator, with what was found in place of ``auto``.
        prior: the prior of the first image; ``plan.why`` tells why it was taken in place of
            another, or ``auto``.
        seconds: wall-clock time of the whole call.
        warnings: reasons to doubt the result, one line each.
        wrong: per image, true if it is surely wrong: far outside the range of the data.
        tiles: of an image that was restored in tiles, how they lay and how well they fitted, see
            `ipx.solving.tiles.Tiling`; ``result`` is then that of a representative window.
    """

    image: Any
    outputs: dict[str, Tensor]
    before: Tensor
    status: list[Status]
    plans: list[Plan]
    lam: list[Any] | None
    level: list[float]
    result: Result
    rule: str = ""
    posterior: Posterior | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    op: Description = None
    prior: Description = None
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    tiles: dict[str, Any] | None = None

    @property
    def plan(self) -> Plan:
        """The plan of the first image."""
        return self.plans[0]

    @property
    def x(self) -> Tensor:
        """The restored image as a tensor ``(B, C, H, W)``."""
        return self.outputs["restored"]

    @property
    def iterations(self) -> list[int]:
        """Iterations of the final run, per image."""
        return [int(n) for n in self.result.iterations]

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.x.shape)
        weight = "" if self.lam is None else f", lam {numbers(self.lam)} ({self.rule})"
        return (
            f"<Restoration {size} by {self.plan.solver.name} with prior {self.plan.prior}: "
            f"{', '.join(self.status)} after {', '.join(map(str, self.iterations))} iterations"
            f"{weight}, {self.seconds:.2f} s>"
        )

    def _repr_png_(self) -> bytes | None:
        """The images side by side, for notebooks; None unless they are grey or colour.

        Of volumes their middle planes.
        """
        if self.x.shape[1] not in (1, 3):
            return None
        from PIL import Image as Pillow

        x = self.x if self.x.ndim == 4 else self.x[:, :, self.x.shape[2] // 2]
        row = torch.cat(list(x.detach().cpu()), -1).clamp(0, 1).permute(1, 2, 0)
        pixels = (row * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
        return file.getvalue()
