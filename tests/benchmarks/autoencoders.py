"""Denoising autoencoder, drunet and BM3D on digits; other autoencoders on digits.

Its arguments are the folder that `ipx data digits` makes, a folder of photographs, and weights of
`denoising-ae` for pieces of photographs, which the script trains if they are not given.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import photograph, publish
from PIL import Image
from torch import Tensor

import ipx
from ipx import psnr
from ipx.training import Data, Training
from ipx.training.loop import train
from ipx_plugins.vae.ar import rank_correlation
from ipx_plugins.vae.morphology import NAMES, attributes

SIGMAS = (0.1, 0.2, 0.4)
METHODS: dict[str, dict[str, Any]] = {
    "denoising autoencoder": {"name": "ae-denoiser"},
    "drunet": {"name": "drunet"},
    "bm3d": {"name": "bm3d"},
}
COUNT = 25
CODE = 16

ABOUT = """Digits: every 20th of `ipx data digits`, which no weights were trained on.

**Denoising.** `--prior ae-denoiser`, whose network is not told sigma, against `drunet` (trained on
photographs up to 50/255) and `bm3d`. Means over 25 digits, results clipped to [0, 1]."""
PHOTOGRAPHS = """The same on 36 pieces of 32 x 32, of nine photographs of scikit-image shrunk to
128 x 128. This autoencoder, 64 numbers for a piece, has learned from other photographs."""
PIECES = ("camera", "astronaut", "coffee", "chelsea", "rocket", "brick", "grass", "gravel", "coins")
LINEAR = "**Principal components.** A linear `ae`, trained for 1,500 steps of 128 on the others."
ORDER = """**Order of codes.** `ar-vae`, weights `digits`: each attribute against its number of
the code. Digits of MNIST are scaled to one height, so that the ranks of heights say little."""
OTHERS = "**Discrete codes and classes.** Weights `digits`."


def digits(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    """All digits but every 20th, every 20th, ``(N, 1, 32, 32)``, and the labels of these."""
    files = sorted(folder.glob("*/*.png"))
    every = np.stack([np.asarray(Image.open(f), np.float32) / 255 for f in files])[:, None]
    held = np.arange(len(every)) % 20 == 19
    labels = torch.tensor([int(f.parent.name) for f in files])[held]
    return torch.from_numpy(every[~held]), torch.from_numpy(every[held]), labels


def pieces() -> Tensor:
    """Four pieces of each photograph, ``(36, 1, 32, 32)``."""
    whole = torch.from_numpy(np.stack([photograph(name, 128) for name in PIECES])).float()
    places = ((16, 16), (16, 80), (80, 16), (80, 80))
    return torch.cat([whole[:, None, a : a + 32, b : b + 32] for a, b in places])


def of_photographs(folder: Path, target: Path) -> None:
    """Weights of `denoising-ae` for pieces of photographs."""
    model: Any = ipx.model("denoising-ae")
    settings = Training(
        steps=1500, batch=64, lr=3e-3, optimiser="muon", ema=0.995, validate_every=250
    )
    train(model, "autoencoder/denoising-ae", Data(data=folder), target, settings)


def on_photographs(folder: Path, weights: Path | None = None) -> list[list[str]]:
    """`denoising` of pieces of photographs, with weights for these."""
    with tempfile.TemporaryDirectory() as scratch:
        target = weights or Path(scratch) / "photographs.safetensors"
        if weights is None:
            of_photographs(folder, target)
        return denoising(pieces(), weights=str(target))


def denoising(truth: Tensor, **options: str) -> list[list[str]]:
    """PSNR of each method at each level, and time; options are those of the autoencoder."""
    rows = []
    noisy = {s: truth + s * torch.randn(truth.shape, generator=seeded()) for s in SIGMAS}
    rows.append(["noisy", *(f"{float(psnr(y, truth).mean()):.2f}" for y in noisy.values()), ""])
    for label, given in METHODS.items():
        prior: Any = ipx.prior(**given, **(options if given["name"] == "ae-denoiser" else {}))
        cells, start = [], time.process_time()
        for sigma, y in noisy.items():
            with torch.no_grad():
                made = prior.denoise(y, sigma).clamp(0, 1)
            cells.append(f"{float(psnr(made, truth).mean()):.2f}")
        spent = 1000 * (time.process_time() - start) / (len(SIGMAS) * len(truth))
        rows.append([label, *cells, f"{spent:.1f}"])
    return rows


def seeded() -> torch.Generator:
    """The same noise for all."""
    return torch.Generator().manual_seed(1)


def explained(folder: Path) -> list[list[str]]:
    """Share of the variance of the digits trained on that 16 numbers explain."""
    x, held, _ = digits(folder)
    center = x.flatten(1).mean(0)
    away = (x.flatten(1) - center).double()
    axes = torch.linalg.svd(away, full_matrices=False)[2][:CODE]
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "linear.safetensors"
        model: Any = ipx.model("ae", network="linear", latent=CODE)
        settings = Training(steps=1500, batch=128, lr=3e-3, ema=0.99, validate_every=500)
        train(model, "autoencoder/ae", Data(data=folder, augment="none"), target, settings)
        weights: Any = ipx.load_weights(target, "ae")
    model, net = weights.model, weights.network()
    rows = []
    for name, batch in (("trained on", x), ("held out", held)):
        flat = (batch.flatten(1) - center).double()
        total = float(flat.square().sum())
        pca = float((flat @ axes.T).square().sum()) / total
        with torch.no_grad():
            again = model.decode(net, model.encode(net, batch), (1, 32, 32))
        lost = float((again - batch).double().square().sum())
        rows.append([name, f"{pca:.4f}", f"{1 - lost / total:.4f}"])
    return rows


def regularised(held: Tensor) -> list[list[str]]:
    """Correlation of each attribute with its number of the code of `ar-vae`."""
    model, net = loaded("ar-vae")
    known = attributes(held)
    with torch.no_grad():
        z = model.encode(net, held)
    return [
        [
            name,
            f"{float(rank_correlation(z[:, i], known[:, i])):.3f}",
            f"{float(torch.corrcoef(torch.stack([z[:, i], known[:, i]]))[0, 1]):.3f}",
        ]
        for i, name in enumerate(NAMES)
    ]


def others(held: Tensor, labels: Tensor) -> list[list[str]]:
    """What `vq-vae` and `classifier` reach."""
    model, net = loaded("vq-vae")
    with torch.no_grad():
        scores = model.validate(net, held, seeded())
        judge, judged = loaded("classifier")
        right = (judge.probabilities(judged, held).argmax(1) == labels).float().mean()
    return [
        ["`vq-vae`, PSNR of D(q)", f"{float(scores['psnr'].mean()):.2f} dB"],
        ["`vq-vae`, codebook in use", f"{100 * float(scores['used'].mean()):.0f} %"],
        ["`vq-vae`, bits of the codes per pixel", f"{float(scores['bits'].mean()):.3f}"],
        ["`classifier`, right", f"{100 * float(right):.1f} %"],
    ]


def loaded(name: str) -> tuple[Any, Any]:
    """Model and network of the shipped weights."""
    weights: Any = ipx.load_weights("digits", name)
    return weights.model, weights.network()


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """All tables."""
    folder, photographs, *weights = (Path(word) for word in sys.argv[1:])
    _, held, labels = digits(folder)
    noise = ["PSNR in dB", *(f"sigma {s:g}" for s in SIGMAS), "ms of CPU per digit"]
    linear = ["share of the variance", f"PCA, {CODE} components", f"`ae`, linear, code of {CODE}"]
    order = ["attribute", "rank correlation", "linear correlation"]
    text = "\n\n".join(
        [
            ABOUT,
            table(noise, denoising(held[:: len(held) // COUNT])),
            PHOTOGRAPHS,
            table([*noise[:-1], "ms of CPU per piece"], on_photographs(photographs, *weights)),
            LINEAR,
            table(linear, explained(folder)),
            ORDER,
            table(order, regularised(held)),
            OTHERS,
            table(["held-out digits", ""], others(held, labels)),
        ]
    )
    publish("autoencoders", "Autoencoders on digits", text)


if __name__ == "__main__":
    main()
