"""A trained generative model as encoder and decoder, and interpolation of codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ipx import Generative, InputError, Shape, UsageError, load_generative, open_device
from ipx.files.lookup import listing

CHUNK = 16
"""Pictures per pass through the network."""


@dataclass(frozen=True)
class Coder:
    """Encoder E and decoder D of trained weights.

    Attributes:
        name: name of the model.
        model: the model.
        net: its network, on ``device``.
        sha256: hash of the weights, to which codes belong.
        device: device of the network.
    """

    name: str
    model: Generative[Any]
    net: nn.Module
    sha256: str
    device: str

    def encode(self, x: Tensor) -> Tensor:
        """E(x), ``(N, C, H, W)`` to ``(N, n)``, on the CPU.

        Raises:
            ShapeError: the model cannot encode pictures of this shape.
            InputError: the code is not finite.
        """
        self.model.latent_size(tuple(x.shape[1:]))
        z = self._chunks(lambda part: self.model.encode(self.net, part), x)
        if not bool(z.isfinite().all()):
            raise InputError(f"{self.name} gives a code that is not finite")
        return z

    def decode(self, z: Tensor, shape: Shape) -> Tensor:
        """D(z), ``(N, n)`` to ``(N, *shape)``, on the CPU.

        Raises:
            ShapeError: the model cannot make pictures of this shape.
            InputError: the codes have another length, or a picture is not finite.
        """
        n = self.model.latent_size(shape)
        if z.ndim != 2 or z.shape[1] != n:
            raise InputError(f"codes of pictures {shape} have {n} numbers, not {z.shape[-1]}")
        x = self._chunks(lambda part: self.model.decode(self.net, part, shape), z)
        bad = int((~x.flatten(1).isfinite().all(1)).sum())
        if bad:
            raise InputError(
                f"{bad} of {len(x)} pictures that {self.name} decodes from these codes are not "
                "finite; take codes nearer to those of pictures"
            )
        return x

    def draw(self, count: int, shape: Shape, temperature: float, seed: int) -> Tensor:
        """Codes of new pictures, ``(count, n)`` on the CPU.

        Raises:
            ShapeError: the model cannot make pictures of this shape.
        """
        rng = torch.Generator().manual_seed(seed)
        return self.model.draw(self.net, count, shape, temperature, rng)

    def shape(self, side: int | None) -> Shape:
        """The shape of new pictures: the model's only one, or a square of this side (64 if None).

        Raises:
            ShapeError: the model cannot make pictures of this side.
        """
        only = self.model.only_shape
        if only is not None and side is None:
            return only
        shape = (self.model.colors, side or 64, side or 64)
        self.model.latent_size(shape)
        return shape

    def components(self, told: str, count: int) -> list[int]:
        """Components of codes of ``count`` numbers, from numbers and names with commas between.

        Raises:
            UsageError: the code has no such component.
        """
        names, found = self.model.coordinates, []
        for word in (part.strip() for part in told.split(",")):
            named = names.index(word) if word in names else -1
            # int() refuses numbers of thousands of digits
            number = int(word) if word.isdecimal() and len(word) < 10 else named
            if not 0 <= number < count:
                known = f" ({listing(names, 'and')} are the first)" if names else ""
                raise UsageError(
                    f"dims: the code has components 0 to {count - 1}{known}, not {word[:20]!r}"
                )
            found.append(number)
        return found

    def called(self, component: int) -> str:
        """What the model calls a component of its codes, else ``z[3]``."""
        names = self.model.coordinates
        return names[component] if component < len(names) else f"z[{component}]"

    def _chunks(self, function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
        with torch.no_grad():
            parts = [function(p.to(self.device)).cpu() for p in torch.split(values, CHUNK)]
        return torch.cat(parts)


def coder(name: str, weights: str, device: str) -> Coder:
    """Load a model with its weights.

    Raises:
        UsageError: there is no such device.
        IpxError: what `ipx.load_generative` raises.
    """
    model, loaded = load_generative(weights, name, 3)
    net = loaded.network().to(open_device(device))
    return Coder(name, model, net, str(loaded.card["sha256"]), device)


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation from ``a`` to ``b`` ``(n,)`` at t, ``(len(t), n)`` (Shoemake 1985).

    Codes of pictures lie near the sphere |z|^2 = n. Points halfway along the straight line have a
    smaller norm than any code drawn from N(0, I). Here the norm changes linearly from |a| to |b|.
    """
    na, nb = a.norm(), b.norm()
    if min(float(na), float(nb)) == 0:
        return linear(a, b, t)
    u, v = a / na, b / nb
    angle = torch.arccos((u @ v).clamp(-1, 1))
    if float(angle.sin()) < 1e-4:  # equal directions, or opposite ones without unique arc
        return linear(a, b, t)
    column = t[:, None]
    arc: Tensor = ((1 - column) * angle).sin() * u + (column * angle).sin() * v
    return torch.lerp(na, nb, column) * arc / angle.sin()


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(1 - t) a + t b, ``(len(t), n)``."""
    return torch.lerp(a[None], b[None], t[:, None])


@dataclass(frozen=True)
class Plane:
    """A plane in the space of codes.

    Attributes:
        origin: a code, ``(n,)``.
        axes: two directions, ``(2, n)``; a step of 1 is one standard deviation.
        names: of the axes.
    """

    origin: Tensor
    axes: Tensor
    names: tuple[str, str]

    @staticmethod
    def principal(z: Tensor) -> Plane:
        """The first two principal components of codes ``(N, n)``.

        Raises:
            InputError: there are fewer than three codes, or they have one number.
        """
        if min(len(z) - 1, z.shape[1]) < 2:
            raise InputError("principal components need three pictures, and codes of two numbers")
        center = z.mean(0)
        _, sizes, turned = torch.linalg.svd(z - center, full_matrices=False)
        axes = turned[:2] * (sizes[:2, None] / (len(z) - 1) ** 0.5)
        share = sizes[:2].square() / sizes.square().sum().clamp_min(1e-12)
        told = [f"component {i + 1} ({100 * float(s):.0f} %)" for i, s in enumerate(share)]
        return Plane(center, axes, (told[0], told[1]))

    @staticmethod
    def of_dims(coded: Coder, base: Tensor, told: str) -> Plane:
        """Two components of the code, about the code ``base`` ``(n,)``; see `Coder.components`.

        Raises:
            UsageError: there are not two, or the code has none of these.
        """
        dims = coded.components(told, len(base))
        if len(dims) != 2:
            raise UsageError(f"dims: give two components, not {len(dims)}")
        axes = torch.zeros(2, len(base))
        axes[0, dims[0]] = axes[1, dims[1]] = 1
        origin = base.clone()
        origin[dims] = 0
        return Plane(origin, axes, (coded.called(dims[0]), coded.called(dims[1])))

    def places(self, z: Tensor) -> Tensor:
        """Coordinates of codes ``(N, n)`` in the plane, ``(N, 2)``."""
        size = self.axes.square().sum(1).clamp_min(1e-12)
        return (z - self.origin) @ self.axes.T / size

    def codes(self, places: Tensor) -> Tensor:
        """Codes at coordinates ``(N, 2)``, ``(N, n)``."""
        return self.origin + places @ self.axes
