"""The dictionary and its training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ipx import Model
from ipx_plugins.dictionary import AtomsOptions
from ipx_plugins.dictionary.learning import Online, cosines
from ipx_plugins.dictionary.patches import centred, places
from ipx_plugins.dictionary.pursuit import pursued


class Atoms(nn.Module):
    """Unit atoms of mean 0, ``(K, side^2)``."""

    def __init__(self, side: int, count: int) -> None:
        super().__init__()
        self.side = side
        self.atoms = nn.Parameter(cosines(side, count).float())

    def forward(self, images: Tensor, stride: int) -> Tensor:
        """Patches of grey images ``(B, 1, H, W)`` without their means, ``(B, N, side^2)``."""
        height, width = images.shape[-2:]
        where = places(height, width, self.side, stride).to(images.device)
        return centred(images.flatten(1)[:, where])[0]


class Dictionary(Model[AtomsOptions]):
    """Grey patches without their means are sums of few atoms.

    The loss is the mean square of what the best ``sparsity`` atoms leave. Gradient steps only
    begin the training; at its end atoms are found by `Online`.
    """

    score = "psnr"
    higher_is_better = True

    def network(self) -> nn.Module:
        """Cosines."""
        return Atoms(self.options.side, self.options.atoms)

    @property
    def colors(self) -> int:
        """1: the patches are grey."""
        return 1

    @property
    def multiple(self) -> int:
        """The side of a patch, so that each image has one."""
        return self.options.side

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean square of the rest; the codes count as constants."""
        return self._squares(net, batch).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``psnr``: of the sparse sums, in dB, ``(B,)``."""
        return {"psnr": -10 * self._squares(net, batch).clamp_min(1e-12).log10()}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Online learning, one pass over the patches of the images."""
        assert isinstance(net, Atoms)
        known = Online.of(_unit(net.atoms.detach()))
        for step, batch in enumerate(pictures):
            patches = net(batch, max(self.options.side // 2, 1)).flatten(0, 1)
            known = known.updated(patches, self.options.sparsity, (step + 1) ** -0.8)
        net.atoms.data = known.atoms
        return True

    def _squares(self, net: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(net, Atoms)
        patches = net(batch, max(self.options.side // 2, 1))
        flat, atoms = patches.flatten(0, 1), _unit(net.atoms)
        with torch.no_grad():
            codes = pursued(flat, atoms, self.options.sparsity)
        chosen = atoms[codes.index.clamp_min(0)]
        rest = flat - torch.einsum("nk,nkd->nd", codes.value, chosen)
        error: Tensor = rest.square().mean(1).view(len(batch), -1).mean(1)
        return error


def _unit(atoms: Tensor) -> Tensor:
    """Atoms of mean 0 and norm 1."""
    away = centred(atoms)[0]
    unit: Tensor = away / away.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit
