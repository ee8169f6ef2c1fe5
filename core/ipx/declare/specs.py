"""Declarations of components: what a plugin's light module returns. Imports nothing heavy."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ipx.declare.capabilities import Capability
from ipx.declare.facts import Ask, Gain
from ipx.declare.options import NoOptions, Options
from ipx.declare.traits import Basis, Traits
from ipx.errors import PluginError

NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


def _check_capabilities(value: object, what: str) -> None:
    """Raise `PluginError` unless it is a tuple of capabilities."""
    if not isinstance(value, tuple) or not all(
        isinstance(c, type) and issubclass(c, Capability) for c in value
    ):
        raise PluginError(
            f"{what} must be a tuple of capability classes, such as (ipx.Value, ipx.Prox), "
            f"not {value!r}"
        )


@dataclass(frozen=True)
class Need:
    """Capabilities with which a solver works, and how good a choice it then is.

    Attributes:
        data: capabilities of the data term (`DataGrad`, ...), of the operator or the noise
            (`Spectrum`), or of the whole problem (`JointSolve`).
        prior: capabilities of the prior.
        rank: ``--solver auto`` takes the fitting need of highest rank, exact ones first.
        closed: exclude bridges with inner iterations.
        tolerance: relative residual required of an iterative bridge; 0 leaves it to the bridge.
    """

    data: tuple[type, ...]
    prior: tuple[type, ...]
    rank: int = 0
    closed: bool = False
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would fail in every plan."""
        _check_capabilities(self.data, "data of Need")
        _check_capabilities(self.prior, "prior of Need")
        for c in self.prior:
            if issubclass(c, Capability) and c.of not in ("prior", "problem"):
                raise PluginError(f"prior of Need: {c.__name__} is a capability of the {c.of}")


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What a tuner must know of a problem, and how good a choice it then is.

    Attributes:
        data: capabilities of operator and noise, such as `Quadratic` for Gaussian noise.
        lacks: such capabilities that exclude it.
        prior: capabilities of the prior.
        level: the noise level must be ``"told"``, or must have been ``"estimated"``.
        noisy: the data have noise of a size that is known or estimated; False for a rule that
            works on data free of noise, or known up to an interval, too.
        convex: the prior must be convex.
        truth: the clean image must be known; ``--tuner auto`` never takes such a tuner.
        rank: ``--tuner auto`` takes the fitting tuner of highest rank.
        because: why it is a good choice here, for the user: ``"the noise level is estimated"``.
    """

    data: tuple[type, ...] = ()
    lacks: tuple[type, ...] = ()
    prior: tuple[type, ...] = ()
    level: Literal["", "told", "estimated"] = ""
    noisy: bool = True
    convex: bool = False
    truth: bool = False
    rank: int = 0
    because: str = ""

    def __post_init__(self) -> None:
        """Refuse what would fail in every choice."""
        for what in ("data", "lacks", "prior"):
            _check_capabilities(getattr(self, what), f"{what} of Knowledge")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of all declarations.

    Attributes:
        name: ``[a-z0-9-]+``, unique within the plugin and kind.
        target: ``"package.module:Class"``, imported on first use.
        options: the options class.
        summary: one line, at most 80 characters.
        provides: the capabilities, a tuple or a function of the options that gives one.
        traits: the facts, or a function of the options that gives them.
        examples: options of the variants that the contract kit checks besides the defaults.
        source: where the method comes from (paper, equation).
        formula: what it computes, in one line of plain text.
        advice: when to take it, and when not, in a sentence or two.
        gains: of a prior, and of a solver that is its own prior: how good it is, and where.
            ``--prior auto`` goes by it.
        explains: the mark in a picture that speaks for it, see `ipx.jobs.explain`: of a noise
            ``noise``, ``growing noise``, ``outliers``, ``blocks`` or ``stripes``, of an operator
            ``blur`` or ``holes``.
    """

    kind: ClassVar[str] = "component"

    name: str
    target: str
    summary: str
    options: type[Options] = NoOptions
    provides: tuple[type, ...] | Callable[[Any], tuple[type, ...]] = ()
    traits: Traits | Callable[[Any], Traits] = field(default=Traits())
    examples: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    source: str = ""
    formula: str = ""
    advice: str = ""
    gains: tuple[Gain, ...] = ()
    explains: str = ""
    plugin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse what would fail later, in commands about other components."""
        if not callable(self.provides):
            _check_capabilities(self.provides, f"provides of {self.name}")
        if not (isinstance(self.traits, Traits) or callable(self.traits)):
            raise PluginError(f"traits of {self.name} must be ipx.Traits(...) or a function")
        for example in self.examples:
            if not isinstance(example, Mapping):
                raise PluginError(f"examples of {self.name} must be a tuple of tables of options")
        if not all(isinstance(m, Gain) for m in self.gains):
            raise PluginError(f"gains of {self.name} must be a tuple of ipx.Gain(...)")

    @property
    def id(self) -> str:
        """``plugin/name``, unique over all plugins."""
        return f"{self.plugin}/{self.name}"

    @property
    def origin(self) -> str:
        """How errors name it: ``prior tv of plugin tv``."""
        plugin = f" of plugin {self.plugin}" if self.plugin else ""  # none: made in code
        return f"{self.kind} {self.name}{plugin}"

    def capabilities(self, options: Options | None = None) -> frozenset[type]:
        """What the component can do with these options (the defaults when None)."""
        if not callable(self.provides):
            return frozenset(self.provides)
        return frozenset(self.provides(options if options is not None else self.options()))

    def traits_for(self, options: Options | None = None) -> Traits:
        """The traits with these options (the defaults when None)."""
        if isinstance(self.traits, Traits):
            return self.traits
        return self.traits(options if options is not None else self.options())

    def load(self) -> Any:
        """Import the class, or the function of a bridge.

        Raises:
            PluginError: when the module or the class does not exist.
        """
        return self._load(self.target)

    def _load(self, target: str) -> Any:
        module, _, name = target.partition(":")
        try:
            loaded = getattr(importlib.import_module(module), name)
        except ImportError as e:
            raise PluginError(f"{self.origin} cannot be imported: {e}") from e
        except AttributeError:
            raise PluginError(f"{self.origin}: module {module} has no {name}") from None
        if not callable(loaded):
            raise PluginError(f"{self.origin}: {target} is neither a class nor a function")
        return loaded


def _no_ask(options: Any) -> None:
    """The operator needs no description."""


@dataclass(frozen=True, kw_only=True)
class OperatorSpec(Spec):
    """A forward operator.

    Attributes:
        asks: what real data need to be told, for its options.
        measured: defaults of options for real data, where they differ from those of simulations:
            used for files that `ipx degrade` has not written.
        estimate: ``"package.module:function"`` that finds the options whose value is ``auto`` from
            the data y ``(1, C, H, W)`` and the options: it returns an `ipx.Estimate`. Capabilities
            and traits do not depend on what it finds.
        spacing: options that are the size of a pixel in micrometres, with the axis of each, -1 for
            columns, -3 for the depth: by default what the file of the data tells.
    """

    kind: ClassVar[str] = "operator"
    asks: Callable[[Any], Ask | None] = _no_ask
    measured: Mapping[str, Any] = field(default_factory=dict, hash=False)
    estimate: str = ""
    spacing: Mapping[str, int] = field(default_factory=dict, hash=False)

    def load_estimate(self) -> Any:
        """Import the function ``estimate``.

        Raises:
            PluginError: when there is none.
        """
        return self._load(self.estimate)


@dataclass(frozen=True, kw_only=True)
class NoiseSpec(Spec):
    """A noise model."""

    kind: ClassVar[str] = "noise"


@dataclass(frozen=True, kw_only=True)
class PriorSpec(Spec):
    """A prior.

    Attributes:
        prefers: the solvers that ``--solver auto`` takes first, best first; a tuple of names or a
            function of the options that gives one.
        last_resort: it invents nothing, so that it is returned to where a doubtful result predicts
            the data worse.
    """

    kind: ClassVar[str] = "prior"
    prefers: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    last_resort: bool = False

    def preferred(self, options: Options | None = None) -> tuple[str, ...]:
        """The preferred solvers with these options (the defaults when None)."""
        if not callable(self.prefers):
            return self.prefers
        return self.prefers(options if options is not None else self.options())


@dataclass(frozen=True, kw_only=True)
class SolverSpec(Spec):
    """A solver; ``needs`` are alternatives."""

    kind: ClassVar[str] = "solver"
    needs: tuple[Need, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would fail in every plan."""
        super().__post_init__()
        if not isinstance(self.needs, tuple) or not all(isinstance(n, Need) for n in self.needs):
            raise PluginError(
                f"needs of {self.name} must be a tuple of ipx.Need, as in (Need(...),), "
                f"not {self.needs!r}"
            )


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(SolverSpec):
    """A sampler of the posterior; ``needs`` are alternatives, as for a solver."""

    kind: ClassVar[str] = "sampler"


@dataclass(frozen=True, kw_only=True)
class TunerSpec(Spec):
    """A rule that chooses lam.

    Attributes:
        needs: what it must know, in alternatives.
        partial: it may leave images undecided, see `ipx.Tuned.decided`; ``--tuner auto`` then asks
            the next.
        compares: what its `ipx.Tuner.compare` must know to tell which prior restored better, in
            alternatives; ``--prior auto`` asks it. Empty if it cannot.
    """

    kind: ClassVar[str] = "tuner"
    needs: tuple[Knowledge, ...] = (Knowledge(),)
    partial: bool = False
    compares: tuple[Knowledge, ...] = ()

    @property
    def demands(self) -> bool:
        """True if an option has no default, so that nobody but the user can choose it."""
        return any(info.required for info in self.options.infos().values())

    def __post_init__(self) -> None:
        """Refuse what would fail in every choice."""
        super().__post_init__()
        known = isinstance(self.needs, tuple) and all(isinstance(n, Knowledge) for n in self.needs)
        if not known or not self.needs:
            raise PluginError(
                f"needs of {self.name} must be a tuple of ipx.Knowledge, as in (Knowledge(...),), "
                f"not {self.needs!r}"
            )


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """A trainable network.

    Attributes:
        weights: names of the trained weights that come with the plugin: files
            ``weights/MODEL-NAME.safetensors`` with their cards, in the package of ``target``.
        recipe: values of `ipx.training.Training` that suit this model better than the defaults.
    """

    kind: ClassVar[str] = "model"
    weights: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class GeneratorSpec(Spec):
    """A method that makes new pictures.

    Attributes:
        takes: what each picture is that it is given, in order: ``("content", "style")``.
        optional: the last so many of them may be left out.
        channels: numbers of channels that they may have, such as 1 for grey; empty for any.
    """

    kind: ClassVar[str] = "generator"
    takes: tuple[str, ...] = ()
    optional: int = 0
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AdapterSpec(Spec):
    """A bridge: a function that maps a problem to one with the capability ``gives``.

    Attributes:
        side: ``"data"`` (``needs`` are of operator and noise) or ``"prior"``.
        needs: capabilities that it requires.
        lacks: capabilities that exclude it.
        nonlinear: the operator behind it is not linear, and has no capabilities.
        widens: the unknown behind it is the image with further channels, which the operator
            ignores; see `ipx.planning.rules.widened`.
        basis: new value of the prior's trait ``basis``; None leaves it.
        weightless: the prior behind it has no weight.
        exact: False for an approximation, which ``--exact`` refuses.
        tolerance: relative residual or change at which it stops iterating; 0 for a closed form.
        rank: among bridges of equal exactness the highest is taken.
        cost: subtracted from the rank of a solver that uses it.
    """

    kind: ClassVar[str] = "adapter"
    side: Literal["data", "prior"]
    gives: type
    needs: tuple[type, ...]
    lacks: tuple[type, ...] = ()
    nonlinear: bool = False
    widens: bool = False
    basis: Basis | None = None
    weightless: bool = False
    exact: bool
    tolerance: float = 0.0
    rank: int = 0
    cost: int = 0

    def __post_init__(self) -> None:
        """Refuse what would fail in every plan."""
        super().__post_init__()
        for what, value in (("needs", self.needs), ("lacks", self.lacks), ("gives", (self.gives,))):
            _check_capabilities(value, f"{what} of {self.name}")

    def accuracy(self, asked: float = 0.0) -> str:
        """``exact``, ``iterative to 1e-05``, or ``approximate``; ``asked``: `Need.tolerance`."""
        if not self.exact:
            return "approximate"
        return f"iterative to {asked or self.tolerance:g}" if self.tolerance else "exact"
