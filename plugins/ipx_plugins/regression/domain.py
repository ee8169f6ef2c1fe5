"""The training domain of a regression network: operator, ranges of its options, noise levels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

import ipx
from ipx import Operator, OptionError, Problem, ShapeError, noise_variance
from ipx_plugins.regression import RegressionOptions

_SLACK = 1e-3  # tolerance on the noise level, which may be estimated


def words(options: RegressionOptions) -> str:
    """The domain in words."""
    if translates(options):
        return "translation of images (operator identity)"
    low, high = options.sigma
    noise = f"noise sigma {low:g} to {high:g}" if high else "no noise"
    return " ".join([options.op, *options.ranges]) + f", {noise}"


def drawn(options: RegressionOptions, rng: torch.Generator) -> dict[str, Any]:
    """Random options of the operator."""
    return {name: _draw(name, values, rng) for name, values in _ranges(options)}


def seen_and_clean(
    batch: Tensor, options: RegressionOptions, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Input and target, ``(B, C, H, W)`` each: of pairs, or of simulated data."""
    if options.op == "pairs":
        clean, seen = batch.chunk(2, 1)
        return seen, clean
    return measured(batch, options, rng), batch


def measured(clean: Tensor, options: RegressionOptions, rng: torch.Generator) -> Tensor:
    """The network's input for ``clean`` ``(B, C, H, W)``: the preview of simulated data."""
    shape, values = tuple(clean.shape[1:]), drawn(options, rng)
    try:
        operator = ipx.operator(options.op, shape, **values)
    except ShapeError as e:
        other = 4 - options.colors
        try:  # the size may be what does not fit
            ipx.operator(options.op, (other, *shape[1:]), **values)
        except ShapeError:
            raise e from None
        raise ShapeError(
            f"{e}; the network has colors={options.colors}: take colors={other}"
        ) from e
    low, high = options.sigma
    sigma = low + (high - low) * torch.rand(
        clean.shape[0], 1, 1, 1, generator=rng, device=rng.device
    )
    y = operator.forward(clean)
    noise = torch.randn(y.shape, generator=rng, device=rng.device)
    return operator.preview(y + sigma.to(y.device) * noise.to(y.device))


def mismatch(problem: Problem, options: RegressionOptions) -> str:
    """What is outside the training domain of the network, in words; empty if nothing is."""
    operator: Operator[Any] = problem.operator
    if translates(options):
        same = type(operator) is type(ipx.operator("identity", operator.image_shape))
        return "" if same else type(operator).__name__
    side = 8 * multiple(options)  # a size that suits all factors
    values = {n: _first(v) for n, v in _ranges(options)}
    example = ipx.operator(options.op, (operator.image_shape[0], side, side), **values)
    if type(operator) is not type(example):
        return type(operator).__name__
    ranges = dict(_ranges(options))
    usual = example.options.to_mapping()
    for name, value in operator.options.to_mapping().items():
        inside = _within(value, ranges[name]) if name in ranges else value == usual[name]
        if not inside:
            return f"{options.op} {name}={value}"
    if type(problem.noise) is not type(ipx.noise(options.noise)):
        return f"noise {type(problem.noise).__name__}"
    level = noise_variance(problem).sqrt().max()
    if float(level) > options.sigma[1] + max(_SLACK, 0.1 * options.sigma[1]):
        return f"noise sigma {float(level):.3g}; if the data have less, tell it by --noise.sigma"
    return ""


def multiple(options: RegressionOptions) -> int:
    """Least common multiple of the super-resolution factors."""
    factors = [values for name, values in _ranges(options) if name == "factor"]
    return math.lcm(1, *(int(n) for f in factors for n in f.split("|")))


def translates(options: Any) -> bool:
    """True if the network takes pictures as they are, of no operator that is known."""
    return getattr(options, "op", "pairs") == "pairs"


def _ranges(options: RegressionOptions) -> list[tuple[str, str]]:
    return [(e.partition("=")[0], e.partition("=")[2]) for e in options.ranges]


def _first(values: str) -> str:
    return values.partition("..")[0].partition("|")[0]


def _draw(name: str, values: str, rng: torch.Generator) -> Any:
    if ".." not in values:
        choices = values.split("|")
        return choices[int(torch.randint(len(choices), (), generator=rng, device=rng.device))]
    try:
        low, high = (float(v) for v in values.split(".."))
    except ValueError:
        raise OptionError(f"varied: {name}={values} is no range LOW..HIGH") from None
    share = float(torch.rand((), generator=rng, device=rng.device))
    value = low + (high - low) * share
    return round(value) if name in ("seed", "size", "count", "thickness") else value


def _within(value: Any, values: str) -> bool:
    if ".." in values:
        low, high = (float(v) for v in values.split(".."))
        return isinstance(value, (int, float)) and low <= value <= high
    return str(value) in values.split("|")
