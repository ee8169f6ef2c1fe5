"""Declarations of components: what a plugin's light module returns. Imports nothing heavy."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ipx.declare.options import NoOptions, Options
from ipx.declare.traits import Basis, Traits
from ipx.errors import PluginError

NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


@dataclass(frozen=True)
class Need:
    """One way in which a solver can work: what it asks, and how good a choice that is.

    Attributes:
        data: capabilities of the data term (`DataGrad`, `DataProx`, ...), or of operator or noise
            (`Spectrum`) or of the whole problem (`JointSolve`) where they make the difference.
        prior: capabilities of the prior.
        rank: ``--solver auto`` takes the fitting need of highest rank, exact ones first.
        closed: only over bridges without inner iterations.
    """

    data: tuple[type, ...]
    prior: tuple[type, ...]
    rank: int = 0
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every declaration has.

    Attributes:
        name: ``[a-z0-9-]+``, unique within the plugin and kind.
        target: ``"package.module:Class"``, imported on first use.
        options: the options class.
        summary: one line, at most 80 characters.
        provides: the capabilities, a tuple or a function of the options that gives one.
        traits: the facts, `Traits` or a function of the options that gives them.
        examples: options of the variants that the contract kit checks besides the defaults.
        source: where the method comes from (paper, equation).
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
    plugin: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """``plugin/name``, unique over all plugins."""
        return f"{self.plugin}/{self.name}"

    def capabilities(self, options: Options | None = None) -> frozenset[type]:
        """What the component can do with these options (the defaults when None)."""
        if not callable(self.provides):
            return frozenset(self.provides)
        return frozenset(self.provides(options if options is not None else self.options()))

    def facts(self, options: Options | None = None) -> Traits:
        """The traits with these options (the defaults when None)."""
        if isinstance(self.traits, Traits):
            return self.traits
        return self.traits(options if options is not None else self.options())

    def load(self) -> Any:
        """Import the class, or the function of a bridge.

        Raises:
            PluginError: when the module or the class does not exist.
        """
        module, _, name = self.target.partition(":")
        try:
            loaded = getattr(importlib.import_module(module), name)
        except ImportError as e:
            raise PluginError(
                f"{self.kind} {self.name} of plugin {self.plugin} cannot be imported: {e}"
            ) from e
        except AttributeError:
            raise PluginError(
                f"{self.kind} {self.name} of plugin {self.plugin}: module {module} has no {name}"
            ) from None
        if not callable(loaded):
            raise PluginError(f"{self.target} is neither a class nor a function")
        return loaded


@dataclass(frozen=True, kw_only=True)
class OperatorSpec(Spec):
    """A forward operator."""

    kind: ClassVar[str] = "operator"


@dataclass(frozen=True, kw_only=True)
class NoiseSpec(Spec):
    """A noise model."""

    kind: ClassVar[str] = "noise"


@dataclass(frozen=True, kw_only=True)
class PriorSpec(Spec):
    """A prior.

    ``prefers`` names solvers that ``--solver auto`` takes before all others that fit, the first
    first.
    """

    kind: ClassVar[str] = "prior"
    prefers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SolverSpec(Spec):
    """An algorithm, with what it needs in alternatives."""

    kind: ClassVar[str] = "solver"
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TunerSpec(Spec):
    """A rule that chooses lam without the truth."""

    kind: ClassVar[str] = "tuner"


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
class AdapterSpec(Spec):
    """A bridge: a function that maps a problem to one with the capability ``gives``.

    Attributes:
        side: ``"data"`` (needs of operator and noise together) or ``"prior"``.
        needs: capabilities that it works over.
        lacks: capabilities in whose presence it is not taken.
        removes: capabilities that operator and noise no longer have behind it.
        basis: the trait of this name behind it, where it changes the linear part of the prior.
        exact: False when it approximates; ``--exact`` refuses those.
        tolerance: relative residual to which it iterates; 0 for a closed form.
        rank: among bridges of equal exactness the highest is taken.
        cost: what a solver that works over it loses in rank.
    """

    kind: ClassVar[str] = "adapter"
    side: Literal["data", "prior"]
    gives: type
    needs: tuple[type, ...]
    lacks: tuple[type, ...] = ()
    removes: tuple[type, ...] = ()
    basis: Basis | None = None
    exact: bool
    tolerance: float = 0.0
    rank: int = 0
    cost: int = 0

    @property
    def accuracy(self) -> str:
        """``exact``, ``iterative to 1e-05``, or ``approximate``."""
        if not self.exact:
            return "approximate"
        return f"iterative to {self.tolerance:g}" if self.tolerance else "exact"


@dataclass(frozen=True, kw_only=True)
class IOSpec(Spec):
    """A file format for pictures.

    Attributes:
        suffixes: of its files, lower case, with the dot; the first is the usual one.
        dtypes: types of sample that it stores, the default first; none for a format that is
            only read.
        layouts: kinds of picture that it stores: grey ``L``, colour ``RGB``, with alpha ``LA``
            ``RGBA``, with colours multiplied by alpha ``La`` ``RGBa`` (the names of Pillow).
        magic: regular expression that the first bytes of its files match; empty when only the
            suffix tells.
        lossless: pixels come back bit for bit; only such files are read as masks and PSFs.
        viewable: image viewers show it; a panel may be such a file.
    """

    kind: ClassVar[str] = "io"
    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ("L", "RGB")
    magic: bytes = b""
    lossless: bool = True
    viewable: bool = True

    def __post_init__(self) -> None:
        """Refuse what would fail later, on files of other formats."""
        if not self.suffixes:
            raise PluginError(f"file format {self.name} declares no suffixes")
        re.compile(self.magic)
