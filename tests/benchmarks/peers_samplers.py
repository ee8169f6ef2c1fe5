"""Draws from one Gaussian posterior, 64x64: blur of 1.5 pixels, noise 0.02, the prior `smooth`.

All samplers have the same data, the same operator (that of ipx) and posterior. ESS is the effective
sample size of the slowest of 8 bands of cosine waves, as in `samplers.py`, for a second of CPU time
of one thread, warm-up included. "std" is the mean deviation of a pixel over the exact one (from
1000 draws of `gibbs`): below 1 the intervals are too narrow. Steps of unadjusted Langevin samplers
are 0.98 / L, those of SK-ROCK 0.8 of the largest stable one, with 15 stages. DeepInverse needs
torchvision; where there is none an empty module stands for it, which samplers do not use.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import torch
from common import photograph, publish
from samplers import STAGES, WAVES, waves
from torch import Tensor

import ipx
from ipx.numerics.mixing import ess

SIZE, SIGMA, LAM = 64, 0.02, 0.05
STEEPEST = (1 + 8 * LAM) / SIGMA**2
"""The largest curvature of -log p."""

STRIDE = (STAGES - 0.5) ** 2 * (2 - 4 / 3 * 0.05) - 1.5
"""The largest stable step of SK-ROCK with damping 0.05, times `STEEPEST`."""

Draws = Callable[[], Tensor]
"""Makes draws ``(n, 64, 64)``."""


def problem() -> ipx.Problem:
    """The posterior, in double precision."""
    x = torch.as_tensor(photograph("camera", SIZE)).double()[None, None]
    operator = ipx.operator("blur", (1, SIZE, SIZE), sigma=1.5)
    noise = ipx.noise("gaussian", sigma=SIGMA)
    y = noise.sample(operator.forward(x), torch.Generator().manual_seed(0))
    return ipx.Problem(y, operator, noise, ipx.prior("smooth"), LAM)


def slope(x: Tensor) -> Tensor:
    """The gradient of |D x|^2 / (2 T) times lam."""
    part: Any = ipx.prior("smooth").quadratic_part((1, SIZE, SIZE))  # type: ignore[attr-defined]
    return LAM / SIGMA**2 * part.adjoint(part.forward(x))


def ours(p: ipx.Problem, start: Tensor) -> Iterator[tuple[str, Draws]]:
    """The samplers of ipx."""
    for name, draws, thin in (("gibbs", 300, 1), ("skrock", 300, 1), ("hmc", 300, 1),
                              ("ula", 300, 10)):  # fmt: skip

        def run(name: str = name, draws: int = draws, thin: int = thin) -> Tensor:
            kept = ipx.sample(
                p, ipx.sampler(name), start=start, draws=draws, chains=1, thin=thin, keep=draws,
                warmup=0 if name == "gibbs" else draws * thin // 4,
            ).samples  # fmt: skip
            return torch.cat(kept)[:, 0]

        yield f"ipx, `{name}`", run


def cuqipy(p: ipx.Problem, start: Tensor) -> Iterator[tuple[str, Draws]]:
    """Those of CUQIpy, on its Gaussian Markov random field; its NUTS fails with NumPy 2."""
    import cuqi

    geometry = cuqi.geometry.Image2D((SIZE, SIZE))
    op: Any = p.operator

    def through(f: Callable[[Tensor], Tensor]) -> Callable[[Any], Any]:
        return lambda v: f(torch.from_numpy(np.array(v)).view(1, 1, SIZE, SIZE)).numpy().ravel()

    model = cuqi.model.LinearModel(
        through(op.forward), through(op.adjoint), range_geometry=geometry, domain_geometry=geometry
    )
    x = cuqi.distribution.GMRF(
        np.zeros(SIZE**2), LAM / SIGMA**2, bc_type="neumann", geometry=geometry, name="x"
    )
    y = cuqi.distribution.Gaussian(model(x), SIGMA**2, geometry=geometry, name="y")
    target = cuqi.distribution.JointDistribution(x, y)(y=p.y.numpy().ravel())
    first = start.numpy().ravel()
    step = 0.98 / STEEPEST
    kinds = (
        ("LinearRTO", {"maxit": 100}, 100, 1),
        ("ULA", {"scale": 2 * step}, 3000, 10),
    )
    for name, options, steps, thin in kinds:

        def run(
            name: str = name, options: Any = options, steps: int = steps, thin: int = thin
        ) -> Tensor:
            sampler = getattr(cuqi.sampler, name)(target, initial_point=first, **options)
            sampler.warmup(steps // 4)
            sampler.sample(steps)
            found = sampler.get_samples().samples[:, -steps::thin]
            return torch.from_numpy(np.array(found)).T.reshape(-1, SIZE, SIZE)

        yield f"CUQIpy, {name}", run


def deepinv(p: ipx.Problem, start: Tensor) -> Iterator[tuple[str, Draws]]:
    """Those of DeepInverse, with the same slope of the prior."""
    _without_torchvision()
    from deepinv.optim import L2, Prior
    from deepinv.physics import LinearPhysics
    from deepinv.sampling import ULA, SKRock

    class Smooth(Prior):  # type: ignore[misc]
        def grad(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            return slope(x)

    op: Any = p.operator
    physics = LinearPhysics(A=op.forward, A_adjoint=op.adjoint)
    for name, kind, step, steps, thin in (
        ("ULA", ULA, 0.98, 3000, 10),
        ("SKRock", SKRock, 0.8 * STRIDE, 300, 1),
    ):

        def run(
            kind: Any = kind, step: float = step, steps: int = steps, thin: int = thin
        ) -> Tensor:
            found: list[Tensor] = []

            def keep(state: dict[str, Tensor]) -> Tensor:
                found.append(state["x"][:, 0].clone())
                return state["x"]

            more = {"inner_iter": STAGES} if kind is SKRock else {}
            sampler = kind(
                Smooth(), L2(sigma=SIGMA), step_size=step / STEEPEST, max_iter=steps * 5 // 4,
                thinning=thin, burnin_ratio=0.2, clip=None, **more,
            )  # fmt: skip
            with torch.no_grad():
                sampler.sample(p.y, physics, x_init=start, seed=0, g_statistics=keep)
            return torch.cat(found[1:])  # the first is the start

        yield f"DeepInverse, {name}", run


def _without_torchvision() -> None:
    """Let DeepInverse be imported where torchvision is not installed."""
    if importlib.util.find_spec("torchvision") is not None:
        return

    class Empty(ModuleType):
        __path__: ClassVar[list[str]] = []

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(
            self, name: str, path: Sequence[str] | None, target: Any = None
        ) -> importlib.machinery.ModuleSpec | None:
            found = name.partition(".")[0] == "torchvision"
            return importlib.machinery.ModuleSpec(name, self) if found else None

        def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
            return Empty(spec.name)

        def exec_module(self, module: ModuleType) -> None:
            return None

    sys.meta_path.append(Finder())


def slowest(draws: Tensor) -> float:
    """The effective sample size of the slowest band of waves."""
    values = torch.stack([wave(draws[:, None]) for wave in waves(SIZE).values()], 1)
    each = ess(values[None])
    return float((1 / (1 / each).view(-1, WAVES).mean(1)).min())


def main() -> None:
    """Every sampler that is installed."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    p = problem()
    start = ipx.iterate(p, ipx.solver("cg")).x
    exact = ipx.sample(p, ipx.sampler("gibbs"), draws=1000).std.mean()
    rows, missing = [], []
    for library in (ours, cuqipy, deepinv):
        try:
            runs = list(library(p, start))
        except ImportError as e:
            missing.append(f"{library.__name__}: {e}")
            continue
        for name, run in runs:
            began = time.process_time()
            draws = run()
            seconds = time.process_time() - began
            size = slowest(draws)
            ratio = float(draws.std(0).mean() / exact)
            cells = (name, len(draws), f"{size:.0f}", f"{size / seconds:.2f}", f"{ratio:.3f}",
                     f"{seconds:.1f}")  # fmt: skip
            rows.append(f"| {' | '.join(map(str, cells))} |")
            print(rows[-1], flush=True)
    head = "| sampler | draws | ESS | ESS a second | std | s |\n" + "|---" * 6 + "|\n"
    text = f"{(__doc__ or '').strip()}\n\n{head}" + "\n".join(rows)
    text += "".join(f"\n\nNot installed: {line}" for line in missing)
    packages = [n for n in ("cuqipy", "deepinv") if not any(n in m for m in missing)]
    publish("peers_samplers", "Samplers against other libraries", text, tuple(packages))


if __name__ == "__main__":
    main()
