"""The invertible layers, from ``(B, C, H, W)`` to ``(B, C, H, W)``.

``forward`` returns the value and the log-determinant of its Jacobian, ``(B,)`` or ``()``.
``inverse`` maps the value back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BOUND = 2.0
"""Bound on the |log scale| of a coupling, which keeps the inverse stable."""


class Layer(nn.Module):
    """An invertible map."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The value, and log |det J|."""
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        """x with forward(x) = y."""
        raise NotImplementedError

    def initialise(self, x: Tensor) -> None:
        """Data-dependent initialisation from the first batch at this layer."""


class Squeeze(Layer):
    """Blocks of 2 x 2 pixels become four channels."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.pixel_unshuffle(x, 2), x.new_zeros(())

    def inverse(self, y: Tensor) -> Tensor:
        return F.pixel_shuffle(y, 2)


class ActNorm(Layer):
    """y = exp(s) (x + b) per channel; mean 0 and variance 1 on the first batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def initialise(self, x: Tensor) -> None:
        self.bias.copy_(-x.mean((0, 2, 3)))
        self.log_scale.copy_(-x.std((0, 2, 3)).clamp_min(1e-4).log())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out = (x + _map(self.bias)) * _map(self.log_scale.exp())
        return out, self.log_scale.sum() * (x.shape[2] * x.shape[3])

    def inverse(self, y: Tensor) -> Tensor:
        return y * _map((-self.log_scale).exp()) - _map(self.bias)


class Mix(Layer):
    """Actnorm, then an invertible 1x1 convolution W = P L (U + diag(d)), as one convolution.

    Kingma and Dhariwal 2018, sections 3.1 and 3.2. P and the signs of d are fixed, |d| > 0.
    """

    sign: Tensor
    permutation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels)
        rotation = torch.linalg.qr(torch.randn(channels, channels))[0]
        p, low, up = torch.linalg.lu(rotation)
        self.register_buffer("permutation", p)
        self.register_buffer("sign", up.diagonal().sign())
        self.low = nn.Parameter(low.tril(-1))
        self.up = nn.Parameter(up.triu(1))
        self.log_d = nn.Parameter(up.diagonal().abs().log())
        self._kept: tuple[Any, tuple[Tensor, Tensor]] | None = None

    def initialise(self, x: Tensor) -> None:
        self.norm.initialise(x)

    def _weight(self, dtype: torch.dtype) -> Tensor:
        """W diag(exp(s)), ``(C, C)``."""
        low, up, log_d = (p.to(dtype) for p in (self.low, self.up, self.log_d))
        low = low.tril(-1) + torch.eye(len(low), dtype=dtype, device=low.device)
        up = up.triu(1) + torch.diag(self.sign.to(dtype) * log_d.exp())
        return self.permutation.to(dtype) @ low @ up * self.norm.log_scale.to(dtype).exp()

    def _folded(self, inverse: bool) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the one convolution, cached while the parameters are frozen.

        Their computation is a fifth of the time of E on small pictures, and a third of that of D.
        """
        parameters = (self.low, self.up, self.log_d, self.norm.bias, self.norm.log_scale)
        # inference-mode tensors have no version, and trainable ones change at each step
        trains = any(p.requires_grad for p in parameters)
        frozen = not trains and not any(p.is_inference() for p in parameters)
        now = (inverse, *((p.data_ptr(), p._version) for p in parameters)) if frozen else None
        if frozen and self._kept is not None and self._kept[0] == now:
            return self._kept[1]
        dtype = self.low.dtype
        # once in double precision: gradients of a network of ReLUs amplify what is rounded
        w = self._weight(dtype if trains else torch.float64)
        bias = self.norm.bias
        if inverse:
            made = torch.linalg.inv(w.double()).to(dtype)[..., None, None], -bias
        else:
            made = w.to(dtype)[..., None, None], (w @ bias.to(w.dtype)).to(dtype)
        self._kept = (now, made) if frozen else None
        return made

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            out = F.conv2d(x, *self._folded(inverse=False))
        pixels = x.shape[2] * x.shape[3]
        return out, (self.norm.log_scale.sum() + self.log_d.sum()) * pixels

    def inverse(self, y: Tensor) -> Tensor:
        return F.conv2d(y, *self._folded(inverse=True))


class Coupling(Layer):
    """Affine coupling: a network of half of the channels scales and shifts the other half."""

    outputs = 2  # of the network, per moved channel: log scale and shift

    def __init__(self, channels: int, width: int, swap: bool = False) -> None:
        super().__init__()
        self.kept = channels // 2
        self.moved = channels - self.kept
        self.swap = swap
        if swap:
            self.kept, self.moved = self.moved, self.kept
        self.net = network(self.kept, width, self.outputs * self.moved)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self._halves(x)
        log_scale, shift = self._affine(a)
        return self._whole(a, (b + shift) * log_scale.exp()), log_scale.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        a, b = self._halves(y)
        log_scale, shift = self._affine(a)
        return self._whole(a, b * (-log_scale).exp() - shift)

    def _affine(self, a: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.net(a).to(a.dtype).chunk(2, 1)
        return bounded(raw), shift

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.swap:
            b, a = torch.split(x, [self.moved, self.kept], 1)
            return a, b
        a, b = torch.split(x, [self.kept, self.moved], 1)
        return a, b

    def _whole(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([b, a] if self.swap else [a, b], 1)


class Shift(Coupling):
    """Additive coupling (NICE, Dinh, Krueger and Bengio 2015, section 3.2): shifts alone.

    Its log-determinant is 0.
    """

    outputs = 1

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self._halves(x)
        return self._whole(a, b + self.net(a).to(a.dtype)), x.new_zeros(())

    def inverse(self, y: Tensor) -> Tensor:
        a, b = self._halves(y)
        return self._whole(a, b - self.net(a).to(a.dtype))


class Checkerboard(Layer):
    """Affine coupling with a checkerboard mask (Dinh et al. 2017, section 3.4)."""

    def __init__(self, channels: int, width: int, parity: int) -> None:
        super().__init__()
        self.parity = parity
        self.net = network(channels + 1, width, 2 * channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._affine(x)
        return (x + shift) * log_scale.exp(), log_scale.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        log_scale, shift = self._affine(y)
        return y * (-log_scale).exp() - shift

    def _affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log scale and shift; zero at the kept pixels, the only ones that the network sees."""
        rows, columns = (torch.arange(n, device=x.device) for n in x.shape[2:])
        kept = ((rows[:, None] + columns + self.parity) % 2).to(x.dtype)
        shown = torch.cat([x * kept, kept.expand(x.shape[0], 1, -1, -1)], 1)
        raw, shift = self.net(shown).to(x.dtype).chunk(2, 1)
        return bounded(raw) * (1 - kept), shift * (1 - kept)


class Split(nn.Module):
    """Takes half of the channels as a code, whitened by a prior conditioned on the other half."""

    outputs = 2  # of the network, per taken channel: log scale and mean

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.taken = channels - self.kept
        self.net = zero_conv(self.kept, self.outputs * self.taken)

    def initialise(self, x: Tensor) -> None:
        """Data-dependent initialisation from the first batch at this split."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The remaining channels, the code, and log |det J|."""
        a, b = torch.split(x, [self.kept, self.taken], 1)
        raw, mean = self.net(a).to(a.dtype).chunk(2, 1)
        log_scale = bounded(raw)
        return a, (b - mean) * log_scale.exp(), log_scale.flatten(1).sum(1)

    def inverse(self, a: Tensor, code: Tensor) -> Tensor:
        """All channels, from the remaining ones and the code."""
        raw, mean = self.net(a).to(a.dtype).chunk(2, 1)
        return torch.cat([a, code * (-bounded(raw)).exp() + mean], 1)


class ShiftSplit(Split):
    """A split whose prior has one scale per channel: the log-determinant is constant."""

    outputs = 1

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.norm = ActNorm(self.taken)

    def initialise(self, x: Tensor) -> None:
        a, b = torch.split(x, [self.kept, self.taken], 1)
        self.norm.initialise(b - self.net(a))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b = torch.split(x, [self.kept, self.taken], 1)
        return a, *self.norm(b - self.net(a).to(a.dtype))

    def inverse(self, a: Tensor, code: Tensor) -> Tensor:
        return torch.cat([a, self.norm.inverse(code) + self.net(a).to(a.dtype)], 1)


def bounded(raw: Tensor) -> Tensor:
    """A log scale between -BOUND and BOUND; the identity near 0."""
    return BOUND * torch.tanh(raw / BOUND)


def network(into: int, width: int, out: int) -> nn.Sequential:
    """Three convolutions, 3-1-3, as in Glow; zero at first, so a coupling is the identity."""
    first, middle = nn.Conv2d(into, width, 3, padding=1), nn.Conv2d(width, width, 1)
    for conv in (first, middle):
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one
    return nn.Sequential(
        first, nn.ReLU(inplace=True), middle, nn.ReLU(inplace=True), zero_conv(width, out)
    )


def zero_conv(into: int, out: int) -> nn.Conv2d:
    """A 3x3 convolution initialised to zero."""
    conv = nn.Conv2d(into, out, 3, padding=1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one
    return conv


def _map(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)
