"""Layouts of published denoisers. Source: the code of the projects that are named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ipx import Imported, InputError, Layout, NoOptions

Tensors = Mapping[str, Tensor]
Pair = tuple[Tensor, Tensor]
"""Weight and bias of a convolution."""

FFDNET_MAX, DRUNET_MAX = 75 / 255, 50 / 255
"""Largest noise levels of training, by the papers."""

EPSILON = 1e-5
"""Added to the variance by batch normalisation, the default of PyTorch."""

COLUMN_MAJOR = (0, 2, 1, 3)
"""The four pixels of a 2 x 2 block as MATLAB counts them, down before right."""


class Chain(Layout[NoOptions]):
    """Convolutions with biases and ReLUs between them: ``model.0``, ``model.2``, ..."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        pairs = list(_pairs(tensors, "model.{}.weight", "model.{}.bias", 2))
        return chain(pairs, name)

    def example(self) -> tuple[Tensors, str]:
        return _made("model.{}.weight", "model.{}.bias", ((5, 2), (2, 2), (2, 4)), 2), "ffdnet"


def chain(pairs: list[Pair], name: str) -> Imported | None:
    """DnCNN, FDnCNN or FFDNet, by the channels of the first and the last convolution."""
    if len(pairs) < 3 or any(w.shape[2:] != (3, 3) for w, _ in pairs):
        return None
    into, out = pairs[0][0].shape[1], pairs[-1][0].shape[0]
    size = {"width": len(pairs[0][0]), "depth": len(pairs)}
    if (into, out) in ((5, 4), (13, 12)):
        told = {"colors": out // 4, "picture": True, "sigma_max": FFDNET_MAX, **size}
        if "clip" in name:
            told["clamp"] = True
        return Imported("ffdnet", told, _ours("noise", pairs))
    if (into, out) in ((2, 1), (4, 3)):
        told = {"colors": out, "bias": True, "picture": True, "sigma_max": FFDNET_MAX, **size}
        return Imported("dncnn", told, _ours("body", pairs))
    if into == out and out in (1, 3):
        levels, remark = _levels(name)
        told = {"colors": out, "bias": True, "blind": True, **levels, **size}
        return Imported("dncnn", told, _ours("body", pairs), (remark,))
    return None


def _levels(name: str) -> tuple[dict[str, float], str]:
    """The noise levels of training of a network that is not given the level, and how we know."""
    if "blind" in name:
        said = "noise levels up to 55/255 taken from the paper; --option sigma_max tells others"
        return {"sigma_max": 55 / 255}, said
    found = re.search(r"(?:dncnn[-_]|sigma[-_=]?)(\d{1,3})(?!\d)", name, re.IGNORECASE)
    if found and 0 < int(found[1]) <= 255:
        level = int(found[1])
        said = (
            f"noise level {level}/255 taken from the name of the file; --option sigma_min and "
            "sigma_max tell another"
        )
        return {"sigma_min": level / 255, "sigma_max": level / 255}, said
    said = "noise levels of training are unknown, up to 50/255 assumed: tell --option sigma_max"
    return {"sigma_max": 50 / 255}, said


class MatConvNet(Layout[NoOptions]):
    """Layers of MatConvNet: filters (H, W, in, out), without trailing axes of length 1."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        pairs = [
            (_filters(weight), bias.reshape(-1))
            for weight, bias in _pairs(tensors, "layers.{}.weights.0", "layers.{}.weights.1", 1)
        ]
        found = chain(pairs, name)
        if found is None or found.model != "ffdnet":
            return found
        first, last = "noise.0.weight", f"noise.{2 * len(pairs) - 2}"
        state, blocks = dict(found.tensors), range(found.options["colors"])
        order = [4 * block + i for block in blocks for i in COLUMN_MAJOR]
        state[first] = state[first][:, [*order, len(order)]]
        for key in (f"{last}.weight", f"{last}.bias"):
            state[key] = state[key][order]
        return Imported("ffdnet", found.options, state, found.remarks)

    def example(self) -> tuple[Tensors, str]:
        sizes = ((5, 2), (2, 2), (2, 4))
        plain = _made("layers.{}.weights.0", "layers.{}.weights.1", sizes, 2)
        return {k: v.permute(2, 3, 1, 0) if v.ndim == 4 else v[None] for k, v in plain.items()}, "x"


def _filters(weight: Tensor) -> Tensor:
    """Filters of MATLAB as ``(out, in, H, W)``."""
    full = weight.reshape(*weight.shape, *[1] * (4 - weight.ndim))
    return full.permute(3, 2, 0, 1).contiguous()


class Levels(Layout[NoOptions]):
    """A network of dilated convolutions for each noise level: ``LEVEL.model.0``, ..."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        count = len({key.partition(".")[0] for key in tensors})
        pattern = re.compile(r"(\d+)\.model\.(\d+)\.(weight|bias)")
        if not all(pattern.fullmatch(key) for key in tensors):
            return None
        first = tensors["0.model.0.weight"]
        told = {"colors": first.shape[1], "width": first.shape[0], "levels": count}
        state = {pattern.sub(r"levels.\1.\2.\3", key): value for key, value in tensors.items()}
        return Imported("ircnn", {**told, "sigma_max": 2 * count / 255}, state)

    def example(self) -> tuple[Tensors, str]:
        sizes = ((1, 2), *[(2, 2)] * 5, (2, 1))
        nets = (f"{k}.model" for k in range(2))
        return {
            key: value
            for net in nets
            for key, value in _made(net + ".{}.weight", net + ".{}.bias", sizes, 2).items()
        }, "ircnn"


class UNet(Layout[NoOptions]):
    """DRUNet: ``m_head``, ``m_down1`` to 3, ``m_body``, ``m_up3`` to 1, ``m_tail``; no biases."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        into, out = tensors["m_head.weight"].shape[1], tensors["m_tail.weight"].shape[0]
        if any(key.endswith(".bias") for key in tensors):
            raise InputError("this DRUNet has biases, which no model here has")
        if into != out + 1 or out not in (1, 3):
            raise InputError(
                f"this DRUNet takes {into} channels and gives {out}; one with a noise map takes "
                "one more than it gives, 1 or 3"
            )
        scales = 1 + len({k.partition(".")[0] for k in tensors if k.startswith("m_down")})
        numbers = [int(k.split(".")[1]) for k in tensors if re.match(r"m_down1\.\d+\.res", k)]
        told: dict[str, Any] = {"colors": out, "blocks": 1 + max(numbers)}
        told["widths"] = [len(tensors["m_head.weight"])] + [
            len(tensors.get(f"m_down{i}.{told['blocks']}.weight", ())) for i in range(1, scales)
        ]
        told |= {"unshuffle": 1, "picture": True, "sigma_max": DRUNET_MAX}
        state = {_renamed(key, scales): value for key, value in tensors.items()}
        return Imported("drunet", told, state)

    def example(self) -> tuple[Tensors, str]:
        """Widths 2 and 3, one block."""
        sizes: dict[str, tuple[int, ...]] = {"m_head": (2, 2, 3, 3), "m_tail": (1, 2, 3, 3)}
        sizes |= {f"m_down1.0.res.{i}": (2, 2, 3, 3) for i in (0, 2)}
        sizes |= {f"m_body.0.res.{i}": (3, 3, 3, 3) for i in (0, 2)}
        sizes |= {f"m_up1.1.res.{i}": (2, 2, 3, 3) for i in (0, 2)}
        sizes |= {"m_down1.1": (3, 2, 2, 2), "m_up1.0": (3, 2, 2, 2)}
        return {f"{key}.weight": _numbers(*size) for key, size in sizes.items()}, "drunet_gray"


def _renamed(key: str, scales: int) -> str:
    """``m_up3.1.res.0.weight`` as ``up.0.1.first.weight``: the deepest scale comes first there."""
    key = key.replace(".res.0.", ".first.").replace(".res.2.", ".second.")
    key = re.sub(r"^m_down(\d+)", lambda m: f"down.{int(m[1]) - 1}", key)
    key = re.sub(r"^m_up(\d+)", lambda m: f"up.{scales - 1 - int(m[1])}", key)
    return re.sub(r"^m_", "", key.replace("m_body", "m_middle"))


class DeepinvDnCNN(Layout[NoOptions]):
    """``in_conv``, ``conv_list.0``, ..., ``out_conv``, whose output is added to the input."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        count = sum(key.startswith("conv_list.") and key.endswith("weight") for key in tensors)
        names = ["in_conv", *(f"conv_list.{i}" for i in range(count)), "out_conv"]
        try:
            pairs = [(tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in names]
        except KeyError as e:
            raise InputError(
                f"this DnCNN has no {e.args[0]}; one without biases is not read"
            ) from e
        weight, bias = pairs[-1]
        return chain([*pairs[:-1], (-weight, -bias)], name)

    def example(self) -> tuple[Tensors, str]:
        plain = _made("{}.weight", "{}.bias", ((1, 2), (2, 2), (2, 1)), 1)
        names = {"0": "in_conv", "1": "conv_list.0", "2": "out_conv"}
        return {names[k[0]] + k[1:]: v for k, v in plain.items()}, "dncnn_sigma2_gray"


class DeepinvFFDNet(Layout[NoOptions]):
    """``blocks.0.0``, ``blocks.1.0``, ..., ``blocks.N``; four channels of the noise level."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        if any("running_mean" in key for key in tensors):
            raise InputError("this FFDNet has normalisation layers, which no model here has")
        count = sum(key.endswith(".weight") for key in tensors)
        names = [*(f"blocks.{i}.0" for i in range(count - 1)), f"blocks.{count - 1}"]
        try:
            pairs = [(tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in names]
        except KeyError as e:
            raise InputError(f"this FFDNet has no {e.args[0]}") from e
        (weight, bias), colors = pairs[0], len(pairs[-1][0]) // 4
        if weight.shape[1] != 4 * (colors + 1):
            return None
        level = weight[:, 4 * colors :].sum(1, keepdim=True)
        return chain([(torch.cat([weight[:, : 4 * colors], level], 1), bias), *pairs[1:]], name)

    def example(self) -> tuple[Tensors, str]:
        plain = _made("{}.weight", "{}.bias", ((8, 2), (2, 2), (2, 4)), 1)
        names = {"0": "blocks.0.0", "1": "blocks.1.0", "2": "blocks.2"}
        return {names[k[0]] + k[1:]: v for k, v in plain.items()}, "ffdnet_gray"


class BatchNorm(Layout[NoOptions]):
    """``dncnn.0`` is a convolution, ``dncnn.2`` too, ``dncnn.3`` its normalisation, ..."""

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        numbers = sorted(int(k.split(".")[1]) for k in tensors if tensors[k].ndim == 4)
        return chain([_folded(tensors, n) for n in numbers], name)

    def example(self) -> tuple[Tensors, str]:
        told = {"0": (2, 1, 3, 3), "2": (2, 2, 3, 3), "5": (1, 2, 3, 3)}
        tensors = {f"dncnn.{k}.weight": _numbers(*size) for k, size in told.items()}
        for key in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"dncnn.3.{key}"] = _numbers(2).abs() + 0.5
        return tensors, "dncnn_25"


def _folded(tensors: Tensors, number: int) -> Pair:
    """A convolution with the normalisation that follows it in one."""
    weight, after = tensors[f"dncnn.{number}.weight"], f"dncnn.{number + 1}."
    bias = tensors.get(f"dncnn.{number}.bias", weight.new_zeros(len(weight)))
    if after + "running_mean" not in tensors:
        return weight, bias
    deviation = (tensors[after + "running_var"] + EPSILON).sqrt()
    gain = tensors[after + "weight"] / deviation
    shift = tensors[after + "bias"] + gain * (bias - tensors[after + "running_mean"])
    return weight * gain.view(-1, 1, 1, 1), shift


class BiasFree(Layout[NoOptions]):
    """``conv1`` to ``conv9``, of which the seventh is transposed."""

    names = (
        *("head.0", "head.2"),
        *("body.0", "body.2", "body.4", "body.6", "body.8"),
        *("tail.0", "tail.2"),
    )

    def read(self, tensors: Tensors, name: str) -> Imported | None:
        if {f"conv{i}.weight" for i in range(1, 10)} != set(tensors):
            return None
        width, colors = tensors["conv1.weight"].shape[:2]
        state = {
            f"{ours}.weight": tensors[f"conv{i + 1}.weight"] for i, ours in enumerate(self.names)
        }
        said = "noise levels up to 55/255 assumed; --option sigma_max tells others"
        told = {"colors": colors, "width": width, "sigma_max": 55 / 255}
        return Imported("bias-free-unet", told, state, (said,))

    def example(self) -> tuple[Tensors, str]:
        """Width 2."""
        sizes = (
            (2, 1, 5, 5), (2, 2, 3, 3), (4, 2, 3, 3), (4, 4, 3, 3), (4, 4, 3, 3), (4, 4, 3, 3),
            (4, 4, 4, 4), (2, 6, 3, 3), (1, 2, 5, 5),
        )  # fmt: skip
        return {f"conv{i + 1}.weight": _numbers(*s) for i, s in enumerate(sizes)}, "unet"


def _pairs(tensors: Tensors, weight: str, bias: str, step: int) -> Iterator[Pair]:
    """Weights and biases in the order of their numbers; none where a bias is missing."""
    if step == 1:  # layers without weights lie between those with
        pattern = re.compile(re.escape(weight).replace(r"\{\}", r"(\d+)"))
        found = (pattern.fullmatch(key) for key in tensors)
        numbers: Iterable[int] = sorted(int(m[1]) for m in found if m)
    else:
        numbers = range(0, step * len(tensors), step)
    for number in numbers:
        if weight.format(number) not in tensors:
            return
        if bias.format(number) not in tensors:
            return
        yield tensors[weight.format(number)], tensors[bias.format(number)]


def _ours(part: str, pairs: Iterable[Pair]) -> dict[str, Tensor]:
    """The state of a sequence of convolutions with ReLUs between them."""
    state = {}
    for i, (weight, bias) in enumerate(pairs):
        state[f"{part}.{2 * i}.weight"], state[f"{part}.{2 * i}.bias"] = weight, bias
    return state


def _made(weight: str, bias: str, sizes: Iterable[tuple[int, int]], step: int) -> dict[str, Tensor]:
    """Random convolutions of 3 x 3 with these channels."""
    tensors = {}
    for i, (into, out) in enumerate(sizes):
        tensors[weight.format(step * i)] = _numbers(out, into, 3, 3)
        tensors[bias.format(step * i)] = _numbers(out)
    return tensors


def _numbers(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return 0.1 * torch.randn(shape, generator=generator)
