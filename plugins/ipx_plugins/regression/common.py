"""What the regression networks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ipx import Model, log_error, psnr
from ipx_plugins.regression import RegressionOptions
from ipx_plugins.regression.domain import measured, multiple

D = TypeVar("D", bound=RegressionOptions)


class Regression(Model[D]):
    """A network ``net(x)``: what is seen, at the size of the picture, to the picture.

    The loss is the mean log10 of the mean square error, so that easy pictures count as much.
    """

    score = "psnr"
    higher_is_better = True

    @property
    def multiple(self) -> int:
        """What the factors of super-resolution divide."""
        return multiple(self.options)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean log10 of the mean square error."""
        return log_error(net(measured(batch, self.options, rng)), batch).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """PSNR, and its gain over what is seen."""
        seen = measured(batch, self.options, rng)
        score = psnr(net(seen), batch)
        return {"psnr": score, "gain": score - psnr(seen, batch)}
