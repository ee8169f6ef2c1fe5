"""A linear change of the code after which the codes of pictures are N(0, I) on average."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ipx_plugins.vae.net import Net

_RIDGE = 1e-2


def whiten(net: Net, pictures: Iterable[Tensor]) -> None:
    """Change the linear layers next to the code, in place.

    The mean posterior, of covariance C = cov(mean) + E[var], seldom is the prior: training ends
    with codes that are correlated and not centred. Diagonalising C and E[var] at once gives the
    code A (z - c), of mean 0 and covariance I, whose posteriors are diagonal on average. The
    decoder undoes it; the logarithms of the new variances, no linear function of the old, are
    fitted by ridge regression.

    Args:
        net: trained; it decodes the same pictures from the changed codes.
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
