"""Unknown PSFs: the width of a Gaussian, and motion, found from the data, on six photographs.

The data show a part of the scene, so that nothing is known beyond their border. The argument is a
file that keeps the figures, so that a run that is broken off goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import photograph, publish
from scipy import ndimage
from torch import Tensor

import ipx
from ipx.solving.unknowns import settled

PICTURES = ("camera", "astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
NOISE = {"name": "gaussian", "sigma": 0.01}
MOTION = {"kind": "motion", "length": 12.0, "angle": 30.0}


def scene(name: str) -> Tensor:
    """``(1, 1, 288, 288)``."""
    from skimage import color, data, transform

    if name == "stereo_motorcycle":
        left = color.rgb2gray(data.stereo_motorcycle()[0])[:500, 120:620]
        pixels = transform.resize(left, (288, 288), anti_aliasing=True)
    else:
        pixels = photograph(name, 288)
    return torch.as_tensor(pixels, dtype=torch.float32)[None, None]


def blurred(name: str, psf: dict[str, object]) -> tuple[Tensor, Tensor]:
    """Data, and the part of the scene that they show."""
    x = scene(name)
    op = ipx.operator("blur", tuple(x.shape[1:]), boundary="valid", **psf)
    y = ipx.degrade(x, op=op, noise=NOISE, seed=1)
    return y, op.sample(x)


def psnr(x: Tensor, truth: Tensor, moved: bool = False) -> float:
    """PSNR without 16 pixels of border; with ``moved`` that of the best shift of x."""
    a, b = (v[0, 0].double().numpy() for v in (x, truth))

    def quality(image: np.ndarray) -> float:
        error = (image - b)[16:-16, 16:-16]
        return float(-10 * np.log10((error**2).mean()))

    if not moved:
        return quality(a)
    likeness = np.fft.irfft2(
        np.fft.rfft2(b - b.mean()) * np.fft.rfft2(a - a.mean()).conj(), b.shape
    )
    found = np.unravel_index(int(likeness.argmax()), b.shape)
    whole = [k - n if k > n // 2 else k for k, n in zip(found, b.shape, strict=True)]
    splines = ndimage.spline_filter(a)
    fine = np.arange(-0.75, 1.0, 0.25)
    return max(
        quality(ndimage.shift(splines, (whole[0] + i, whole[1] + j), prefilter=False))
        for i in fine
        for j in fine
    )


def restored(y: Tensor, psf: dict[str, object], prior: str = "tv") -> ipx.Restoration:
    """With the border unknown."""
    op = {"name": "blur", "boundary": "unknown", **psf}
    return ipx.solve(y, doubtful="keep", op=op, prior=prior)


def width_row(name: str, sigma: float) -> dict[str, float | bool]:
    """The figures of one Gaussian blur."""
    y, truth = blurred(name, {"sigma": sigma})
    began = time.process_time()
    found = settled({"name": "blur", "kernel": "auto", "boundary": "unknown"}, y)
    seconds, width = time.process_time() - began, found.op.options.sigma
    return {
        "found": width,
        "told": len(found.remarks) > 1,
        "seconds": seconds,
        "before": psnr(y, truth),
        "known": psnr(restored(y, {"sigma": sigma}).x, truth),
        "auto": psnr(restored(y, {"sigma": width}).x, truth),
    }


def motion_row(name: str) -> dict[str, float | bool]:
    """The figures of one motion blur."""
    y, truth = blurred(name, MOTION)
    began = time.process_time()
    op = {"name": "blur", "kernel": "auto", "kind": "motion", "boundary": "unknown"}
    found = settled(op, y)
    seconds = time.process_time() - began
    options = found.op.options
    psf = {"kind": "file", "taps": options.taps, "error": options.error}
    row = {
        "alike": float(found.remarks[0].rsplit(" ", 1)[1].rstrip("%")),
        "error": options.error,
        "before": psnr(y, truth),
        "told": len(found.remarks) > 1,
        "seconds": seconds,
    }
    for prior in ("tv", "drunet"):
        row[f"known {prior}"] = psnr(restored(y, MOTION, prior).x, truth)
        auto = restored(y, psf, prior)
        row[f"auto {prior}"] = psnr(auto.x, truth, True)
        row["told"] |= any(auto.wrong)
    return row


def measured(path: Path) -> dict[str, dict[str, float | bool]]:
    """All figures; those in the file are not measured again, so that a run may be broken off."""
    rows = json.loads(path.read_text()) if path.exists() else {}
    todo = {f"motion {name}": (motion_row, name) for name in PICTURES}
    todo |= {
        f"width {name} {sigma:g}": (width_row, name, sigma)
        for name in PICTURES
        for sigma in (1.0, 2.0, 3.0)
    }
    for key, (make, *how) in todo.items():
        if key not in rows:
            rows[key] = make(*how)
            print(key, rows[key], flush=True)
            path.write_text(json.dumps(rows))
    return rows


def report(rows: dict[str, dict[str, float | bool]]) -> str:
    """Both tables."""
    widths = [(k.split()[1:], r) for k, r in rows.items() if k.startswith("width")]
    motions = [(k.split()[1:], r) for k, r in rows.items() if k.startswith("motion")]
    good = sum(abs(r["found"] / float(k[1]) - 1) <= 0.15 for k, r in widths)
    near = sum(r["auto"] > r["known"] - 0.7 for _, r in widths)
    better, worse = (
        " and ".join(
            f"{sum(enough(r[f'auto {prior}'] - r['before'], r) for _, r in motions)} with {prior}"
            for prior in ("tv", "drunet")
        )
        for enough in (
            lambda gain, r: gain >= 1,
            lambda gain, r: gain < -0.2 and not r["told"],
        )
    )
    head = "|---|---|---|---|---|---|---|---|\n"
    one = "\n".join(
        f"| {k[0]} | {k[1]} | {r['found']:.2f} | {r['before']:.2f} "
        f"| {r['known']:.2f} | {r['auto']:.2f} "
        f"| {'yes' if r['told'] else ''} | {r['seconds']:.1f} |"
        for k, r in sorted(widths, key=lambda row: (PICTURES.index(row[0][0]), row[0][1]))
    )
    two = "\n".join(
        f"| {k[0]} | {r['before']:.2f} "
        + "".join(f"| {r[f'{w} {p}']:.2f} " for p in ("tv", "drunet") for w in ("known", "auto"))
        + f"| {r['error']:.4f} | {r['alike']:.0f} % | {'yes' if r['told'] else ''} "
        f"| {r['seconds']:.1f} |"
        for k, r in motions
    )
    return (
        "Parts of 288 x 288 pixels of a scene, less the PSF; noise 0.01; restored by `tv` with the "
        "weight chosen and the border unknown. PSNR in dB without 16 pixels of border. CPU seconds "
        "are those of finding the PSF, on one thread.\n\n"
        "## Gaussian blur of unknown width\n\n"
        f"Within 15 % in {good} of {len(widths)}; within 0.7 dB of the known width in {near} "
        f"of {len(widths)}. The constants of the law were chosen with these pictures among "
        "others.\n\n"
        "| picture | sigma | found | blurred | known sigma | found sigma | said to be undecided "
        f"| CPU seconds |\n{head}{one}\n\n"
        "## Unknown motion\n\n"
        "A straight line of 12 pixels at 30 degrees. What is restored with the found PSF may be "
        "moved: its PSNR is that of the best shift, by quarters of a pixel. The error is that of "
        "the blurred picture, told by two halves of the data; it counts as noise.\n\n"
        f"Of {len(motions)} at least 1 dB better than the data: {better}; worse by more than "
        f"0.2 dB, and not said to be undecided: {worse}.\n\n"
        "| picture | blurred | `tv`, known PSF | found PSF | `drunet`, known PSF | found PSF "
        "| error | halves agree | said to be undecided | CPU seconds |\n"
        f"{head[4:].strip()}---|---|---|\n{two}"
    )


def main() -> None:
    """Measure, and write the page."""
    path = Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.gettempdir()) / "ipx-psf.json"
    publish("psf", "Unknown PSFs", report(measured(path)))


if __name__ == "__main__":
    main()
