"""Trees: components as plain facts, named in a request or made in code.

A component is described by its name, by a table ``{"name": "blur", "sigma": 2}``, or by an
instance. Operators may be composed: ``{"name": "compose", "parts": [A, B]}`` is A @ B (B acts
first), ``"sum"`` is A + B, ``"stack"`` is [A; B]; the key ``"scale"`` multiplies an operator by a
number. A list of priors, or ``{"name": "sum", "parts": [R, S]}``, is their sum. Imports nothing
heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ipx.declare.foreign import LibrarySpec
from ipx.declare.kinds import KINDS
from ipx.declare.options import AUTO as AUTO, Options
from ipx.declare.registry import registry
from ipx.declare.specs import PriorSpec, SamplerSpec, SolverSpec, Spec
from ipx.declare.traits import Traits
from ipx.errors import InputError, OptionError, UsageError
from ipx.planning.rules import NAMED, SUM, Facts, made, summed

Description: TypeAlias = Any
"""A name, a table with a name, an instance, a list of priors, or a `Tree`."""

PLUS = " + "
"""Between the names of the priors of a sum."""


@dataclass(frozen=True)
class Tree:
    """A component as plain facts.

    Attributes:
        kind: the kind of component.
        name: as given; the name of the class for an instance.
        spec: the declaration; None for what is composed, ``auto`` and instances.
        options: checked; None if there is no declaration.
        parts: of a composed operator, or a sum of priors.
        scale: factor of the operator.
        instance: the component, if it was made in code.
        given: names of the options that the description states; the others have their defaults.
    """

    kind: str
    name: str
    spec: Spec | None = None
    options: Options | None = None
    parts: tuple[Tree, ...] = ()
    scale: float = 1.0
    instance: Any = None
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def facts(self) -> Facts:
        """Capabilities and traits; of what is composed by the rules of `ipx.planning.rules`.

        Raises:
            UsageError: a part is an operator that is not linear, or a prior that has no sum.
        """
        if self.instance is not None:
            return Facts(self.instance.capabilities, self.instance.traits)
        if self.parts and self.kind == "prior":
            return summed([p.facts for p in self.parts], [p.title for p in self.parts])
        if self.parts:
            found = made(self.name, [p.facts for p in self.parts])
        elif self.spec is not None:
            found = Facts(self.spec.capabilities(self.options), self.spec.traits_for(self.options))
        else:
            found = Facts(frozenset(), Traits())
        return found if self.scale == 1 else made("scale", [found], self.scale)

    @property
    def packages(self) -> dict[str, str]:
        """The packages of third parties whose plugins gave the parts, with their versions."""
        found = {name: version for part in self.parts for name, version in part.packages.items()}
        plugin = "" if self.spec is None else self.spec.plugin
        own = (i for i in registry().plugins if i.name == plugin and not i.builtin)
        return found | {info.distribution: info.version for info in own}

    @property
    def families(self) -> frozenset[str]:
        """The families of the parts of an operator, or of a noise, see `Traits.family`.

        Of a class that no plugin declares it is the empty name, which only what holds for all
        covers.
        """
        if self.parts:
            return frozenset().union(*(part.families for part in self.parts))
        spec = self.spec if self.instance is None else self.instance.declaration
        return frozenset({self.facts.traits.family or ("" if spec is None else spec.name)})

    @property
    def title(self) -> str:
        """The name in messages: ``tv + wavelet`` for a sum of priors."""
        if self.parts and self.kind == "prior":
            return PLUS.join(p.title for p in self.parts)
        title: str = getattr(self.instance, "title", self.name)
        return title

    @property
    def silent(self) -> bool:
        """True for a noise whose level is zero."""
        if self.instance is not None:
            return bool(self.instance.silent)
        level = self.facts.traits.level
        return bool(level) and getattr(self.options, level) == 0

    @property
    def told(self) -> bool:
        """True for a noise whose level is given."""
        if self.instance is not None:
            return self.instance.level is not None
        level = self.facts.traits.level
        return bool(level) and getattr(self.options, level) is not None

    @property
    def auto(self) -> bool:
        """True if the best component that fits is wanted."""
        return self.instance is None and self.name == AUTO

    @property
    def prefers(self) -> tuple[str, ...]:
        """The solvers that a prior prefers."""
        spec, options = self.spec, self.options
        if self.instance is not None:
            spec, options = self.instance.declaration, self.instance.options
        return spec.preferred(options) if isinstance(spec, PriorSpec) else ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """The options that are to be found from the data, also of parts."""
        own = () if self.options is None else type(self.options).infos().values()
        names = [i.name for i in own if i.auto and getattr(self.options, i.name) == AUTO]
        return (*names, *(name for part in self.parts for name in part.unknown))

    def chosen(self, spec: Spec) -> Tree:
        """The same; for ``auto`` the component that a plan takes, with its usual options."""
        return tree(self.kind, spec.id) if self.auto else self

    def to_mapping(self) -> dict[str, Any]:
        """Plain values: id, all options, absolute paths. `tree` reads all but instances back."""
        if self.instance is not None:
            return {"class": self.name, **self.instance.options.to_mapping()}
        if self.parts:
            plain: dict[str, Any] = {"name": self.name}
            plain["parts"] = [p.to_mapping() for p in self.parts]
        elif self.spec is None or self.options is None:
            return {"name": self.name}
        else:
            plain = {"name": self.spec.id, **self.options.to_mapping()}
            for name in self._paths():
                plain[name] = str(Path(plain[name]).absolute())
        return plain if self.scale == 1 else {**plain, "scale": self.scale}

    def files(self) -> list[Path]:
        """The files that the options name."""
        own = [Path(getattr(self.options, name)) for name in self._paths()]
        return own + [path for part in self.parts for path in part.files()]

    def _paths(self) -> list[str]:
        if self.options is None:
            return []
        infos = type(self.options).infos()
        single = [n for n, i in infos.items() if i.kind is Path and i.length is None]
        return [n for n in single if getattr(self.options, n) not in (None, AUTO)]


def tree(kind: str, description: Description) -> Tree:
    """The tree of a description.

    Raises:
        InputError: ``description`` is not a description.
        UsageError: unknown names or options, or an instance of another kind.
    """
    if isinstance(description, Tree):
        return description
    if isinstance(description, str):
        return _named(kind, description, {})
    if kind == "prior" and isinstance(description, list | tuple) and description:
        parts = {"parts": description}
        return _named(kind, SUM, parts) if len(description) > 1 else tree(kind, description[0])
    if isinstance(description, Mapping):
        values = dict(description)
        name = values.pop("name", None)
        if not isinstance(name, str):
            raise InputError(f"{kind}: a component needs a name, as in {{name = ...}}")
        return _named(kind, name, values)
    if not hasattr(description, "capabilities"):
        raise InputError(_no_component(kind, description))
    if not isinstance(description, KINDS[kind].base_class()):
        raise UsageError(f"{type(description).__name__} is not of kind {kind}")
    description.ready = True
    return Tree(kind, type(description).__name__, instance=description)


def _no_component(kind: str, description: Any) -> str:
    """What a thing is that is taken for a component, and what to do."""
    name, base = type(description).__name__, KINDS[kind].base_class()
    library = library_of(description)
    if library is not None:
        return f"{name} is of {library.name}; ipx.adapt makes a component of it"
    if isinstance(description, type) and issubclass(description, base):
        return f"{description.__name__} is a class; give an instance of it"
    if isinstance(description, base):
        return f"__init__ of {name} does not call super().__init__()"
    if kind == "operator" and hasattr(description, "shape"):  # of SciPy, or an array
        return f"{name} is a matrix; make an operator of it with ipx.from_scipy(A, image_shape)"
    return (
        f"{kind}: give a name, a table with a name, or an instance of a subclass of "
        f"ipx.{base.__name__}, not {description!r}"
    )


def library_of(thing: object) -> LibrarySpec | None:
    """The library of an object, by the modules of its class and its bases; None if unknown."""
    modules = {c.__module__.partition(".")[0] for c in type(thing).__mro__}
    for spec in registry().all("library"):
        if isinstance(spec, LibrarySpec) and modules & set(spec.modules):
            return spec
    return None


def _named(kind: str, name: str, values: dict[str, Any]) -> Tree:
    composed = name in NAMED.get(kind, ())
    if kind == "operator":
        scale = _number(values.pop("scale", 1.0))
        if composed:
            return Tree(kind, name, parts=_parts(kind, name, values), scale=scale)
        spec, options = _checked(kind, name, values)
        return Tree(kind, name, spec, options, scale=scale, given=_stated(values))
    if composed:
        parts = _flat(_parts(kind, name, values))
        if any(part.auto for part in parts):
            raise UsageError("auto is no part of a sum of priors: name each of them")
        return Tree(kind, name, parts=parts)
    if name == AUTO and KINDS[kind].auto:
        if values:
            raise OptionError(f"{kind} auto has no options; name a {kind} to set its options")
        return Tree(kind, name)
    spec, options = _checked(kind, name, values)
    return Tree(kind, name, spec, options, given=_stated(values))


def _stated(values: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(k.replace("-", "_") for k, v in values.items() if v is not None)


def _checked(kind: str, name: str, values: dict[str, Any]) -> tuple[Spec, Options]:
    reg = registry()
    return reg.get(kind, name), reg.options(kind, name, values)


def _parts(kind: str, name: str, values: dict[str, Any]) -> tuple[Tree, ...]:
    parts = values.get("parts")
    if not isinstance(parts, list | tuple) or len(parts) < 2 or set(values) != {"parts"}:
        raise InputError(f"{kind} {name} takes a list of at least two parts and nothing else")
    return tuple(tree(kind, part) for part in parts)


def _flat(parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """The parts of a sum, with those of sums among them."""
    return tuple(p for part in parts for p in (part.parts or (part,)))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError("the scale of an operator must be a number") from None


def solver_spec(described: Tree) -> SolverSpec | None:
    """The declaration of a solver or sampler, or of an instance's class; None for ``auto``."""
    if described.instance is not None:
        made_in_code = described.instance
        spec = SamplerSpec if described.kind == "sampler" else SolverSpec
        return spec(
            name=described.name,
            target="",
            summary="",
            needs=made_in_code.needs,
            traits=made_in_code.traits,
        )
    return described.spec if isinstance(described.spec, SolverSpec) else None
