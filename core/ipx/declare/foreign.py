"""Declarations of what is elsewhere: weights, libraries, workers. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipx.declare.specs import Spec
from ipx.errors import PluginError


@dataclass(frozen=True, kw_only=True)
class LayoutSpec(Spec):
    """A layout of trained weights in files of other projects, see `ipx.Layout`.

    Attributes:
        keys: names of tensors by which a file is recognised, after any common prefix such as
            ``module.``; nested tables and lists are joined by dots. Of several layouts that fit,
            the one with the longest keys is asked first.
    """

    kind: ClassVar[str] = "layout"
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what would fit every file."""
        super().__post_init__()
        if not isinstance(self.keys, tuple) or not all(self.keys) or not self.keys:
            raise PluginError(f"keys of {self.name} must be a tuple of names of tensors")


@dataclass(frozen=True, kw_only=True)
class LibrarySpec(Spec):
    """Another library whose objects work in ipx, and ours in it, see `ipx.Library`.

    Attributes:
        modules: top-level modules; objects of classes that are defined there, or are derived from
            such, are of this library.
        extra: the extra of ipx-toolbox that installs it; empty for none.
    """

    kind: ClassVar[str] = "library"
    modules: tuple[str, ...]
    extra: str = ""


@dataclass(frozen=True, kw_only=True)
class ExecutorSpec(Spec):
    """A way to run the units of a batch, see `ipx.Executor`.

    Attributes:
        clusters: the values of ``--cluster`` that it serves: a word such as ``local``, or the
            beginning of addresses, such as ``tcp://``. Empty for this machine without a cluster.
        extra: the extra of ipx-toolbox that installs what it needs; empty for none.
    """

    kind: ClassVar[str] = "executor"
    clusters: tuple[str, ...] = ()
    extra: str = ""

    def serves(self, cluster: str) -> bool:
        """True if a value of ``--cluster`` is for this executor."""
        return any(
            cluster.startswith(name) and cluster != name if "://" in name else cluster == name
            for name in self.clusters
        )

    @property
    def shown(self) -> list[str]:
        """The values as they are typed: ``tcp://HOST:PORT``."""
        return [f"{name}HOST:PORT" if "://" in name else name for name in self.clusters]
