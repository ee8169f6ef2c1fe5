"""Which object of deepinv is which component, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipx import (
    Adjoint,
    Component,
    Denoise,
    InputError,
    Library,
    LinearOperator,
    NoOptions,
    Operator,
    Prior,
    Shape,
    has,
)


class DeepInverse(Library[NoOptions]):
    """The adapter to deepinv, which needs torchvision to be imported."""

    def adapt(self, thing: Any, image_shape: Shape | None) -> Component[Any]:
        """A physics as an operator, a denoiser or a prior as a prior; an export as what it was."""
        import deepinv
        from ipx_plugins.deepinv import theirs

        inside = getattr(thing, "ipx", None)
        if isinstance(inside, Component):
            return inside
        if isinstance(thing, deepinv.physics.Physics):
            return theirs.operator(thing, image_shape)
        if isinstance(thing, deepinv.models.Denoiser):
            return theirs.FromDenoiser(thing)
        if isinstance(thing, deepinv.optim.Prior):
            return theirs.prior(thing)
        raise InputError(
            f"{type(thing).__name__} of deepinv is neither a Physics, nor a Denoiser, nor a Prior"
        )

    def export(self, thing: Any, **how: Any) -> Any:
        """An operator as a physics, a prior as a denoiser or a prior, a table as a reconstructor.

        Args:
            thing: an operator, a prior, or a table of arguments of `ipx.solve`.
            **how: ``form="prior"`` for a denoiser of ipx as a `deepinv.optim.Prior`.
        """
        from ipx_plugins.deepinv import ours

        form = how.pop("form", None)
        if how or form not in (None, "denoiser", "prior"):
            raise InputError("export to deepinv takes form='denoiser' or 'prior' and nothing else")
        if isinstance(thing, LinearOperator) and Adjoint in thing.capabilities:
            return ours.LinearPhysics(thing)
        if isinstance(thing, Operator):
            return ours.Physics(thing)
        if isinstance(thing, Prior):
            denoises = has(thing, Denoise)
            if form == "denoiser" and not denoises:
                raise InputError(f"{type(thing).__name__} is no denoiser")
            denoiser = denoises and form != "prior"
            return ours.Denoiser(thing) if denoiser else ours.Prior(thing)
        if isinstance(thing, Mapping):
            return ours.Reconstructor(dict(thing))
        raise InputError(
            f"{type(thing).__name__} is neither an operator, nor a prior, nor a table of "
            "arguments of ipx.solve"
        )
