"""Checks of layouts of weights."""

from __future__ import annotations

from pathlib import Path

import torch

from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.parts.imports import recognised
from ipx.parts.layout import Imported
from ipx.testing.common import Checks, draw, require


class LayoutChecks(Checks):
    """On the example that the layout gives."""

    def _read(self) -> Imported:
        tensors, name = self.made.example()
        found: Imported | None = self.made.read(dict(tensors), name)
        require(found is not None, "it does not recognise its own example")
        assert found is not None
        return found

    def keys(self) -> None:
        """The example is taken for this layout among all, also behind a prefix."""
        tensors, name = self.made.example()
        for prefix in ("", "state.", "module."):
            told = {prefix + key: value for key, value in tensors.items()}
            spec, _ = recognised(told, Path(name))
            require(spec.id == self.spec.id, f"its example is taken for {spec.id}")

    def reads(self) -> None:
        """The weights fit a network of the model, which runs; the example stays as it was."""
        tensors, name = self.made.example()
        kept = {key: value.clone() for key, value in tensors.items()}
        found = self.made.read(tensors, name)
        require(all(torch.equal(kept[k], v) for k, v in tensors.items()), "it changes its tensors")
        require(found is not None, "it does not recognise its own example")
        spec = registry().get("model", found.model)
        assert isinstance(spec, ModelSpec)
        model = registry().create(spec, options=spec.options.from_mapping(found.options))
        net = model.trained(found.tensors)
        side = -(-16 // model.multiple) * model.multiple
        x = draw(0, 2, model.colors, side, side).float()
        with torch.no_grad():
            out = net(x, torch.full((2, 1, 1, 1), 0.1))
        good = out.shape == x.shape and bool(out.isfinite().all())
        require(good, f"the network gives {tuple(out.shape)} for {tuple(x.shape)}")

    def remarks(self) -> None:
        """Remarks are single lines."""
        for line in self._read().remarks:
            require(line.strip() and "\n" not in line, f"remark {line!r} is no line")


checks = LayoutChecks.of
