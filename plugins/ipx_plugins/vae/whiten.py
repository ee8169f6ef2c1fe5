"""Whitening: a linear change of the code to mean 0 and covariance I over pictures."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ipx_plugins.vae.net import Net

_RIDGE = 1e-2


def whiten(net: Net, pictures: Iterable[Tensor]) -> None:
    """Change the linear layers next to the code, in place.

    After training, the aggregate posterior with covariance C = cov(mean) + E[var] differs from the
    prior: codes are correlated and not centred. Joint diagonalisation of C and E[var] gives the
    code A (z - c), with mean 0 and covariance I, whose posteriors are diagonal on average. The
    decoder inverts this map. The log-variances of the new code are not linear in the old ones, and
    are fitted by ridge regression.

    Args:
        net: trained network; it decodes the changed codes to the same pictures.
        pictures: batches ``(B, C, H, W)`` in [0, 1].
    """
    found = [net.encode(batch) for batch in pictures]
    mean = torch.cat([m for m, _ in found]).double()
    logvar = torch.cat([v for _, v in found]).double()
    n, center = mean.shape[1], mean.mean(0)
    within = torch.diag(logvar.exp().mean(0))
    whole = torch.cov(mean.T) + within
    # W^T whole W = I and W^T within W diagonal
    root = torch.linalg.inv(torch.linalg.cholesky(whole))
    _, turn = torch.linalg.eigh(root @ within @ root.T)
    change = turn.T @ root
    wanted = (logvar.exp() @ (change**2).T).log()
    about, middle = logvar - logvar.mean(0), wanted.mean(0)
    ridge = _RIDGE * len(about) * torch.eye(n, dtype=about.dtype, device=about.device)
    fit = torch.linalg.solve(about.T @ about + ridge, about.T @ (wanted - middle)).T

    weight, bias = net.code.weight.double(), net.code.bias.double()
    net.code.weight.copy_(torch.cat([change @ weight[:n], fit @ weight[n:]]))
    shifted = fit @ (bias[n:] - logvar.mean(0)) + middle
    net.code.bias.copy_(torch.cat([change @ (bias[:n] - center), shifted]))
    start = net.start[0]
    assert isinstance(start, torch.nn.Linear)
    back = start.weight.double()
    start.bias.add_((back @ center).to(start.bias))
    start.weight.copy_(back @ torch.linalg.inv(change))
