"""The base of the classes that plugins declare: how errors name them. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipx.errors import PluginError

if TYPE_CHECKING:
    from ipx.declare.specs import Spec


class Declared:
    """Base of components, file formats and executors."""

    kind: ClassVar[str] = ""
    declaration: Spec | None = None

    @property
    def origin(self) -> str:
        """How errors name it: by its declaration, or by its class."""
        return type(self).__name__ if self.declaration is None else self.declaration.origin

    def undefined(self, method: str) -> PluginError:
        """The error of a method that every subclass defines."""
        return PluginError(f"{self.origin}: {type(self).__name__} has no method {method}")
