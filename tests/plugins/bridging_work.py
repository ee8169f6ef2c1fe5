"""The bridges, the work."""

import torch
from bridging import Pull

from ipx import DataProx, Prior, Prox, Value, image_sum, per_image, using


class GreyWorld(Prior):
    def value(self, x):
        return image_sum((x - 0.5) ** 2) / 2

    def pull(self, x, share):
        return torch.lerp(x, torch.full_like(x, 0.5), share)


class Pulled(Prior):
    """A prior that pulls, with a prox."""

    provides = (Value, Prox)

    def __init__(self, prior):
        super().__init__()
        self.prior, self.traits = prior, prior.traits

    def value(self, x):
        return using(self.prior, Value).value(x)

    def prox(self, x, t):
        t = torch.as_tensor(per_image(t, x), dtype=x.dtype)
        return using(self.prior, Pull).pull(x, t / (1 + t))


class Rough:
    def __init__(self, operator, noise, y):
        self.operator, self.noise, self.y = operator, noise, y

    def prox(self, v, t, guess=None):
        return v


def pull_prox(problem):
    return problem.changed(prior=Pulled(problem.prior))


def rough_prox(problem):
    return problem.with_way(DataProx, Rough)
