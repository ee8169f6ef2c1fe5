"""Settings of a restoration besides the components and lam, declared once as options.

The keyword arguments of `ipx.solve`, the options of ``ipx solve``, and the keys of configuration
files and records are generated from this class.
"""

from __future__ import annotations

import re
from typing import Literal

from ipx.declare.options import Options, opt
from ipx.errors import OptionError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


class SolveSettings(Options):
    """Settings of a restoration."""

    iterations: int | None = opt(
        default=None,
        min=1,
        max=10_000_000,
        help="Largest number of iterations; by default that of the solver.",
    )
    tol: float | None = opt(
        default=None,
        min=0.0,
        help="Stop at this fixed-point residual, 0: never; by default that of the solver, mostly "
        "1e-4.",
    )
    start: str = opt(
        default="auto",
        help="Start: auto (the prior's default), preview (the data as an image), mean or random "
        "(an image of a generative prior), or the restoration with another prior, by its name.",
    )
    restarts: int = opt(
        default=1,
        min=1,
        max=1000,
        help="Number of random starts (with start random); the lowest objective is kept.",
    )
    keep: Literal["last", "best"] = opt(
        default="last",
        help="Iterate to return: the last, or the one of lowest objective among every tenth.",
    )
    exact: bool = opt(
        default=False, help="Refuse approximate bridges; iterative ones state their tolerance."
    )
    seed: int = opt(default=0, min=0, help="Seed of the simulated noise and of random starts.")
    device: str | None = opt(
        default=None, help="Device: cpu, cuda, cuda:1, mps, or auto: the fastest there is."
    )
    dtype: Literal["float32", "float64", "uint8", "uint16"] | None = opt(
        default=None,
        help="float32, float64: precision, by default float64 for data of more than 24 significant "
        "bits, else float32. uint8, uint16: samples of the output, [0, 1] as their full range.",
    )

    axes: str | None = opt(
        default=None,
        help="Axes of a stack or a volume, by letters: T pictures that are restored one by one, Z "
        "the depth of a volume, Y rows, X columns, C channels; in their order, such as TYX, ZYX, "
        "CYX. By default what the file tells.",
    )
    planes: Literal["alike", "own"] = opt(
        default="alike",
        help="Pictures of a stack have one noise level and one weight (alike), or each its own.",
    )
    estimate: Literal["map", "mmse", "median"] = opt(
        default="map",
        help="Estimate: the minimiser (map), or the mean (mmse) or median of the posterior.",
    )
    interval: float | None = opt(
        default=None,
        above=0.0,
        max=99.9,
        unit="percent",
        help="Also the bounds between which each pixel lies with this probability.",
    )
    samples: int = opt(
        default=0, min=0, max=10_000, help="Number of draws from the posterior to write."
    )
    claim: str | None = opt(
        default=None,
        help="The probability of a statement, such as 'mean(x[40:60,10:30]) > 0.5'; several are "
        "separated by ;.",
    )
    draws: int | None = opt(
        default=None,
        min=1,
        max=10_000_000,
        help="Draws from the posterior, of all chains; by default that of the sampler.",
    )
    chains: int | None = opt(
        default=None,
        min=1,
        max=100,
        help="Number of Markov chains; by default 2, or 1 for independent draws.",
    )
    thin: int | None = opt(
        default=None,
        min=1,
        max=1_000_000,
        help="Steps between two draws; by default that of the sampler.",
    )
    warmup: int | None = opt(
        default=None,
        min=0,
        max=10_000_000,
        help="Steps before the first draw; by default half as many as follow.",
    )
    tile: int | Literal["auto"] | None = opt(
        default=None,
        min=16,
        max=1_000_000,
        unit="pixels",
        help="Restore in tiles of this side, which overlap; auto: if the memory requires it, of a "
        "side that fits.",
    )
    max_memory: str | None = opt(
        default=None,
        help="Memory that the process may take, such as 2GB or 500MB; by default what is free. "
        "Images that need more are restored in tiles.",
    )
    memory: Literal["check", "ignore"] = opt(
        default="check",
        help="check: refuse to start what is estimated to need more memory than is free. ignore: "
        "start it anyway.",
    )
    doubtful: Literal["replace", "keep"] = opt(
        default="replace",
        help="A doubtful result that predicts the data worse than a prior of last resort: replace "
        "it by the result of that prior, or keep it.",
    )

    def __post_init__(self) -> None:
        if self.max_memory is not None:
            bytes_in(self.max_memory)

    @property
    def tiled(self) -> bool:
        """True if the image is to be restored in tiles, where it is too large for the memory."""
        return self.tile is not None or self.max_memory is not None

    @property
    def dims(self) -> int:
        """The axes of an image as far as they were told: 3 for a volume, else 2."""
        return 3 if set((self.axes or "").upper()) & {"Z", "D"} else 2

    @property
    def sampled(self) -> bool:
        """True if something is asked for that takes draws from the posterior."""
        asked = self.interval is not None or self.samples > 0 or bool(self.claim)
        return asked or self.estimate != "map"

    @property
    def precision(self) -> str | None:
        """The precision of the computation, if one was chosen."""
        return self.dtype if self.dtype in ("float32", "float64") else None

    @property
    def sample_type(self) -> str | None:
        """The integer type of the output, if one was chosen."""
        return None if self.precision else self.dtype


def bytes_in(text: str) -> int:
    """The bytes that ``2GB``, ``500 MB`` or ``1.5 GiB`` mean.

    Raises:
        OptionError: it is no size.
    """
    found = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+) *([KMGT]?I?)B?", text.strip().upper())
    size = {**UNITS, **BINARY}.get(found[2], 0) * float(found[1]) if found else 0
    if not 0 < size < 1 << 60:
        raise OptionError(f"option max_memory must be a size such as 2GB or 500MB, not {text!r}")
    return int(size)
