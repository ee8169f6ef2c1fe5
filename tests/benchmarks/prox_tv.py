"""The TV prox, 512x512, lam 0.08, isotropic, float32, to a relative objective error of 1e-4,
against scikit-image's Chambolle iteration run to the same error.
"""

from __future__ import annotations

import torch
from common import interleaved, publish
from skimage import data
from skimage.restoration import denoise_tv_chambolle

import ipx

LAM = 0.08


def main() -> None:
    """Find the settings that reach 1e-4 first, then time them in turn."""
    noise = 0.1 * torch.randn((512, 512), generator=torch.Generator().manual_seed(0))
    g = (torch.as_tensor(data.camera() / 255.0).float() + noise)[None, None]
    plain = g[0, 0].numpy()
    exact = ipx.prior("tv", tol=1e-7, iterations=20000)
    problem = ipx.Problem(
        g.double(), ipx.operator("identity", (1, 512, 512)), ipx.noise("gaussian", sigma=0.1),
        exact, LAM,
    )  # fmt: skip
    least = float(problem.objective(exact.prox(g.double(), LAM)))

    def error(x: torch.Tensor) -> float:
        return float(problem.objective(x.double())) / least - 1

    tol = next(t for t in (1e-3, 3e-4, 1e-4, 3e-5) if error(ipx.prior("tv", tol=t).prox(g, LAM))
               <= 1e-4)  # fmt: skip
    ours = ipx.prior("tv", tol=tol)

    def peer(steps: int) -> torch.Tensor:
        x = denoise_tv_chambolle(plain, weight=LAM, eps=0.0, max_num_iter=steps)
        return torch.as_tensor(x)[None, None]

    steps = next(n for n in range(100, 3001, 50) if error(peer(n)) <= 1e-4)
    default = error(torch.as_tensor(denoise_tv_chambolle(plain, weight=LAM))[None, None])
    ms = interleaved(
        {
            "ipx": lambda: ours.prox(g, LAM),
            "same": lambda: peer(steps),
            "default": lambda: denoise_tv_chambolle(plain, weight=LAM),
        }
    )
    publish(
        "prox_tv",
        "The proximal map of total variation",
        f"{(__doc__ or '').strip()}\n\n"
        "| method | relative error of the objective | ms | ipx / method |\n|---|---|---|---|\n"
        f"| ipx `tv` | {error(ours.prox(g, LAM)):.1e} | {ms['ipx']:.0f} | 1 |\n"
        f"| denoise_tv_chambolle, {steps} iterations | {error(peer(steps)):.1e} "
        f"| {ms['same']:.0f} | {ms['ipx'] / ms['same']:.2f} |\n"
        f"| denoise_tv_chambolle, its default stop | {default:.1e} | {ms['default']:.0f} "
        f"| {ms['ipx'] / ms['default']:.2f} |",
        ("scikit-image",),
    )


if __name__ == "__main__":
    main()
