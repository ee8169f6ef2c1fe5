"""Small generative models and numbers for their tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import ipx

SMALL = {"size": 16, "latent": 6, "width": 4}
MODELS = ["vae", "gan"]
OBJECTIVES = ["minimax", "non-saturating", "least-squares", "wasserstein-gp"]


def started(name: str, **values: Any) -> tuple[Any, nn.Module]:
    """A small model and a network of it."""
    model: Any = ipx.model(name, **{**SMALL, **values})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model, model.network()


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
