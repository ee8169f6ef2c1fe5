"""The table of ``ipx bench peers`` on camera 256x256.

Total variation: all minimise 1/2|Ax - y|^2 + lam |Dx|_{2,1} for the same y and lam in float32. The
differences at the border are periodic in SCICO (this makes the FFT exact) and zero in the others;
ipx is run with both. Each rival takes the best of several algorithms and penalties; ipx takes its
defaults. Each stops at the first step from which it stays within 0.05 dB of its own converged PSNR
(found beforehand). The time is that of one solution from nothing with this number of steps,
without the compilation by JAX. BM3D: both are told the noise level. Libraries that are not
installed are left out.
"""

from __future__ import annotations

from common import photograph, publish

from ipx_plugins.peers.measure import HEAD, LIBRARIES, compare, versions
from ipx_plugins.peers.problem import TASKS, pose


def main() -> None:
    """Measure all, and write the page."""
    truth, told = photograph("camera"), []

    def note(text: str) -> None:
        told.append(text)
        print(text, flush=True)

    rows = [HEAD, ("---",) * len(HEAD)]
    for task in TASKS.values():
        problem = pose(task, truth, seed=1)
        rows += [row.cells() for row in compare(problem, list(LIBRARIES), 9, note)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    left = "\n".join(f"* {line}" for line in dict.fromkeys(told))
    packages = tuple(v for v in versions([*LIBRARIES, "jax"]) if v not in ("ipx-toolbox", "torch"))
    text = f"{__doc__ or ''}\n{table}\n" + (f"\nLeft out:\n\n{left}\n" if left else "")
    publish("peers", "Speed against other libraries", text, packages)


if __name__ == "__main__":
    main()
