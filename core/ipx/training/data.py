"""Training images: decoded once into memory as uint8, cropped at random.

A batch is a function of seed and step: nothing has to be saved to resume, and several processes
crop their shares of the same batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.errors import InputError, UsageError
from ipx.files.atomic import one_line
from ipx.files.format import Array
from ipx.files.images import read
from ipx.files.lookup import pictures_below
from ipx.files.picture import recoloured
from ipx.training.settings import Data

CROP = 64
"""Side of the training crops of a model for any size."""


class Pictures:
    """The images of a training run.

    Attributes:
        train: names and images ``(C, H, W)`` uint8 for training.
        held: the held-out ones.
        classes: names of the sub-folders that the images lie in, sorted; empty without any.
        digest: a hash of names, shapes and the split.
    """

    def __init__(
        self,
        settings: Data,
        channels: int,
        multiple: int = 1,
        only: Shape | None = None,
        pairing: Literal["none", "pairs", "sets"] = "none",
    ) -> None:
        """Read all images.

        Args:
            settings: where they are, and how they are cropped.
            channels: C, into which they are converted.
            multiple: sides of crops are multiples of it.
            only: the only shape that the model accepts.
            pairing: see `ipx.Model.pairing`; with it, crops have the inputs as further channels.

        Raises:
            InputError: the data cannot be read, no image is large enough, or pairs do not match.
            UsageError: the crop or the inputs do not suit the model, or a pattern is wrong.
        """
        _check_inputs(settings, pairing)
        self.settings = settings = _cropped(settings, multiple, only)
        self.channels = channels
        every = _large_enough(settings, channels, pairing)
        self.held = _held(every, settings.hold_out)
        out = {name for name, _ in self.held}
        self.train = [p for p in every if p[0] not in out]
        if not self.train or not self.held:
            raise InputError(
                f"{settings.data}: {len(self.train)} images to train on, "
                f"{len(self.held)} held out; both are needed"
            )
        self.share = _shares(self.train, settings.limit)
        self.classes = sorted({_folder(name) for name, _ in every} - {""})
        told = repr([(n, p.shape) for n, p in every]) + repr(sorted(out))
        self.digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        side = settings.validation_crop or (4 * settings.crop if only is None else only[1])
        self.side = side - side % multiple
        self.multiple = multiple
        self.others: Pictures | None = None
        if pairing == "sets":
            self.others = Pictures(_second_set(settings), channels, multiple, only)
            self.digest += self.others.digest

    @property
    def colourless(self) -> bool:
        """True if the images have three channels, which are equal in all that are trained on."""
        return self.channels == 3 and all((x[:2] == x[1:3]).all() for _, x in self.train)

    @property
    def told(self) -> dict[str, Any]:
        """The settings without the paths."""
        known = self.settings.to_mapping()
        return {k: v for k, v in known.items() if k not in ("data", "inputs")}

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> Tensor:
        """The crops of one step, ``(size / world, C, crop, crop)`` uint8.

        Every process draws all positions and crops numbers rank, rank + world, ...
        """
        rng = np.random.default_rng([seed, step])
        s = self.settings
        which = rng.choice(len(self.train), size=size, p=self.share)
        places = rng.random((size, 3))
        turns = rng.integers(0, 8, size)
        cut = []
        for i in range(rank, size, world):
            picture = self.train[which[i]][1]
            _, height, width = picture.shape
            twice = places[i, 2] < s.shrink and min(height, width) >= 2 * s.crop
            side = 2 * s.crop if twice else s.crop
            top = int(places[i, 0] * (height - side + 1))
            left = int(places[i, 1] * (width - side + 1))
            piece = picture[:, top : top + side, left : left + side]
            if twice:
                piece = _halved(piece)
            turn = int(turns[i])
            if s.augment != "none" and turn & 1:
                piece = piece[:, :, ::-1]
            if s.augment == "all":
                piece = np.rot90(piece, turn >> 1, (1, 2))
            cut.append(piece)
        found = torch.from_numpy(np.stack(cut))
        if self.others is None:
            return found
        return torch.cat([found, self.others.batch(seed + 1, step, size, rank, world)], 1)

    def labels(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> Tensor:
        """Numbers in ``classes`` of the images of `batch`, ``(size / world,)`` int64."""
        rng = np.random.default_rng([seed, step])
        which = rng.choice(len(self.train), size=size, p=self.share)
        return self._numbers([self.train[i][0] for i in which[rank::world]])

    def held_labels(self) -> Tensor:
        """Numbers in ``classes`` of the held-out images, in their order, int64."""
        return self._numbers([name for name, _ in self.held])

    def _numbers(self, names: list[str]) -> Tensor:
        return torch.tensor([self.classes.index(_folder(name)) for name in names])

    def validation(self, size: int) -> Iterator[Tensor]:
        """Centre crops of the held-out images, ``(<= size, C, h, w)`` uint8."""
        if self.others is None:
            yield from self._centres(size)
            return
        # of two sets the crops of training size, which all have the same shape
        mine, other = self._squares(), self.others._squares()
        both = torch.cat([mine[: len(other)], other[: len(mine)]], 1)
        yield from torch.split(both, size)

    def _squares(self) -> Tensor:
        """Centre crops of the held-out images, of the training size, ``(N, C, crop, crop)``."""
        side, cut = self.settings.crop, []
        for _, picture in self.held:
            top, left = (picture.shape[1] - side) // 2, (picture.shape[2] - side) // 2
            cut.append(picture[:, top : top + side, left : left + side])
        return torch.from_numpy(np.stack(cut))

    def _centres(self, size: int) -> Iterator[Tensor]:
        group: list[Array] = []
        for _, picture in self.held:
            sides = [min(n, self.side) for n in picture.shape[1:]]
            h, w = (n - n % self.multiple for n in sides)
            top, left = (picture.shape[1] - h) // 2, (picture.shape[2] - w) // 2
            piece = picture[:, top : top + h, left : left + w]
            if group and (len(group) == size or group[0].shape != piece.shape):
                yield torch.from_numpy(np.stack(group))
                group = []
            group.append(piece)
        yield torch.from_numpy(np.stack(group))


def _check_inputs(settings: Data, pairing: str) -> None:
    """Raise `UsageError` unless there are inputs exactly where the model takes some."""
    if settings.inputs is not None and pairing == "none":
        raise UsageError("this model is trained on --data alone; leave --inputs out")
    if settings.inputs is None and pairing == "pairs":
        raise UsageError("this model needs pairs: give the inputs of the images with --inputs")
    if settings.inputs is None and pairing == "sets":
        raise UsageError("this model needs two sets: give that to translate with --inputs")


def _cropped(settings: Data, multiple: int, only: Shape | None) -> Data:
    """The settings with a side of crops, which suits the model.

    Raises:
        UsageError: it does not.
    """
    if not settings.crop:
        usual = CROP if only is None else only[1]
        settings = Data(**{**settings.to_mapping(), "crop": usual})
    if only is not None and {settings.crop, settings.validation_crop or only[1]} != {only[1]}:
        raise UsageError(
            f"this model is for images of {only[1]} x {only[1]}: leave --crop "
            "and --validation-crop out, or choose its size with --model.size"
        )
    if settings.crop % multiple:
        raise UsageError(f"this model needs a crop that is a multiple of {multiple}")
    return settings


def _large_enough(settings: Data, channels: int, pairing: str) -> list[tuple[str, Array]]:
    """Names and images, with their inputs behind them if they are paired, of crop size or more.

    Raises:
        InputError: there is none.
    """
    loaded = _load(settings, channels)
    if pairing == "pairs":
        loaded = _paired(settings, loaded, channels)
    every: list[tuple[str, Array]] = []
    largest = (0, 0)
    for name, x in loaded:
        largest = max(largest, (x.shape[1], x.shape[2]), key=min)
        if min(x.shape[1:]) >= settings.crop:
            every.append((name, x))
    if not every:
        side, (height, width) = settings.crop, largest
        if largest == (0, 0):
            raise InputError(f"{settings.data}: has no images")
        raise InputError(
            f"{settings.data}: has no image of at least {side} x {side}; the largest is {height} x "
            f"{width}: give --crop, or --model.size where the model has it"
        )
    return every


def _second_set(settings: Data) -> Data:
    """The settings of the inputs of pairing ``sets``; patterns are of names in the first set."""
    last = settings.hold_out if settings.hold_out[:1] and ":" in settings.hold_out[0] else ()
    told: dict[str, Any] = settings.to_mapping()
    told |= {"data": settings.inputs, "inputs": None, "hold_out": last, "exclude": (), "limit": ()}
    return Data(**told)


def _paired(
    settings: Data, targets: Iterator[tuple[str, Array]], channels: int
) -> Iterator[tuple[str, Array]]:
    """Images with their inputs behind them, ``(2 C, H, W)``, matched by name without extension.

    Raises:
        InputError: an image has no input, or one of another size.
    """
    second = Data(**{**settings.to_mapping(), "data": settings.inputs, "inputs": None})
    inputs = {_plain(name): picture for name, picture in _load(second, channels)}
    for name, target in targets:
        found = inputs.get(_plain(name))
        if found is None:
            raise InputError(f"{settings.inputs}: has no image with the name of {name}")
        if found.shape != target.shape:
            (h, w), (hi, wi) = target.shape[1:], found.shape[1:]
            raise InputError(f"{name}: is {h} x {w}, its input {hi} x {wi}; they must be equal")
        yield name, np.concatenate([target, found])


def _plain(name: str) -> str:
    """A name without the extension of its file, with its sub-folder and the number of a tile."""
    file, mark, tile = name.partition("#")
    return Path(file).with_suffix("").as_posix() + mark + tile


def ahead(make: Callable[[int], Tensor], steps: range) -> Iterator[Tensor]:
    """``make(step)`` for each step, up to four computed ahead in another thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, step) for step in steps[:4]]
        for step in steps:
            yield waiting.pop(0).result()
            if step + 4 * steps.step < steps.stop:
                waiting.append(pool.submit(make, step + 4 * steps.step))


def _halved(piece: Array) -> Array:
    """Means of 2 x 2 pixels."""
    c, h, w = piece.shape
    total = piece.reshape(c, h // 2, 2, w // 2, 2).sum((2, 4), dtype=np.uint16)
    mean: Array = ((total + 2) // 4).astype(np.uint8)
    return mean


def _folder(name: str) -> str:
    """The sub-folder of an image; empty where it lies in none."""
    return name.rpartition("/")[0]


def _matches(name: str, pattern: str) -> bool:
    stem = name.partition("#")[0]
    return fnmatch(name, pattern) or fnmatch(stem, pattern) or fnmatch(Path(stem).stem, pattern)


def _held(every: list[tuple[str, Array]], asked: tuple[str, ...]) -> list[tuple[str, Array]]:
    if not asked:
        return every[19::20] or every[-1:]
    count = asked[0].removeprefix("last:")
    if len(asked) == 1 and asked[0] != count and count.isdigit() and int(count):
        return every[-int(count) :]
    for pattern in asked:
        if not any(_matches(name, pattern) for name, _ in every):
            raise UsageError(f"hold-out {pattern} matches no image")
    return [p for p in every if any(_matches(p[0], a) for a in asked)]


def _shares(train: list[tuple[str, Array]], limits: tuple[str, ...]) -> Array:
    """Probability of each image: proportional to its area, within the limits."""
    share = np.array([float(p.shape[1] * p.shape[2]) for _, p in train])
    for limit in limits:
        pattern, _, text = limit.rpartition("=")
        try:
            most = float(text)
        except ValueError:
            most = -1.0
        if not 0 < most < 1:
            raise UsageError(f"limit {limit!r} is not PATTERN=SHARE with a share between 0 and 1")
        any_of = pattern.split("|")
        these = np.array([any(_matches(name, p) for p in any_of) for name, _ in train])
        if not these.any() or these.all():
            raise UsageError(f"limit {limit!r} matches no image, or all")
        total, rest = share[these].sum(), share[~these].sum()
        if total > most * (total + rest):
            share[these] *= most / (1 - most) * rest / total
    share /= share.sum()
    return share


def _load(settings: Data, channels: int) -> Iterator[tuple[str, Array]]:
    """Names and images, sorted by name."""
    path = settings.data
    if path.is_dir():
        for name, file in _files(path):
            if any(_matches(name, p) for p in settings.exclude):
                continue
            picture = recoloured(name, _bytes(read(file).pixels), channels)
            yield from _tiled(name, picture, settings.tiles)
    elif path.suffix in (".npy", ".npz"):
        for i, picture in enumerate(_arrays(path)):
            yield f"{i:06d}", recoloured(f"{i:06d}", picture, channels)
    else:
        raise InputError(f"{path}: is neither a folder nor an NPY or NPZ file")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and files in a folder; where it holds none, ``class/name`` of those in sub-folders."""
    return ((file.relative_to(folder).as_posix(), file) for file in pictures_below(folder))


def _tiled(name: str, picture: Array, side: int) -> Iterator[tuple[str, Array]]:
    if not side:
        yield name, picture
        return
    c, h, w = picture.shape
    if h % side or w % side:
        raise InputError(f"{name}: {h} x {w} is no mosaic of tiles of {side}")
    tiles = picture.reshape(c, h // side, side, w // side, side).transpose(1, 3, 0, 2, 4)
    for i, tile in enumerate(tiles.reshape(-1, c, side, side)):
        if tile.any():
            yield f"{name}#{i:04d}", np.ascontiguousarray(tile)


def _bytes(values: Array) -> Array:
    """Nominal [0, 1] as uint8."""
    rounded: Array = (values.clip(0, 1) * 255).round().astype(np.uint8)
    return rounded


def _arrays(path: Path) -> Array:
    """``(N, C, H, W)`` uint8 from a file of many images."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            names = sorted(loaded.files)
            if len(names) != 1:
                raise InputError(f"{path}: holds {len(names)} arrays, not one")
            loaded = loaded[names[0]]
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
    if loaded.ndim == 3:
        loaded = loaded[:, None]
    elif loaded.ndim == 4 and loaded.shape[3] in (1, 3) and loaded.shape[1] not in (1, 3):
        loaded = loaded.transpose(0, 3, 1, 2)
    if loaded.ndim != 4 or loaded.shape[1] not in (1, 3):
        raise InputError(f"{path}: has shape {loaded.shape}, not (N, H, W), (N, C, H, W), ...")
    if loaded.dtype != np.uint8:
        if loaded.dtype.kind != "f" or not (np.isfinite(loaded).all() and abs(loaded).max() <= 2):
            raise InputError(f"{path}: holds {loaded.dtype}, neither uint8 nor floats in [0, 1]")
        loaded = _bytes(loaded)
    many: Array = loaded
    return many
