"""Layouts of trained weights in files of other projects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ipx.parts.component import Component, O


@dataclass(frozen=True)
class Imported:
    """Weights in the form of one of our models.

    Attributes:
        model: name of the model, ``plugin/name`` or unique.
        options: its options, where they differ from the defaults.
        tensors: the state of its network.
        remarks: what was assumed, one line each; each says which option of the model tells it.
    """

    model: str
    options: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    remarks: tuple[str, ...] = ()


class Layout(Component[O]):
    """Base of all layouts: reads the tensors of a file as the weights of a model."""

    kind = "layout"

    def read(self, tensors: Mapping[str, Tensor], name: str) -> Imported | None:
        """The weights as those of a model.

        Args:
            tensors: by name, without what stands before the ``keys`` of the declaration.
            name: of the file, without folder and extension; it may tell the noise level.

        Returns:
            None if it is another layout after all.

        Raises:
            InputError: it is this layout, in a variant that no model has.
        """
        raise self.undefined("read")

    def example(self) -> tuple[Mapping[str, Tensor], str]:
        """Tensors of a small network in this layout, and a name; the contract kit reads them."""
        raise self.undefined("example")
