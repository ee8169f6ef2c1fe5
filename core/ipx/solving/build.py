"""From names and options to components: ``"blur"``, ``{"name": "blur", "sigma": 2}``, instances.

Operators may be composed: ``{"name": "compose", "parts": [A, B]}`` is A @ B (B acts first),
``"sum"`` adds, ``"stack"`` stacks; ``"scale"`` on a part multiplies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ipx.declare.capabilities import Adjoint, Shape
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from ipx.errors import InputError, OptionError, UsageError
from ipx.parts.algebra import vstack
from ipx.parts.component import Component, has
from ipx.parts.model import Model
from ipx.parts.noise import Noise
from ipx.parts.operator import LinearOperator, Operator
from ipx.parts.prior import Prior
from ipx.solving.solver import Solver
from ipx.solving.tuner import Tuner

Description: TypeAlias = "str | Mapping[str, Any] | Component[Any]"
ALGEBRA = ("compose", "sum", "stack")
_BASES: dict[str, type[Any]] = {
    "noise": Noise,
    "prior": Prior,
    "solver": Solver,
    "tuner": Tuner,
    "model": Model,
}


def split(description: Description, kind: str) -> tuple[str, dict[str, Any]]:
    """The name and the option values of a description."""
    if isinstance(description, str):
        return description, {}
    if isinstance(description, Mapping):
        values = dict(description)
        name = values.pop("name", None)
        if not isinstance(name, str):
            raise InputError(f"{kind}: give a name, as in {{name = ...}}")
        return name, values
    raise InputError(
        f"{kind}: give a name, a table with a name, or an instance, not {description!r}"
    )


def resolve(kind: str, description: Description) -> tuple[Spec, Options]:
    """The declaration and the checked options of a description that is no instance."""
    name, values = split(description, kind)
    spec = registry().get(kind, name)
    return spec, registry().options(kind, name, values)


def build(kind: str, description: Description) -> Any:
    """A noise, prior, solver, tuner or model from its description."""
    if isinstance(description, Component):
        if not isinstance(description, _BASES[kind]):
            raise UsageError(f"{type(description).__name__} is no {kind}")
        return description
    spec, options = resolve(kind, description)
    return registry().create(spec, options=options)


def describe(kind: str, description: Description) -> dict[str, Any]:
    """A description in full: the id and every option, as plain values for a record."""
    if isinstance(description, Component):
        return {"class": type(description).__name__, **description.options.to_mapping()}
    name, values = split(description, kind)
    if kind == "operator" and name in ALGEBRA:
        return {"name": name, "parts": [_part(p) for p in _parts(name, values)]}
    spec, options = resolve(kind, description)
    return {"name": spec.id, **options.to_mapping()}


def _part(description: Any) -> dict[str, Any]:
    description, scale = _scale(description)
    return {**describe("operator", description), **({"scale": scale} if scale != 1 else {})}


def _parts(name: str, values: dict[str, Any]) -> list[Any]:
    parts = values.get("parts")
    if not isinstance(parts, (list, tuple)) or len(parts) < 2 or set(values) != {"parts"}:
        raise InputError(f"operator {name} takes a list of at least two parts and nothing else")
    return list(parts)


def _scale(description: Any) -> tuple[Any, float]:
    if isinstance(description, Mapping) and "scale" in description:
        values = dict(description)
        try:
            return values, float(values.pop("scale"))
        except (TypeError, ValueError):
            raise OptionError("the scale of an operator must be a number") from None
    return description, 1.0


def image_shape_of(description: Description, data_shape: Shape) -> Shape:
    """The shape of the images that give data of this shape."""
    if isinstance(description, Operator):
        return description.image_shape
    description, _ = _scale(description)
    name, values = split(description, "operator")
    if name == "compose":
        shape = data_shape
        for part in _parts(name, values):
            shape = image_shape_of(part, shape)
        return shape
    if name == "stack":
        raise UsageError("say the image shape of stacked operators: their data do not tell it")
    if name == "sum":
        return image_shape_of(_parts(name, values)[0], data_shape)
    spec, options = resolve("operator", description)
    shape_of: Shape = spec.load().image_shape_of(data_shape, options)
    return shape_of


def operator_from(description: Description, image_shape: Shape) -> Operator[Any]:
    """An operator on images of this shape ``(C, H, W)``."""
    if isinstance(description, Operator):
        return description
    description, scale = _scale(description)
    name, values = split(description, "operator")
    if name in ALGEBRA:
        made = _algebra(name, _parts(name, values), image_shape)
    else:
        spec, options = resolve("operator", description)
        made = registry().create(spec, tuple(image_shape), options=options)
    if scale == 1:
        return made
    return scale * _linear(made, "scale")


def _algebra(name: str, parts: list[Any], image_shape: Shape) -> Operator[Any]:
    if name != "compose":
        made = [_linear(operator_from(p, image_shape), name) for p in parts]
        if name == "stack":
            return vstack(made)
        total = made[0]
        for term in made[1:]:
            total = total + term
        return total
    chain = _linear(operator_from(parts[-1], image_shape), name)
    for part in reversed(parts[:-1]):
        chain = _linear(operator_from(part, chain.data_shape), name) @ chain
    return chain


def _linear(operator: Operator[Any], what: str) -> LinearOperator[Any]:
    if isinstance(operator, LinearOperator) and has(operator, Adjoint):
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


def tuner(name: str, **options: Any) -> Tuner[Any]:
    """A tuner by name: ``ipx.tuner("discrepancy")``."""
    made: Tuner[Any] = build("tuner", {"name": name, **options})
    return made


def model(name: str, **options: Any) -> Model[Any]:
    """A trainable network by name: ``ipx.model("drunet", colors=3)``."""
    made: Model[Any] = build("model", {"name": name, **options})
    return made
