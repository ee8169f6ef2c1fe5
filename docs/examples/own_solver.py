"""
My own solver
=============

A solver gives a state and a step. Stopping, the choice of the weight and the progress line are the
work of ipx.
"""

# %%
# The accelerated proximal gradient method with a step that reads like the paper (Beck and Teboulle,
# SIAM J. Imaging Sci. 2, 2009, equations 4.1 to 4.3).
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import torch
from skimage import data, img_as_float

import ipx


@dataclass(frozen=True)
class FastState(ipx.State):
    """The image x, the extrapolated image z, and the number t of equation 4.2."""

    z: torch.Tensor
    t: float


class Fast(ipx.Solver):
    """FISTA."""

    needs = (ipx.Need(data=(ipx.DataGrad,), prior=(ipx.Prox,)),)
    iterations = 200

    def init(self, problem):
        x = problem.start()
        return FastState(x, x, 1.0)

    def step(self, problem, s):
        step = 1 / problem.data.lipschitz()
        x = problem.prior.prox(s.z - step * problem.data.grad(s.z), step * problem.lam)
        t = (1 + (1 + 4 * s.t**2) ** 0.5) / 2
        return FastState(x, x + (s.t - 1) / t * (x - s.x), t)


# %%
# Without momentum it is the proximal gradient method, for comparison.
class Slow(Fast):
    """ISTA: t stays 1."""

    def step(self, problem, s):
        return replace(super().step(problem, s), t=1.0)


# %%
# The objective of each step comes from an observer.
truth = img_as_float(data.camera())[60:124, 200:264]
blur = {"name": "blur", "sigma": 1.5}
y = ipx.degrade(truth, op=blur, noise={"name": "gaussian", "sigma": 0.02})
sparse = {"name": "wavelet", "invariant": False}
curves = {}
for name, solver in {"Fast": Fast(), "Slow": Slow()}.items():
    curve = curves[name] = []
    watch = [lambda now, curve=curve: curve.append(float(now.objective[0]))]
    how = ipx.solve(
        y, op=blur, prior=sparse, lam=0.002, solver=solver, observers=watch, tol=0, iterations=60
    )
    print(name, *how.plan.lines(), sep="\n  ")

# %%
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
least = min(map(min, curves.values()))
for name, curve in curves.items():
    axis.semilogy([v - least + 1e-6 for v in curve], label=name)
axis.set(xlabel="iteration", ylabel="objective above the least")
axis.legend()

# %%
# ``ipx.toolkit`` has what most solvers need besides: line searches, penalties, residuals.
