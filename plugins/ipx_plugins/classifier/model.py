"""The classifier as a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from ipx import LabelledModel, Shape, ShapeError
from ipx_plugins.classifier import ClassifierOptions


class Net(nn.Module):
    """Three convolutions with ReLU, the first two followed by maxima over 2 x 2, a linear layer."""

    def __init__(self, o: ClassifierOptions) -> None:
        super().__init__()
        w = o.width
        self.first = nn.Conv2d(o.colors, w, 5, padding=2)
        self.second = nn.Conv2d(w, 2 * w, 3, padding=1)
        self.third = nn.Conv2d(2 * w, 4 * w, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Linear(4 * w * (o.size // 8) ** 2, o.classes)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Activations ``(B, F, h, w)`` of each of `ipx_plugins.classifier.LAYERS`, after ReLU."""
        a = self.first(2 * x - 1).relu()
        b = self.second(self.pool(a)).relu()
        c = self.third(self.pool(b)).relu()
        return {"first": a, "second": b, "third": c}

    def deep(self, x: Tensor) -> Tensor:
        """What the linear layer is given, ``(B, n)``."""
        found: Tensor = self.pool(self.features(x)["third"]).flatten(1)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, classes)``."""
        told: Tensor = self.last(self.deep(x))
        return told


class Classifier(LabelledModel[ClassifierOptions]):
    """Cross-entropy of the labels; in training pictures are shifted at random."""

    score = "accuracy"
    higher_is_better = True

    @property
    def classes(self) -> int:
        """The option ``classes``."""
        return int(self.options.classes)

    @property
    def only_shape(self) -> Shape:
        """``(colors, size, size)``."""
        return (self.options.colors, self.options.size, self.options.size)

    @property
    def multiple(self) -> int:
        """The side of the pictures."""
        return int(self.options.size)

    def network(self) -> nn.Module:
        """The untrained network."""
        return Net(self.options)

    def labelled_loss(
        self, net: nn.Module, batch: Tensor, labels: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy in nats, with dropout of the last features."""
        n = cast("Net", net)
        deep = n.deep(shifted(batch, self.options.shift, rng))
        kept = 1 - self.options.dropout
        mask = torch.rand(deep.shape, generator=rng, device=deep.device) < kept
        return cross_entropy(n.last(deep * mask / kept), labels)

    def labelled_scores(
        self, net: nn.Module, batch: Tensor, labels: Tensor, rng: torch.Generator
    ) -> Mapping[str, Tensor]:
        """``accuracy``: 1 where the likeliest class is the label; ``nats``: cross-entropy."""
        logits = net(batch)
        return {
            "accuracy": (logits.argmax(1) == labels).float(),
            "nats": cross_entropy(logits, labels, reduction="none"),
        }

    def probabilities(self, net: nn.Module, x: Tensor) -> Tensor:
        """p(class | x), ``(B, classes)``.

        Raises:
            ShapeError: the pictures have another shape than those of the training.
        """
        if tuple(x.shape[1:]) != self.only_shape:
            raise ShapeError(
                f"this classifier is for pictures of shape {self.only_shape}, not "
                f"{tuple(x.shape[1:])}; scale or crop them"
            )
        p: Tensor = cast("Net", net)(x).softmax(1)
        return p


def shifted(x: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """All pictures moved by one random shift of at most ``most`` pixels, borders repeated."""
    if not most:
        return x
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=rng, device=x.device).tolist()
    h, w = x.shape[2:]
    return pad(x, [most] * 4, mode="replicate")[:, :, down : down + h, right : right + w]
