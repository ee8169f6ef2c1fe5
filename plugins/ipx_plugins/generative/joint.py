"""The joint prior of picture and code."""

from __future__ import annotations

import torch

from ipx_plugins.generative import JointOptions
from ipx_plugins.generative.analysis import DEVIATION
from ipx_plugins.generative.network import Formulation


class Joint(Formulation[JointOptions]):
    """-log p(x, z) = |x - D(z)|^2 / (2 gamma^2) + |z|^2 / 2 (Gonzalez et al. 2022, equation 8).

    It is a function of two unknowns; solver ``jpmap`` minimises over both.
    """

    def deviation(self) -> float:
        """gamma, in image units."""
        own = self.generator.deviation(self.net(torch.zeros(())))
        return self.options.gamma or own or DEVIATION
