"""Declarations of what is elsewhere: files, weights, libraries, workers. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ipx.declare.specs import Spec
from ipx.errors import PluginError


@dataclass(frozen=True, kw_only=True)
class IOSpec(Spec):
    """An image file format.

    Attributes:
        suffixes: file extensions, lower case, with the dot; the default first.
        dtypes: sample types that it stores, the default first; empty for a read-only format.
        layouts: grey ``L``, colour ``RGB``, with alpha ``LA`` ``RGBA``, with colours multiplied
            by alpha ``La`` ``RGBa`` (the names of Pillow); five or more ``bands``.
        magic: regular expression that the first bytes of its files match; empty if the suffix
            alone identifies them.
        lossless: pixels come back bit for bit; only such files are read as masks and PSFs.
        viewable: image viewers show it; a panel may be such a file.
        complex: it also holds complex numbers, which `Format.numbers` reads.
        stacks: it also holds stacks and volumes, which `Format.stack` reads.
        folders: endings of folders that are one image each. They are only read: `Format.decode`
            and the like are given a zip of their files, `Format.opened` the folder itself.
        extra: the extra of the distribution that it needs; empty for none. Messages propose such
            formats last.
    """

    kind: ClassVar[str] = "io"
    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ("L", "RGB")
    magic: bytes = b""
    lossless: bool = True
    viewable: bool = True
    complex: bool = False
    stacks: bool = False
    folders: tuple[str, ...] = ()
    extra: str = ""

    def __post_init__(self) -> None:
        """Refuse what would fail later, on files of any format."""
        super().__post_init__()
        if not self.suffixes:
            raise PluginError(f"file format {self.name} declares no suffixes")
        re.compile(self.magic)


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
