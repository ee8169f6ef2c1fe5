"""Declarations of components: what a plugin's light module returns. Imports nothing heavy."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ipx.declare.options import NoOptions, Options
from ipx.errors import PluginError

NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


@dataclass(frozen=True)
class Need:
    """One way in which a solver can work: what it asks, and how good a choice that is.

    Attributes:
        data: capabilities of the data term (`DataGrad`, `DataProx`, ...), or of operator or noise
            (`Spectrum`) where they make the difference.
        prior: capabilities of the prior.
        rank: ``--solver auto`` takes the fitting need of highest rank, exact ones first.
    """

    data: tuple[type, ...]
    prior: tuple[type, ...]
    rank: int = 0


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every declaration has.

    Attributes:
        name: ``[a-z0-9-]+``, unique within the plugin and kind.
        target: ``"package.module:Class"``, imported on first use.
        options: the options class.
        summary: one line, at most 80 characters.
        provides: the capabilities, a tuple or a function of the options that gives one.
        source: where the method comes from (paper, equation).
    """

    kind: ClassVar[str] = "component"

    name: str
    target: str
    summary: str
    options: type[Options] = NoOptions
    provides: tuple[type, ...] | Callable[[Any], tuple[type, ...]] = ()
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

    def load(self) -> type[Any]:
        """Import the class.

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
        if not isinstance(loaded, type):
            raise PluginError(f"{self.target} is not a class")
        return loaded


@dataclass(frozen=True, kw_only=True)
class OperatorSpec(Spec):
    """A forward operator. ``signed`` is True where data of pictures may be negative."""

    kind: ClassVar[str] = "operator"
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class NoiseSpec(Spec):
    """A noise model. ``counts`` is True where the data are counts of photons or the like."""

    kind: ClassVar[str] = "noise"
    counts: bool = False


@dataclass(frozen=True, kw_only=True)
class PriorSpec(Spec):
    """A prior. ``suits`` says which pictures it describes; checks are run on such a picture.

    ``weighted`` is False where the weight lam has no effect (no prior, a constraint).
    ``informs`` is False for the prior that says nothing at all, ``pixelwise`` True for one that
    looks at each pixel by itself.
    """

    kind: ClassVar[str] = "prior"
    suits: Literal["photograph", "sparse", "face"] = "photograph"
    weighted: bool = True
    informs: bool = True
    pixelwise: bool = False


@dataclass(frozen=True, kw_only=True)
class SolverSpec(Spec):
    """An algorithm, with what it needs in alternatives.

    ``own_prior`` is True for a trained network, which knows what pictures look like: it runs with
    prior none, and only when it is named.
    """

    kind: ClassVar[str] = "solver"
    needs: tuple[Need, ...] = ()
    own_prior: bool = False


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
    """A bridge: makes the capability ``gives`` out of ``needs``.

    Attributes:
        side: ``"data"`` (needs of operator and noise together) or ``"prior"``.
        exact: False when it approximates; ``--exact`` refuses those.
        rank: among bridges of equal exactness the highest is taken.
    """

    kind: ClassVar[str] = "adapter"
    side: Literal["data", "prior"]
    gives: type
    needs: tuple[type, ...]
    exact: bool
    rank: int = 0


KINDS: dict[str, type[Spec]] = {
    s.kind: s
    for s in (OperatorSpec, NoiseSpec, PriorSpec, SolverSpec, TunerSpec, ModelSpec, AdapterSpec)
}
