"""Small problems for every solver: run for five steps, or gone on with from a saved state.

``python resumed.py FOLDER``: goes on from the states in a folder, in this process.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import ipx
from ipx.declare.registry import registry
from ipx.errors import MissingExtraError, PlanError

PRIORS = ("tikhonov", "tv", "bm3d", "vae-joint", "whole-dct", "none")
OPERATORS: tuple[dict[str, object], ...] = (
    {"name": "blur"},
    {"name": "compressed-sensing", "share": 0.5},
    {"name": "tomography", "angles": 40},
    {"name": "spectral-inpaint", "share": 0.5},
    {"name": "inpaint", "kind": "box"},
    {"name": "super-resolution"},
)
STEPS = 5


def several_steps() -> list[Any]:
    """The solvers that have a second step, and so something to go on with."""
    return [s for s in registry().all("solver") if not s.load().one_shot]


def problems() -> Iterator[tuple[str, ipx.Problem, ipx.Solver[Any, Any]]]:
    """Name, attached problem and solver; those whose weights do not come with them are left out."""
    x = torch.linspace(0.1, 0.9, 64).expand(1, 3, 64, 64).contiguous()
    noise = ipx.noise("gaussian", sigma=0.02)
    for spec in several_steps():
        for choice, name in itertools.product(OPERATORS, PRIORS):
            options = dict(choice)
            operator = ipx.operator(str(options.pop("name")), (3, 64, 64), **options)
            y = noise.sample(operator(x), torch.Generator().manual_seed(0))
            solver = registry().create(spec)
            problem = ipx.Problem(y, operator, noise, ipx.prior(name), 1e-3)
            try:
                problem = ipx.attach(problem, ipx.plan_for(problem, solver))
                solver.init(problem)
            except (PlanError, MissingExtraError):
                continue
            yield spec.name, problem, solver
            break


def go_on(problem: ipx.Problem, solver: ipx.Solver[Any, Any], state: Any, steps: int) -> Any:
    for _ in range(steps):
        state = solver.step(problem, state)
    return state


def main(folder: Path) -> None:
    for name, problem, solver in problems():
        state = go_on(problem, solver, ipx.load_state(folder / f"{name}.state"), 2)
        ipx.save_state(folder / f"{name}.resumed", state)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
