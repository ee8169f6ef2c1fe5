"""The synthesis formulation: the picture is D(z)."""

from __future__ import annotations

from torch import Tensor

from ipx import image_sum
from ipx_plugins.generative import GenerativeOptions
from ipx_plugins.generative.network import Formulation


class Synthesis(Formulation[GenerativeOptions]):
    """min_z f(D(z)) + lam |z|^2 (Bora et al. 2017, equation 3; Asim et al. 2020, equation 6).

    With lam half the variance of the noise, the minimiser is the MAP estimate of z. For a flow the
    objective is the same function of x as that of `Analysis`, but algorithms behave differently:
    steps in z are steps in x with the metric of D.
    """

    def code_value(self, z: Tensor) -> Tensor:
        """|z|^2, ``(B,)``."""
        return image_sum(z * z)

    def code_grad(self, z: Tensor) -> Tensor:
        """2 z."""
        return 2 * z
