"""Generators: components that make new pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor

from ipx.errors import PluginError, ShapeError, UsageError
from ipx.parts.component import Component, O

Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""


LEAST_COLOUR = 0.02
"""Difference of channels from which on a picture is coloured, in units of [0, 1]."""


class Generator(Component[O]):
    """Base of all generators.

    The declaration `GeneratorSpec` says what pictures a generator takes. A subclass defines `make`;
    callers call `generate`, which checks what goes in.
    """

    kind = "generator"

    def make(self, pictures: Sequence[Tensor], size: Size | None, count: int, seed: int) -> Tensor:
        """New pictures ``(count, C, H, W)``, nominally in [0, 1]; the arguments of `generate`."""
        raise self.undefined("make")

    def generate(
        self,
        pictures: Sequence[Tensor] = (),
        size: Size | None = None,
        count: int = 1,
        seed: int = 0,
    ) -> Tensor:
        """New pictures.

        Args:
            pictures: those that it takes, ``(C, H, W)`` in [0, 1] each.
            size: height and width; None for those of the first picture, or of the model.
            count: how many.
            seed: the same seed gives the same pictures.

        Returns:
            ``(count, C, H, W)``, nominally in [0, 1].

        Raises:
            UsageError: the number of pictures is wrong.
            PluginError: `make` gives something else.
            ShapeError: a picture is no image, or in colour where the generator makes grey ones, or
                this size cannot be made.
        """
        self._check_number(len(pictures))
        for picture in pictures:
            if picture.ndim != 3 or not picture.numel():
                raise ShapeError(f"a picture is (C, H, W), not of shape {tuple(picture.shape)}")
        if size is not None and min(size) < 1:
            raise ShapeError(f"a size is height x width of at least 1, not {size[0]} x {size[1]}")
        if count < 1:
            raise UsageError(f"the number of pictures must be at least 1, not {count}")
        made = self.make([self._grey_or_colour(x) for x in pictures], size, count, seed)
        found = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        if not isinstance(made, Tensor) or made.ndim != 4 or len(made) != count:
            raise PluginError(f"make of {self.origin} gives {found}, not ({count}, C, H, W)")
        return made

    def _grey_or_colour(self, picture: Tensor) -> Tensor:
        """The picture with a number of channels that it takes: grey if it has no colours."""
        takes: tuple[int, ...] = getattr(self.declaration, "channels", ())
        if self.declaration is None or not takes or len(picture) in takes:
            return picture
        grey = picture.mean(0, keepdim=True)
        if 1 in takes and float((picture - grey).abs().amax()) < LEAST_COLOUR:
            return grey
        numbers = " or ".join(map(str, takes))
        what = "grey pictures" if takes == (1,) else f"pictures of {numbers} channels"
        raise ShapeError(
            f"generator {self.declaration.name} takes {what}; this one has {len(picture)} channels"
        )

    def _check_number(self, given: int) -> None:
        takes: tuple[str, ...] = getattr(self.declaration, "takes", ())
        optional: int = getattr(self.declaration, "optional", 0)
        if self.declaration is None or len(takes) - optional <= given <= len(takes):
            return
        wanted = " and ".join(takes) or "no picture"
        least = f", the last {optional} may be left out" if optional else ""
        raise UsageError(f"generator {self.declaration.name} takes {wanted}{least}; {given} given")
