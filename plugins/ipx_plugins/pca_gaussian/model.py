"""The Gaussian with principal components, and how it is learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ipx import Model, Shape
from ipx_plugins.pca_gaussian import PCAOptions
from ipx_plugins.pca_gaussian.covariance import Covariance, restored, transformed
from ipx_plugins.pca_gaussian.moments import Moments


class Gaussian(nn.Module):
    """N(x; mean, C), C as in `Covariance`.

    Attributes:
        mean: ``(C, H, W)``.
        components: principal components times their standard deviations, ``(r, C, H, W)``.
        log_spectrum: log p of the cosine transform of the rest, ``(C, H, W)``.
    """

    def __init__(self, shape: Shape, rank: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full(shape, 0.5))
        self.components = nn.Parameter(0.01 * torch.randn(rank, *shape))
        self.log_spectrum = nn.Parameter(torch.full(shape, -4.0))

    def covariance(self) -> Covariance:
        """C."""
        return Covariance(transformed(self.components), self.log_spectrum.exp())

    def forward(self, x: Tensor) -> Tensor:
        """-log N(x; mean, C) per value, ``(B,)``."""
        return self.covariance().nats(transformed(x - self.mean))


class PCAGaussian(Model[PCAOptions]):
    """Images of one size are Gaussian: principal components, and a rest with a spectrum.

    The covariance is that of probabilistic PCA (Tipping and Bishop 1999), where the rest is not
    white but has a variance for each cosine frequency, so that it is smooth. The loss is the
    negative log-likelihood of a value in nats. Gradient steps only begin the training; at its end
    `Moments` finds mean and covariance in closed form, batch by batch.
    """

    score = "nats"
    higher_is_better = False

    @property
    def only_shape(self) -> Shape:
        """``(colors, size, size)``."""
        return (self.options.colors, self.options.size, self.options.size)

    @property
    def multiple(self) -> int:
        """The side of the images."""
        return self.options.size

    def network(self) -> nn.Module:
        """The Gaussian, nearly white."""
        return Gaussian(self.only_shape, self.options.rank)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Mean and covariance of the batch."""
        self._set(net, Moments.of(batch, self.options.rank))

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean negative log-likelihood of a value."""
        told: Tensor = net(batch).mean()
        return told

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``nats``: the loss of each image, ``(B,)``."""
        return {"nats": net(batch)}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Mean and covariance of the images, in one pass."""
        known: Moments | None = None
        for batch in pictures:
            new = Moments.of(batch, self.options.rank)
            known = new if known is None else known.joined(new, self.options.rank)
        if known is not None:
            self._set(net, known)
        return known is not None

    def _set(self, net: nn.Module, known: Moments) -> None:
        assert isinstance(net, Gaussian)
        found = known.covariance(self.options.rank)
        net.mean.data = restored(known.mean[None])[0].to(net.mean)
        net.components.data = restored(found.factor).to(net.components)
        net.log_spectrum.data = found.spectrum.log().to(net.log_spectrum)
