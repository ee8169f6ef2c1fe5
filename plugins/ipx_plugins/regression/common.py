"""Base of the regression networks: losses and validation scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from ipx import Model, log_error, psnr
from ipx_plugins.regression import RegressionOptions
from ipx_plugins.regression.adversarial import Judged, critic_loss, fooling_loss
from ipx_plugins.regression.chroma import Chroma, bins
from ipx_plugins.regression.domain import multiple, seen_and_clean

D = TypeVar("D", bound=RegressionOptions)


class Regression(Model[D]):
    """A network ``net(x)`` that maps the preview of the data, in full size, to the picture.

    Losses, by the option ``loss``: log-l2, the mean log10 of the mean square error, so that easy
    pictures count like hard ones; l1 and l2, mean absolute and square errors; classes, see
    `Chroma`; adversarial, ``l1_weight`` |net(y) - x|_1 and a critic of pairs, see `Judged`.
    """

    def __init__(self, options: D | None = None, **values: object) -> None:
        super().__init__(options, **values)
        # mean PSNR favours no colour at all; the other losses are their own score
        self.higher_is_better = self.options.loss == "log-l2"
        self.score = "psnr" if self.higher_is_better else "error"

    @property
    def multiple(self) -> int:
        """Least common multiple of the super-resolution factors."""
        return multiple(self.options)

    @property
    def pairing(self) -> Literal["none", "pairs", "sets"]:
        """Pairs where the operator is that of the folder ``--inputs``."""
        return "pairs" if self.options.op == "pairs" else "none"

    def body(self, outputs: int) -> nn.Module:
        """The untrained network, for ``outputs`` channels.

        It is a change of its input where it has as many channels, and the prediction itself where
        it has more.
        """
        raise self.undefined("body")

    def network(self) -> nn.Module:
        """The untrained network, with what the loss adds to it."""
        o = self.options
        if o.loss == "classes":
            body = self.body(1 + len(bins(o.bins)[0]))
            return Chroma(body, o.bins, o.temperature)
        if o.loss == "adversarial":
            return Judged(self.body(o.colors), o.colors, o.critic)
        return self.body(o.colors)

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """The network; with loss adversarial the critic before it."""
        judged: Any = net
        if self.options.loss == "adversarial":
            return {"critic": judged.critic.parameters(), "net": judged.body.parameters()}
        return {"net": net.parameters()}

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Tensor | Mapping[str, Tensor]:
        """The loss of the critic, or of the network."""
        judged: Any = net
        seen, clean = seen_and_clean(batch, self.options, rng)
        if part == "critic":
            with torch.no_grad():
                made = judged(seen)
            return critic_loss(judged.critic, (seen, clean), (seen, made))
        return self._loss(net, seen, clean)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """The loss of the network."""
        return self._loss(net, *seen_and_clean(batch, self.options, rng))

    def _loss(self, net: nn.Module, seen: Tensor, clean: Tensor) -> Tensor:
        o, trained = self.options, net
        if isinstance(trained, Chroma):
            return trained.loss(seen, clean)
        made: Tensor = net(seen)
        if isinstance(trained, Judged):
            fooling = fooling_loss(trained.critic, (seen, made))
            return o.l1_weight * (made - clean).abs().mean() + fooling
        if o.loss == "l1":
            return (made - clean).abs().mean()
        if o.loss == "l2":
            return (made - clean).square().mean()
        return log_error(made, clean).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """PSNR in dB, and its gain over that of the preview; ``error`` of the other losses.

        That is the loss of classes, and the mean error, square or absolute, of the others.
        """
        seen, clean = seen_and_clean(batch, self.options, rng)
        made, trained = net(seen), net
        score = psnr(made, clean)
        scores = {"psnr": score, "gain": score - psnr(seen, clean)}
        if self.options.loss == "log-l2":
            return scores
        if isinstance(trained, Chroma):
            pairs = zip(torch.split(seen, 1), torch.split(clean, 1), strict=True)
            return {"error": torch.stack([trained.loss(a, b) for a, b in pairs]), **scores}
        away = made - clean
        error = away.square() if self.options.loss == "l2" else away.abs()
        return {"error": error.flatten(1).mean(1), **scores}
