"""``ipx bench seeds``: all methods on five tasks and three noise levels, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipx import hookimpl

if TYPE_CHECKING:
    import click

SIGMAS = (0.0, 0.02, 0.05)
MASKS = ("pixels", "square")
GRIDS = ("blur", "sr2", "sr4")


@dataclass(frozen=True)
class Task:
    """A restoration task: a heading and an operator."""

    title: str
    operator: dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Attributes:
        title: heading of the row.
        name: name of a prior, or of a function in methods.py.
        function: True if the name is that of a function.
        solver: the solver of a method without a prior.
        model: the generative model whose weights it needs.
        tasks: the tasks it applies to; all if empty.
    """

    title: str
    name: str
    function: bool = False
    solver: str = ""
    model: str = ""
    tasks: tuple[str, ...] = ()


TASKS = {
    "blur": Task(
        "blur 7x7", {"name": "blur", "kind": "uniform", "size": 7, "boundary": "circular"}
    ),
    "sr2": Task("SR x2", {"name": "super-resolution", "factor": 2, "filter": "mean"}),
    "sr4": Task("SR x4", {"name": "super-resolution", "factor": 4, "filter": "mean"}),
    "pixels": Task("60 % missing", {"name": "inpaint", "kind": "pixels", "missing": 0.6}),
    "square": Task("square 10x10", {"name": "inpaint", "kind": "box", "box": [10, 10]}),
}


def _of(model: str, title: str, *formulations: str) -> dict[str, Method]:
    names = [f"{model}-{f}" for f in formulations]
    return {n: Method(f"{title} {n.partition('-')[2]}", n, model=model) for n in names}


METHODS = {
    "degraded": Method("degraded", "degraded", function=True),
    "bicubic": Method("bicubic", "none", solver="bicubic", tasks=("sr2", "sr4")),
    "harmonic": Method("harmonic", "none", solver="harmonic", tasks=MASKS),
    "biharmonic": Method("biharmonic", "none", solver="biharmonic", tasks=MASKS),
    "wiener": Method("Wiener", "smooth", tasks=GRIDS),
    "tv": Method("TV", "tv"),
    "wavelet": Method("wavelet", "wavelet"),
    "bm3d": Method("BM3D-PnP", "bm3d"),
    "drunet": Method("DRUNet-PnP", "drunet"),
    "unrolled-admm": Method("unrolled ADMM", "none", solver="unrolled-admm"),
    "pca": Method("PCA-Gaussian", "pca", function=True),
    **_of("glow", "Glow", "synthesis", "analysis", "map", "hqs"),
    **_of("vae", "VAE", "synthesis", "analysis"),
    **_of("gan", "GAN", "synthesis", "analysis"),
}
"""Rows in the order of the table. Any other prior is a method too, by its own name."""

QUICK = {
    "count": 4,
    "tasks": ("blur", "pixels"),
    "sigmas": (0.02,),
    "methods": ("degraded", "harmonic", "biharmonic", "wiener", "tv"),
}


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``seeds`` to ``ipx bench``."""
    import click

    from ipx_plugins.seeds.command import seeds

    bench = cli.commands["bench"]
    assert isinstance(bench, click.Group)
    bench.add_command(seeds)
