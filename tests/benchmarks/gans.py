"""Adversarial losses on digits: distance over the training, and which digits come out.

The first argument is the folder that `ipx data digits` makes; 250 digits are held out. Others are
weights of `gan`; without any the script trains them for 600 steps of 32 digits. A small classifier
tells the digits of 1,000 samples. Mode collapse is the Kullback-Leibler divergence of their
histogram from the uniform one, in nats: 0 for equal shares, 2.3 for one digit alone; 1,000 perfect
samples have 0.0045 on average. The last row are the shipped weights, which started from a VAE.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import DOCS, digits, publish
from PIL import Image
from torch import Tensor, nn

import ipx
from ipx.declare.registry import registry
from ipx.files.sheets import sheet
from ipx.training import Data, Training
from ipx.training.loop import train

HELD = 250
PLAIN = {"steps": 600, "lr": 4e-4}
RUNS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "least-squares": ({"objective": "least-squares"}, PLAIN),
    "minimax": ({"objective": "minimax"}, PLAIN),
    "style": ({"body": "style", "grow": 70, "code": 0.1}, {"steps": 400, "lr": 2e-3}),
    "wasserstein-gp": ({"objective": "wasserstein-gp"}, PLAIN),
}
"""Options of the model and settings of the training."""
SAMPLES = 1000


def classifier(x: Tensor, y: Tensor, epochs: int = 6) -> nn.Module:
    """A small network for digits, trained on ``x`` ``(N, 1, 32, 32)`` with labels ``(N,)``."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(epochs):
        for some in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(net(x[some]), y[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval().requires_grad_(False)


def row(path: str, judge: nn.Module) -> tuple[str, list[Tensor]]:
    """A row of the table for weights, and ten samples."""
    loaded = ipx.load_weights(path, "gan")
    model: Any = loaded.model
    net = loaded.network()
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(SAMPLES, model.options.latent, generator=rng)
    with torch.no_grad():
        x = torch.cat([model.decode(net, part, model.only_shape) for part in z.split(100)])
        p = judge(x).softmax(1)
    share = torch.bincount(p.argmax(1), minlength=10) / SAMPLES
    divergence = float((share * (10 * share).clamp_min(1e-12).log()).sum())
    history = [h["distance"] for h in loaded.card["history"] if "distance" in h]
    rises = sum(b > a for a, b in pairwise(history))
    o = model.options
    name = o.objective + (", style" if o.body == "style" else "") + (", VAE start" * bool(o.start))
    shares = " ".join(f"{100 * s:.0f}" for s in share.tolist())
    best = loaded.card["score"]
    line = (
        f"| {name} | {loaded.card['steps']} | {history[0]:.3f} | {best['held_out']:.3f} "
        f"({best['step']}) | {history[-1]:.3f} | {rises} of {len(history) - 1} | {shares} | "
        f"{divergence:.3f} | {float(p.amax(1).mean()):.2f} |"
    )
    return line, list(x[:10])


def trained(x: Tensor, folder: Path) -> list[Path]:
    """Weights of each of `RUNS`, trained on ``x``."""
    np.save(folder / "digits.npy", (255 * x[:, 0]).round().byte().numpy())
    data = Data(data=folder / "digits.npy", hold_out=(f"last:{HELD}",), augment="none")
    recipe = registry().get("model", "gan").recipe  # type: ignore[attr-defined]
    made = []
    for name, (options, more) in RUNS.items():
        model = ipx.model("gan", colors=1, size=32, latent=16, width=16, **options)
        settings = Training(**{**recipe, "batch": 32, "validate_every": 60, **more})
        made.append(folder / f"{name}.safetensors")
        train(model, "gan/gan", data, made[-1], settings)
    return made


def main(folder: Path, weights: list[Path]) -> None:
    """Train the classifier, judge the weights, publish the table and the sheet."""
    x, y = digits(folder)
    judge = classifier(x[:-HELD], y[:-HELD])
    right = float((judge(x[-HELD:]).argmax(1) == y[-HELD:]).float().mean())
    sure = float(judge(x[-HELD:]).softmax(1).amax(1).mean())
    with tempfile.TemporaryDirectory() as room:
        every = [*(weights or trained(x, Path(room))), Path("digits")]
        rows, pictures = zip(*(row(str(path), judge) for path in every), strict=True)
    whole = sheet([p.numpy() for ten in pictures for p in ten], 10)
    Image.fromarray((255 * whole[0].clip(0, 1)).round().astype(np.uint8)).save(DOCS / "gans.png")
    head = (
        "| objective | steps | first distance | best (step) | last | rises | % of 0 to 9 | "
        "divergence | sure |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    text = (
        __doc__.split("\n\n", 1)[1].strip()
        + f"\n\nThe classifier is right on {100 * right:.1f} % of the {HELD} held-out digits, with "
        f"a mean probability of {sure:.2f} for the digit it names (column sure). Distances are the "
        "score of `gan` over the training; rises counts validations that were worse than the one "
        "before.\n\n" + head + "\n".join(rows) + "\n\nTen samples of each, in the order of the "
        "table:\n\n![samples](gans.png)"
    )
    publish("gans", "Adversarial networks on digits", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(a) for a in sys.argv[2:]])
