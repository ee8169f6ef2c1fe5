"""How often intervals of 90 % hold the truth, pixel by pixel: rows of `ipx bench coverage`.

The photographs are six of scikit-image, cut at random. Coverage is given with its standard error
over problems. The two factors multiply half-widths; each is learned on half of the pictures, and
the calibrated coverage is that of the other half. "std and error" is the correlation of the
standard deviation with the error of the mean. Truths of `tv` are draws by `skrock` with a Moreau
envelope of 0.016 image units, the noise is 0.05. Where the chains of most problems have not mixed,
`ipx solve` gives no bounds; the share is that of the bounds it withholds.
"""

from __future__ import annotations

import sys

import torch
from click.testing import CliRunner
from common import DOCS, publish

from ipx_cli.main import cli
from ipx_plugins.coverage.measure import HEAD

_TV = (
    "--from-prior --prior tv --prior.tol 0.01 --op.boundary reflect --op.sigma 1 --lam 0.05 "
    "--size 32 --truth skrock --truth.smoothing 0.003 --truth-thin 10 --sampler skrock --draws 200"
)
ROWS = {
    "smooth, its own": "--from-prior --prior smooth --prior.boundary circular --op.boundary "
    "circular --op.sigma 1 --lam 0.25 --size 16 --draws 400",
    "tv, its own": f"{_TV} --count 32",
    "tv, its own, a wide envelope": f"{_TV} --sampler.smoothing 1 --count 48",
    "tv": "--prior tv --prior.tol 0.01 --tuner sapg --op.sigma 1 --count 18 --draws 200",
    "drunet": "--prior drunet --sampler pnp-ula --op.sigma 1 --count 6 --draws 100",
    "drunet at the level of the data": "--prior drunet --sampler pnp-ula --sampler.sigma 0.05 "
    "--op.sigma 1 --count 6 --draws 200 --thin 10",
    "glow, photos": "--prior glow-map --prior.weights photos --colour --op.sigma 1 --size 32 "
    "--sampler skrock --count 6 --draws 100",
}
"""The words of each row after ``ipx bench coverage``."""


def published() -> dict[str, str]:
    """The rows of the page as it is."""
    page = DOCS / "coverage.md"
    lines = page.read_text().splitlines() if page.is_file() else []
    cells = [line.split("|") for line in lines if line.startswith("|")]
    return {c[1].strip(): f"|{'|'.join(c[2:])}" for c in cells if c[1].strip() in ROWS}


def measured(words: str) -> str:
    """The row that the command prints.

    Raises:
        RuntimeError: it failed.
    """
    done = CliRunner().invoke(cli, ["bench", "coverage", *words.split(), "-q"])
    if done.exit_code:
        raise RuntimeError(done.output)
    return done.output.splitlines()[-1]


def main(*names: str) -> None:
    """Measure all rows, or those of these names, and publish the page with them."""
    torch.set_num_threads(1)
    rows = published()
    for name in names or ROWS:
        rows[name] = measured(ROWS[name])
        first, rule = HEAD.splitlines()
        table = [f"| intervals of {first}", f"|---{rule}"]
        table += [f"| {n} {rows[n]}" for n in ROWS if n in rows]
        words = [f"* {n}: `ipx bench coverage {ROWS[n]}`" for n in ROWS if n in rows]
        text = "\n".join([(__doc__ or "").strip(), "", *table, "", *words])
        publish("coverage", "Coverage of intervals", text)


if __name__ == "__main__":
    main(*sys.argv[1:])
