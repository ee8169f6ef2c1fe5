"""Base of the regression networks: loss and validation scores."""

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
    """A network ``net(x)`` that maps the preview of the data, in full size, to the picture.

    The loss is the mean log10 of the mean square error, so that easy pictures count like hard ones.
    """

    score = "psnr"
    higher_is_better = True

    @property
    def multiple(self) -> int:
        """Least common multiple of the super-resolution factors."""
        return multiple(self.options)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean log10 of the mean square error."""
        return log_error(net(measured(batch, self.options, rng)), batch).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """PSNR in dB, and its gain over that of the preview."""
        seen = measured(batch, self.options, rng)
        score = psnr(net(seen), batch)
        return {"psnr": score, "gain": score - psnr(seen, batch)}
