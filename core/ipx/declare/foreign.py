"""Declarations of what comes from elsewhere: weights, libraries. Imports nothing heavy."""

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
