"""Unrolled ADMM and regression networks against total variation and plug-and-play, 256x256, grey.

TV takes the best of 7 weights, chosen with the truth; the networks take their defaults, with the
noise level given and without the truth. Times are of one solution, one after the other in one
process. The images come with scikit-image; no network was trained on them. Gaussian noise, seed 1.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from common import photograph, publish
from torch import Tensor

import ipx
from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.numerics.metrics import psnr

PICTURES = (
    "camera", "astronaut", "chelsea", "coffee", "rocket", "moon",
    "coins", "brick", "gravel", "grass", "retina", "hubble_deep_field",
)  # fmt: skip
COLORED = ("astronaut", "chelsea", "coffee", "rocket")
TASKS: dict[str, dict[str, Any]] = {
    "blur, Gaussian 2": {"name": "blur"},
    "inpainting 60 %": {"name": "inpaint", "missing": 0.6},
    "super-resolution x2": {"name": "super-resolution", "factor": 2},
}
SIGMAS = (0.01, 0.03)
GRID = np.logspace(-3.6, -1.5, 7)
CLEAN = {"name": "gaussian", "sigma": 0.01}
Table = dict[str, Any]
GENERAL: dict[str, tuple[Table, Table, Table]] = {
    "trained: Gaussian PSF 2": ({"name": "blur"}, CLEAN, CLEAN),
    "unseen kernel: Airy, first ring 4": (
        {"name": "blur", "kind": "airy", "radius": 4.0}, CLEAN, CLEAN,
    ),
    "unseen kernel: Gaussian PSF 4": ({"name": "blur", "sigma": 4.0}, CLEAN, CLEAN),
    "unseen kernel: motion over 31 pixels": (
        {"name": "blur", "kind": "motion", "length": 31.0, "boundary": "circular"}, CLEAN, CLEAN,
    ),
    "unseen share: 95 % missing": ({"name": "inpaint", "missing": 0.95}, CLEAN, CLEAN),
    "unseen mask: scratches": ({"name": "inpaint", "kind": "scratches"}, CLEAN, CLEAN),
    "unseen factor: x3": ({"name": "super-resolution", "factor": 3}, CLEAN, CLEAN),
    "unseen level: sigma 0.15": (
        {"name": "blur"}, *(2 * ({"name": "gaussian", "sigma": 0.15},)),
    ),
    "level told wrong: 0.01 for 0.03": (
        {"name": "blur"}, {"name": "gaussian", "sigma": 0.03}, CLEAN,
    ),
    "unseen noise: Poisson, 300 photons": (
        {"name": "blur"}, {"name": "poisson", "peak": 300.0}, {"name": "gaussian"},
    ),
    "unseen operator: denoising, sigma 0.05": (
        {"name": "identity"}, *(2 * ({"name": "gaussian", "sigma": 0.05},)),
    ),
    "unseen operator: blur, then x2": (
        {"name": "compose", "parts": [
            {"name": "super-resolution"}, {"name": "blur", "sigma": 1.0}]},
        CLEAN, CLEAN,
    ),
}  # fmt: skip


def picture(name: str) -> Tensor:
    """A picture of scikit-image, grey, ``(1, 1, 256, 256)`` in [0, 1]."""
    return torch.as_tensor(photograph(name), dtype=torch.float32)[None, None]


def best_tv(y: Tensor, truth: Tensor, op: Any, noise: Any) -> tuple[float, float]:
    """PSNR of TV with the best weight, and the seconds of one solution."""
    many = ipx.solve(
        y.expand(len(GRID), *y.shape[1:]), op=op, noise=noise, prior="tv",
        image_shape=tuple(truth.shape[1:]), iterations=100,
        lam=torch.as_tensor(GRID, dtype=torch.float32),
    )  # fmt: skip
    return float(psnr(many.x, truth.expand_as(many.x)).max()), many.seconds / len(GRID)


def solved(y: Tensor, truth: Tensor, **how: Any) -> tuple[float, float]:
    """PSNR and seconds."""
    began = time.perf_counter()
    found = ipx.solve(y, doubtful="keep", image_shape=tuple(truth.shape[1:]), **how)
    return float(psnr(found.x, truth)), time.perf_counter() - began


def shipped(model: str) -> bool:
    """True if a model comes with weights."""
    spec = registry().get("model", model)
    return bool(isinstance(spec, ModelSpec) and spec.weights)


def main() -> None:
    """Gains, colour, generalisation, Fourier sampling, regression."""
    rows, sums = [], []
    for name in PICTURES:
        truth = picture(name)
        for task, op in TASKS.items():
            for sigma in SIGMAS:
                noise = {"name": "gaussian", "sigma": sigma}
                y = ipx.degrade(truth, op=op, noise=noise, seed=1)
                tv = best_tv(y, truth, op, noise)
                pnp = solved(y, truth, op=op, noise=noise, prior="drunet")
                own = solved(y, truth, op=op, noise=noise, solver="unrolled-admm")
                sums.append((task, sigma, [*tv, *pnp, *own]))
                scores = f"{tv[0]:.2f} | {pnp[0]:.2f} | {own[0]:.2f} | {own[0] - tv[0]:+.2f}"
                rows.append(f"| {name} | {task} | {sigma} | {scores} |")
                print(rows[-1], flush=True)
    text = f"{(__doc__ or '').strip()}\n\n## Means over {len(PICTURES)} pictures\n"
    text += (
        "| task | sigma | best TV | drunet, plug-and-play | unrolled-admm | over TV | over pnp | "
    )
    text += "seconds |\n|---|---|---|---|---|---|---|---|\n"
    for task in TASKS:
        for sigma in SIGMAS:
            found = np.mean([values for t, s, values in sums if (t, s) == (task, sigma)], 0)
            t, slow, p, middle, o, fast = (float(v) for v in found)
            text += f"| {task} | {sigma} | {t:.2f} | {p:.2f} | {o:.2f} | {o - t:+.2f} | "
            text += f"{o - p:+.2f} | {slow:.2f}, {middle:.2f}, {fast:.2f} |\n"
    text += "\n## Each picture\n| picture | task | sigma | best TV | pnp | unrolled | over TV |\n"
    text += "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    text += colored() + general() + fourier() + regression()
    publish("unrolled", "Unrolled ADMM and regression networks", text)


def colored() -> str:
    """Three channels, together and one by one by the network, together by TV."""
    text = f"\n## In colour, means over {', '.join(COLORED)}\n"
    text += (
        "| task | sigma | best TV | unrolled-admm | over TV | grey weights, channel by channel |\n"
    )
    text += "|---|---|---|---|---|---|\n"
    for task, op in TASKS.items():
        for sigma in SIGMAS:
            noise = {"name": "gaussian", "sigma": sigma}
            rows = []
            for name in COLORED:
                pixels = torch.as_tensor(photograph(name, grey=False), dtype=torch.float32)
                truth = pixels.permute(2, 0, 1)[None].contiguous()
                y = ipx.degrade(truth, op=op, noise=noise, seed=1)
                both = [
                    solved(
                        y, truth, op=op, noise=noise,
                        solver={"name": "unrolled-admm", "weights": weights},
                    )[0]
                    for weights in ("color", "grey")
                ]  # fmt: skip
                rows.append([best_tv(y, truth, op, noise)[0], *both])
            t, o, g = (float(v) for v in np.mean(rows, 0))
            text += f"| {task} | {sigma} | {t:.2f} | {o:.2f} | {o - t:+.2f} | {g:.2f} |\n"
            print(task, sigma, "colour", round(t, 2), round(o, 2), round(g, 2), flush=True)
    return text


def general() -> str:
    """What it was trained for, and what not."""
    text = "\n## Beyond its training\nMeans over camera and astronaut.\n\n"
    text += "| data | best TV | unrolled-admm | over TV |\n|---|---|---|---|\n"
    for label, (op, real, told) in GENERAL.items():
        scores = []
        for name in ("camera", "astronaut"):
            truth = picture(name)[..., :252, :252] if "x3" in label else picture(name)
            y = ipx.degrade(truth, op=op, noise=real, seed=1)
            edges, _ = best_tv(y, truth, op, told)
            scores.append((edges, solved(y, truth, op=op, noise=told, solver="unrolled-admm")[0]))
        e, o = np.mean(scores, 0)
        text += f"| {label} | {e:.2f} | {o:.2f} | {o - e:+.2f} |\n"
        print(label, round(e, 2), round(o, 2), flush=True)
    return text


def fourier() -> str:
    """Some of the frequencies, radial; ADMM-Net."""
    if not shipped("admm-net"):
        return ""
    text = f"\n## Fourier sampling along spokes, means over {len(PICTURES)} pictures\n"
    text += "| share | sigma | zero-filled | best TV | admm-net | over TV | seconds |\n"
    text += "|---|---|---|---|---|---|---|\n"
    for share in (0.2, 0.3):
        for sigma in (0.005, 0.02):
            op = {"name": "fourier", "kind": "radial", "share": share}
            noise = {"name": "gaussian", "sigma": sigma}
            rows = []
            for name in PICTURES:
                truth = picture(name)
                y = ipx.degrade(truth, op=op, noise=noise, seed=1)
                plain = ipx.operator(**op, image_shape=tuple(truth.shape[1:])).preview(y)
                tv = best_tv(y, truth, op, noise)
                own = solved(y, truth, op=op, noise=noise, solver="admm-net")
                rows.append([float(psnr(plain, truth)), *tv, *own])
            z, t, slow, o, fast = (float(v) for v in np.mean(rows, 0))
            text += f"| {share} | {sigma} | {z:.2f} | {t:.2f} | {o:.2f} | {o - t:+.2f} | "
            text += f"{slow:.2f}, {fast:.2f} |\n"
            print(share, sigma, round(z, 2), round(t, 2), round(o, 2), flush=True)
    return text


def regression() -> str:
    """Super-resolution without noise."""
    names = [n for n in ("srcnn", "vdsr") if shipped(n)]
    text = f"\n## Super-resolution without noise, means over {len(PICTURES)} pictures\n"
    text += f"| factor | filter | bicubic | {' | '.join(names)} |\n"
    text += "|---|---|---|" + "---|" * len(names) + "\n"
    noise = {"name": "gaussian", "sigma": 0.0}
    for factor in (2, 4):
        for kind in ("bicubic", "mean"):
            op = {"name": "super-resolution", "factor": factor, "filter": kind}
            rows = []
            for name in PICTURES:
                truth = picture(name)
                y = ipx.degrade(truth, op=op, noise=noise)
                operator = ipx.operator(**op, image_shape=tuple(truth.shape[1:]))
                row = [float(psnr(operator.preview(y), truth))]
                for n in names:
                    solver = {"name": "feedforward", "model": n}
                    row.append(solved(y, truth, op=op, noise=noise, solver=solver)[0])
                rows.append(row)
            plain, *scores = (float(v) for v in np.mean(rows, 0))
            cells = [f"{v:.2f} ({v - plain:+.2f})" for v in scores]
            text += f"| x{factor} | {kind} | {plain:.2f} | {' | '.join(cells)} |\n"
    return text if names else ""


if __name__ == "__main__":
    main()
