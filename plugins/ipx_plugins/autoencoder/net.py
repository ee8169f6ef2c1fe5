"""Encoders and decoders: one affine map, one hidden layer, or strided convolutions."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ipx import Shape
from ipx_plugins.autoencoder import AutoencoderOptions

CORNER = 4
"""Side of the smallest feature map."""


class Net(nn.Module):
    """Encoder and decoder, with running statistics of codes and errors.

    Attributes:
        center: the mean picture at the start of the training, ``(C, H, W)``.
        encoder: pictures minus ``center``, ``(B, C, H, W)``, to raw codes ``(B, n)``.
        decoder: raw codes to pictures.
        mean, deviation: of each number of the raw code over training pictures, ``(n,)``.
        log_deviation: logarithm of the root mean square of D(E(x)) - x.
    """

    center: Tensor
    mean: Tensor
    deviation: Tensor
    log_deviation: Tensor

    def __init__(self, options: AutoencoderOptions) -> None:
        super().__init__()
        shape = (options.colors, options.size, options.size)
        make = {"linear": linear, "dense": dense, "convolutional": convolutional}[options.network]
        self.encoder, self.decoder = make(options, shape)
        self.register_buffer("center", torch.zeros(shape))
        self.register_buffer("mean", torch.zeros(options.latent))
        self.register_buffer("deviation", torch.ones(options.latent))
        self.register_buffer("log_deviation", torch.tensor(0.25).log())

    def code(self, x: Tensor) -> Tensor:
        """Raw codes ``(B, n)`` of pictures."""
        found: Tensor = self.encoder(x - self.center)
        return found


def linear(o: AutoencoderOptions, shape: Shape) -> tuple[nn.Module, nn.Module]:
    """z = W x + b, and V z + c."""
    n = shape[0] * shape[1] * shape[2]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(n, o.latent))
    return encoder, nn.Sequential(nn.Linear(o.latent, n), nn.Unflatten(1, shape))


def dense(o: AutoencoderOptions, shape: Shape) -> tuple[nn.Module, nn.Module]:
    """One hidden layer of ELU each way; the picture is a sigmoid."""
    n = shape[0] * shape[1] * shape[2]
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(n, o.hidden), nn.ELU(), nn.Linear(o.hidden, o.latent)
    )
    decoder = nn.Sequential(
        nn.Linear(o.latent, o.hidden),
        nn.ELU(),
        nn.Linear(o.hidden, n),
        nn.Sigmoid(),
        nn.Unflatten(1, shape),
    )
    return encoder, decoder


def convolutional(o: AutoencoderOptions, shape: Shape) -> tuple[nn.Module, nn.Module]:
    """4 x 4 convolutions of stride 2 down to 4 x 4, their transposes back; ELU, then a sigmoid."""
    halvings = (o.size // CORNER).bit_length() - 1
    widths = [shape[0], *(o.width * min(8, 1 << i) for i in range(halvings))]
    inner = widths[-1] * CORNER**2
    down: list[nn.Module] = []
    for fine, coarse in pairwise(widths):
        down += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.ELU()]
    up: list[nn.Module] = [
        nn.Linear(o.latent, inner),
        nn.ELU(),
        nn.Unflatten(1, (widths[-1], CORNER, CORNER)),
    ]
    for coarse, fine in pairwise(widths[::-1]):
        up += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1), nn.ELU()]
    up[-1] = nn.Sigmoid()
    return nn.Sequential(*down, nn.Flatten(), nn.Linear(inner, o.latent)), nn.Sequential(*up)
