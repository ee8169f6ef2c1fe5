"""The gallery: a picture for every operator, noise, prior and solver of the installed plugins.

Each is drawn by trying small problems until one fits; so components of third parties appear by
themselves. Pictures that exist are kept: ``rm -r docs/gallery`` draws them again.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ipx
from _site import markdown as md
from ipx.declare.registry import registry
from ipx.declare.specs import Spec
from ipx.errors import InputError, IpxError
from ipx.testing.scenes import spectral_cube
from ipx_cli.listing import plural

Array: TypeAlias = NDArray[np.float64]
Panel: TypeAlias = Sequence[Array]
KINDS = ("operator", "noise", "prior", "solver")
SIDE = 64
ITERATIONS = 30
SCALE, GAP = 2, 4
NOISE = {"name": "gaussian", "sigma": 0.03}
BLUR = {"name": "blur", "sigma": 1.2}

SAID = {
    "operator": "The scene, its data with a little noise, and a restoration with total variation. "
    "Data that are no image are shown as a square of numbers.",
    "noise": "The scene, and the scene with noise of the default level.",
    "prior": "The scene, the data (blurred by 1.2 pixels, noise 0.03), and the restoration.",
    "solver": "The scene, the data of a problem that the solver fits, and its result.",
}
PROBLEMS: tuple[tuple[Any, Any], ...] = (
    (BLUR, "tv"),
    (BLUR, "smooth"),
    (BLUR, "drunet"),
    (BLUR, "none"),
    ({"name": "super-resolution", "factor": 2}, "none"),
    ("inpaint", "none"),
    ({"name": "inpaint", "kind": "box"}, "none"),
    ({"name": "compressed-sensing", "share": 0.5}, "whole-dct"),
    ("fourier", "none"),
    ("tomography", "none"),
    (BLUR, "glow-analysis"),
    (BLUR, "vae-joint"),
    (BLUR, "gs-drunet"),
    ("spectral-inpaint", "none"),
    ("identity", "none"),
)
"""Operator and prior of the problems that a solver is tried on, the first that fits is shown."""


# ---------------------------------------------------------------- scenes


@functools.cache
def photograph(channels: int) -> Array:
    """A part of the bundled photograph, ``(64, 64)`` or ``(64, 64, 3)`` in [0, 1]."""
    with Image.open(str(files("ipx") / "assets" / "astronaut.png")) as whole:
        part = whole.crop((64, 4, 192, 132)).resize((SIDE, SIDE), Image.Resampling.BOX)
    picture = np.asarray(part, float) / 255
    return picture if channels == 3 else picture.mean(-1)


@functools.cache
def face() -> Array:
    """The bundled face, ``(64, 64, 3)``."""
    with Image.open(str(files("ipx") / "assets" / "face.png")) as picture:
        return np.asarray(picture.convert("RGB"), float) / 255


@functools.cache
def digit() -> Array:
    """The bundled digit, ``(32, 32)``."""
    with Image.open(str(files("ipx") / "assets" / "digit.png")) as picture:
        return np.asarray(picture) / 255


@functools.cache
def stars() -> Array:
    """Points on black, ``(64, 64)``."""
    random, sky = np.random.default_rng(1), np.zeros((SIDE, SIDE))
    sky[random.integers(4, SIDE - 4, 25), random.integers(4, SIDE - 4, 25)] = 1
    return sky


@functools.cache
def bands() -> Array:
    """An image of 12 bands, ``(64, 64, 12)``."""
    return spectral_cube(12, SIDE, SIDE).transpose(1, 2, 0)


def scenes(suits: str = "photograph") -> list[Array]:
    """Scenes to try, the fitting one first."""
    first = {"sparse": [stars()], "face": [face()], "digit": [digit()]}.get(suits, [])
    return [*first, photograph(1), photograph(3), bands(), face()]


# ---------------------------------------------------------------- panels


def panels(spec: Spec) -> Iterator[Callable[[], Panel]]:
    """Functions that make what shows a component; IpxError where it does not fit."""
    name = spec.id
    if spec.kind == "operator":
        for scene in (photograph(3), photograph(1), bands()):
            yield partial(_degraded, scene, name)
    elif spec.kind == "noise":
        for scene in (photograph(1), photograph(3)):
            yield partial(_noisy, scene, name)
    elif spec.kind == "prior":
        for scene in scenes(spec.traits_for().suits):
            yield partial(_restored, scene, BLUR, prior=name)
    else:
        for op, prior in (*PROBLEMS, *_own(spec)):
            for scene in (photograph(1), face(), bands()):
                yield partial(_restored, scene, op, prior=prior, solver=name)


def _own(spec: Spec) -> Iterator[tuple[Any, Any]]:
    """Problems with the operators and the priors of the same plugin."""
    yield from ((s.id, "none") for s in registry().all("operator") if s.plugin == spec.plugin)
    yield from ((BLUR, s.id) for s in registry().all("prior") if s.plugin == spec.plugin)


def _noisy(scene: Array, noise: str) -> Panel:
    return [scene, ipx.degrade(scene, noise=noise)]


def _degraded(scene: Array, op: str) -> Panel:
    data = ipx.degrade(scene, op=op, noise=NOISE)
    try:
        return [scene, data, _solved(data, op=op, prior="tv", lam=0.01)]
    except IpxError:  # total variation cannot restore it
        return [scene, data]


def _restored(scene: Array, op: Any, **how: Any) -> Panel:
    data = ipx.degrade(scene, op=op, noise=NOISE)
    return [scene, data, _solved(data, op=op, **how)]


def _solved(data: Array, **how: Any) -> Array:
    """The restored image; the axes of many bands are told where they must be."""
    how = {"noise": NOISE, "iterations": ITERATIONS, **how}
    try:
        return ipx.solve(data, **how).image
    except InputError:
        return ipx.solve(data, axes="yxc", **how).image


def drawn(panel: Panel) -> Image.Image:
    """The images of a panel side by side."""
    tiles = [_tile(picture) for picture in panel]
    height = max(t.height for t in tiles)
    width = sum(t.width for t in tiles) + GAP * (len(tiles) - 1)
    out = Image.new("RGB", (width, height), "white")
    left = 0
    for tile in tiles:
        out.paste(tile, (left, (height - tile.height) // 2))
        left += tile.width + GAP
    return out


def _tile(picture: Array) -> Image.Image:
    """One image; data far from [0, 1] are stretched, many bands are shown in false colour."""
    x = np.asarray(picture)
    x = np.abs(x) if np.iscomplexobj(x) else x.astype(float)
    x = x.reshape(x.shape[0], -1) if x.ndim > 3 else x
    if x.ndim == 3 and x.shape[-1] not in (1, 3):
        x = np.stack([part.mean(-1) for part in np.array_split(x, 3, -1)], -1)
    x = x[..., 0] if x.ndim == 3 and x.shape[-1] == 1 else x
    if max(x.shape[:2]) > 4 * min(x.shape[:2]):
        x = _square(x)
    x = _stretched(x)
    shown = Image.fromarray((255 * x.clip(0, 1)).round().astype(np.uint8)).convert("RGB")
    scale = min(SCALE, SCALE * SIDE / max(shown.size))
    size = (round(shown.width * scale), round(shown.height * scale))
    return shown.resize(size, Image.Resampling.NEAREST if scale == SCALE else Image.Resampling.BOX)


def _square(x: Array) -> Array:
    """Numbers that are no image, row by row in a square."""
    flat = x.mean(-1).ravel() if x.ndim == 3 else x.ravel()
    side = int(np.ceil(np.sqrt(flat.size)))
    return np.pad(flat, (0, side**2 - flat.size)).reshape(side, side)


def _stretched(x: Array) -> Array:
    """Data that are no image in [0, 1], in that range; those of both signs by their logarithm."""
    low, high = np.quantile(x, (0.005, 0.995))
    if low >= -0.3 and high <= 1.6:
        return x
    if low < -0.3:
        x = np.arcsinh(10 * x / x.std())
        low, high = np.quantile(x, (0.005, 0.995))
    return (x - low) / max(high - low, 1e-9)


# ---------------------------------------------------------------- files and pages


def draw(folder: Path, kinds: Sequence[str] = KINDS) -> None:
    """Draw the missing pictures, ``folder/KIND-NAME.png``; each is told with its processor time."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        for name in registry().names(kind):
            path = folder / f"{kind}-{name.replace('/', '.')}.png"
            if path.exists():
                continue
            began = time.process_time()
            picture = first(registry().get(kind, name))
            if picture is not None:
                drawn(picture).save(path, optimize=True)
            took = time.process_time() - began
            said = "drawn" if picture is not None else "nothing to draw"
            print(f"gallery: {path.stem}: {said}, {took:.1f} s", flush=True)


def first(spec: Spec) -> Panel | None:
    """The first panel that fits; None where none does, as for a network without weights."""
    for make in panels(spec):
        try:
            return make()
        except IpxError:
            continue
    return None


def pages(pictures: frozenset[str]) -> dict[str, str]:
    """Place in ``docs`` to text of each page of the gallery."""
    found = {f"gallery/{plural(kind)}.md": _page(kind, pictures) for kind in KINDS}
    names = [place.removeprefix("gallery/").removesuffix(".md") for place in found]
    rows = [f"* [{name.capitalize()}]({name}.md)" for name in names]
    tree = ["```{toctree}", ":hidden:", "", *names, "```"]
    said = "Small pictures with default options, made by one script from what is installed."
    return {
        "gallery/index.md": "\n".join(["# Gallery", "", said, "", *rows, "", *tree, ""]),
        **found,
    }


def _page(kind: str, pictures: frozenset[str]) -> str:
    reg, out = registry(), [f"# Gallery: {plural(kind)}", SAID[kind]]
    for name in reg.names(kind):
        stem = f"{kind}-{name.replace('/', '.')}"
        anchor = name.replace("/", "").replace(".", "")
        said = f"[{md.code(name)}](../reference/{plural(kind)}.md#{anchor}): "
        out.append(said + md.escaped(reg.get(kind, name).summary))
        if stem in pictures:
            out.append(f"![{name}: {SAID[kind].rstrip('.').lower()}](pictures/{stem}.png)")
        else:
            out.append("No picture: it takes other data, or weights that do not come with ipx.")
    return "\n\n".join(out) + "\n"


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2:] or KINDS)
