"""Components from descriptions: ``"blur"``, ``{"name": "blur", "sigma": 2}``, or an instance."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import torch

from ipx.declare.capabilities import Adjoint, Shape
from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx.parts.generator import Generator
from ipx.parts.linear import LinearOperator, Scaled
from ipx.parts.model import Model
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.parts.stack import vstack
from ipx.parts.sum import Sum
from ipx.planning.tree import Description, Tree, tree
from ipx.solving.kept import kept
from ipx.solving.sampler import Sampler
from ipx.solving.solver import Solver
from ipx.solving.tuner import Tuner


def build(kind: str, description: Description) -> Any:
    """A noise, prior, solver, tuner or model from its description."""
    described = tree(kind, description)
    if described.instance is not None:
        return described.instance
    return kept(described, lambda: _made(kind, described))


def _made(kind: str, described: Tree) -> Any:
    if described.parts:
        return Sum([build(kind, part) for part in described.parts])
    assert described.spec is not None, "auto is no component"
    return registry().create(described.spec, options=described.options)


def image_shape_of(description: Description, data_shape: Shape) -> Shape:
    """The shape of images with data of this shape.

    Raises:
        UsageError: the operator is stacked, so that its data do not determine the shape.
    """
    described = tree("operator", description)
    if described.instance is not None:
        given: Shape = described.instance.image_shape
        return given
    if described.name == "stack" and described.parts:
        raise UsageError("give the image shape of stacked operators: their data do not fix it")
    if described.name == "sum" and described.parts:
        return image_shape_of(described.parts[0], data_shape)
    if described.parts:  # composed: the last part acts first
        return reduce(lambda s, part: image_shape_of(part, s), described.parts, data_shape)
    assert described.spec is not None
    check_known(described)
    shape: Shape = described.spec.load().image_shape_of(data_shape, described.options)
    return shape


def check_known(described: Tree) -> None:
    """Check that nothing of an operator is to be found from data.

    Raises:
        UsageError: an option is ``auto``.
    """
    if described.unknown:
        raise UsageError(
            f"option {described.unknown[0]} of operator {described.name} is auto: it is found from "
            "the data of ipx solve, for an operator that is no part of another; give its value"
        )


def view_shape_of(op: Description, data_shape: Shape) -> Shape:
    """The shape of restored images of data of ``data_shape``, see `ipx.Operator.view`."""
    shape = image_shape_of(op, data_shape)
    shown = operator_from(op, shape).view(torch.empty(1, *shape, device="meta"))
    return tuple(shown.shape[1:])


def operator_from(description: Description, image_shape: Shape) -> Operator[Any]:
    """An operator on images of this shape ``(C, H, W)``."""
    described = tree("operator", description)
    if described.instance is not None:
        given: Operator[Any] = described.instance
        return given
    return kept(described, lambda: _operator(described, tuple(image_shape)), *image_shape)


def _operator(described: Tree, image_shape: Shape) -> Operator[Any]:
    made: Operator[Any]
    if described.parts:
        made = _algebra(described, image_shape)
    else:
        assert described.spec is not None
        check_known(described)
        made = registry().create(described.spec, image_shape, options=described.options)
    return made if described.scale == 1 else Scaled(described.scale, _linear(made, "scale"))


def _algebra(described: Tree, image_shape: Shape) -> Operator[Any]:
    name, parts = described.name, described.parts
    if name == "compose":  # the last part acts first; its data are the images of the part before
        chain = [_linear(operator_from(parts[-1], image_shape), name)]
        for part in reversed(parts[:-1]):
            chain.insert(0, _linear(operator_from(part, chain[0].data_shape), name))
        composed: LinearOperator[Any] = reduce(lambda inner, outer: outer @ inner, reversed(chain))
        return composed
    made = [_linear(operator_from(p, image_shape), name) for p in parts]
    return vstack(made) if name == "stack" else reduce(add, made)


def _linear(operator: Operator[Any], what: str) -> LinearOperator[Any]:
    if isinstance(operator, LinearOperator) and Adjoint in operator.capabilities:
        return operator
    raise UsageError(f"{what} takes linear operators; {type(operator).__name__} is not linear")


def operator(name: str, image_shape: Shape, **options: Any) -> Operator[Any]:
    """An operator by name: ``ipx.operator("blur", (3, 256, 256), sigma=2)``."""
    return operator_from({"name": name, **options}, image_shape)


def noise(name: str, **options: Any) -> Noise[Any]:
    """A noise model by name: ``ipx.noise("gaussian", sigma=0.02)``."""
    made: Noise[Any] = build("noise", {"name": name, **options})
    return made


def prior(name: str, **options: Any) -> Prior[Any]:
    """A prior by name: ``ipx.prior("tv", isotropic=False)``."""
    made: Prior[Any] = build("prior", {"name": name, **options})
    return made


def solver(name: str, **options: Any) -> Solver[Any, Any]:
    """A solver by name: ``ipx.solver("admm")``."""
    made: Solver[Any, Any] = build("solver", {"name": name, **options})
    return made


def sampler(name: str, **options: Any) -> Sampler[Any, Any]:
    """A sampler by name: ``ipx.sampler("skrock")``."""
    made: Sampler[Any, Any] = build("sampler", {"name": name, **options})
    return made


def tuner(name: str, **options: Any) -> Tuner[Any]:
    """A tuner by name: ``ipx.tuner("discrepancy")``."""
    made: Tuner[Any] = build("tuner", {"name": name, **options})
    return made


def model(name: str, **options: Any) -> Model[Any]:
    """A trainable network by name: ``ipx.model("drunet", colors=3)``."""
    made: Model[Any] = build("model", {"name": name, **options})
    return made


def generator(name: str, **options: Any) -> Generator[Any]:
    """A generator by name: ``ipx.generator("texture", method="gram")``."""
    made: Generator[Any] = build("generator", {"name": name, **options})
    return made
