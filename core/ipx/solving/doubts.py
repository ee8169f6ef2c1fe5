"""What is wrong with a restored image, as far as the image and the data show it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ipx.numerics.ends import cut_off
from ipx.numerics.tensors import column, image_sum, planes
from ipx.parts.linear import LinearOperator, is_identity
from ipx.solving.levels import PLANES
from ipx.solving.problem import Problem, known_count, noise_deviation
from ipx.solving.progress import Result
from ipx.solving.stop import stops_at_noise

OUTSIDE, FAR_OUTSIDE = 0.1, 0.5
"""Distances from the range of the data, as shares of it, that count as outside and far outside."""

SOME, UNSOUND, MUCH = 0.05, 0.07, 0.2
"""Shares of values outside that make an image doubtful, call for a larger weight, are wrong."""

FITTED = 0.05
"""Share of the expected data term below which the noise is fitted."""

ROUGHER = 3.0
"""How much rougher than the data, where these are smoothest, a result may be."""

SLIGHT = 0.01
"""Standard deviation below which estimated noise may be the texture of a clean photograph."""

GREY = 0.1
"""Share of the values between the ends of the range without which an image is black and white."""

KEPT = 0.001
"""Root mean square of the change that does not count: 60 dB."""


def doubts(
    result: Result, x: Tensor, before: Tensor, automatic: bool
) -> tuple[list[str], list[bool]]:
    """One line for each reason to doubt a result, and per image True if it is surely wrong.

    Args:
        result: the solution.
        x: its picture, as it is handed out, ``(B, C, H, W)``.
        before: the data as an image, likewise.
        automatic: the weight was chosen, so that it depends on the noise level.
    """
    problem = result.problem
    found: list[str] = []
    x, before = x.detach(), before.detach()
    if "diverged" in result.status:
        found.append(_diverged(result))
    shares, far = _outside(x, framed(before, problem))
    some = float(shares.amax())
    if some > SOME:
        found.append(
            f"{100 * some:.0f} % of the restored values lie outside the range of the data; the "
            "operator or the noise level may be wrong"
        )
    if float(_amplified(x, before).amax()) > ROUGHER:
        found.append(
            "noise or texture is amplified: smooth parts are rougher than in the data; the "
            "operator may be wrong, or the weight of the prior too small"
        )
    if _fitted(problem, result):
        found.append(
            "the data are fitted far below the noise level: the weight of the prior is too small"
        )
    missed = _missed(problem, result)
    if missed > 1:
        level = problem.noise.traits.level
        ways = ["more iterations"] if "budget" in result.status else []
        ways += [w for w in (problem.noise.wider, f"another {level}" if level else "") if w]
        found.append(
            f"the noise level was not reached, at which the iterations are to stop: the misfit is "
            f"{missed:.3g} times what this noise leaves, so that noise may be fitted; try "
            f"{' or '.join(ways) or 'another noise model'}"
        )
    slight = _slight(problem, x, before) if automatic else None
    if slight is not None:
        found.append(
            f"the noise was estimated as only {slight:.2g}, for which fine texture can be mistaken:"
            " if the image is clean, it lost detail; tell the noise level"
        )
    found += _cut(problem)
    if x.shape == before.shape and float((x - before).abs().flatten(1).amax(1).min()) <= 1e-6:
        found.append("nothing was changed: the result is the degraded image")
    return found, (far > MUCH).tolist()


def _diverged(result: Result) -> str:
    """What ended the iterations."""
    return (
        f"{result.plan.solver.name} with prior {result.plan.prior} diverged: step "
        f"{int(result.iterations.max())} gave values that are not finite, or an objective a "
        "thousand times as large; the result is the last sound one"
    )


def framed(before: Tensor, problem: Problem) -> Tensor:
    """The data as an image ``before``, without the extremes of noise where they are no image.

    Back-projection of measurements makes more noise than these have, so that any result would lie
    within its range. The extremes are moved inwards by the largest of n Gaussian values of that
    noise, sqrt(2 log n) standard deviations.
    """
    traits = problem.physical.traits
    if problem.hard or not (traits.signed or traits.absolute):
        return before
    y = problem.y
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (1, *y.shape[1:]), generator=generator) * 2.0 - 1.0
    noise = problem.physical.preview(signs.to(y) * problem.noise.deviation(y))
    margin = math.sqrt(2 * math.log(noise[0].numel())) * noise.flatten(1).std(1)
    low, high = before.flatten(1).amin(1) + margin, before.flatten(1).amax(1) - margin
    middle = (low + high) / 2
    low, high = (column(end, before) for end in (low.minimum(middle), high.maximum(middle)))
    return torch.minimum(torch.maximum(before, low), high)


def unsound(x: Tensor, before: Tensor) -> Tensor:
    """True for images of which a notable share lies outside the range of the data, ``(B,)``.

    Rough smooth parts do not count: text that was blurred rightly looks so.
    """
    return _outside(x, before)[0] > UNSOUND


def _outside(x: Tensor, before: Tensor) -> list[Tensor]:
    """The shares of values outside and far outside the range of the data, [0, 1] included."""
    low, high = before.flatten(1).amin(1).clamp(max=0), before.flatten(1).amax(1).clamp(min=1)
    values, low, high = x.flatten(1), low[:, None], high[:, None]
    shares = []
    for distance in (OUTSIDE, FAR_OUTSIDE):
        margin = distance * (high - low)
        beyond = (values < low - margin) | (values > high + margin)  # bits: volumes are large
        shares.append(beyond.sum(1) / values.shape[1])
    return shares


def _amplified(x: Tensor, before: Tensor) -> Tensor:
    """Ratio of the details of x and the data in the smoothest quarter of x, ``(B,)``.

    Details below 2 % of the range do not count.
    """
    if min(x.shape[-2:]) < 16 or x.shape[1:] != before.shape[1:]:
        return x.new_zeros(x.shape[0])
    rough, was = _details(x), _details(before)
    smooth = torch.quantile(rough[:, :1_000_000], 0.25, dim=1)
    usual = torch.quantile(was[:, :1_000_000], 0.25, dim=1)
    return smooth / usual.clamp_min(0.02)


def _details(x: Tensor) -> Tensor:
    """Local root mean square, over 8 x 8 pixels, of second differences of norm 1.

    Of volumes those of some planes.
    """
    grey = planes(x, PLANES).mean(1, keepdim=True)
    details = grey.diff(2, -1).diff(2, -2) / 6
    local = functional.avg_pool2d(details.square_(), 8).sqrt()
    return local.view(len(x), -1)


def _slight(problem: Problem, x: Tensor, before: Tensor) -> float | None:
    """The noise level of a denoised image that may have been clean; None if there is none."""
    if not problem.estimated or x.shape != before.shape:
        return None
    operator = problem.operator
    if not (isinstance(operator, LinearOperator) and is_identity(operator, problem.y)):
        return None
    level = noise_deviation(problem)
    change = (x - before).square().flatten(1).mean(1).sqrt()
    doubtful = (level < SLIGHT) & (change > KEPT)
    return float(level[doubtful].amax()) if bool(doubtful.any()) else None


def _cut(problem: Problem) -> list[str]:
    """`cut_noise` of data that are images, with white noise: counts and outliers are cut off."""
    y, traits = problem.y, problem.physical.traits
    images = y.ndim >= 4 and not (traits.signed or traits.absolute or traits.complex)
    if problem.hard or not images or not problem.data.quadratic:
        return []
    return cut_noise(y, problem.operator.known(y))


def cut_noise(y: Tensor, known: Tensor | None) -> list[str]:
    """A line if noise is cut off at an end of the range of an image.

    The mean of such noise is not zero, so that no data term fits it.

    Args:
        y: images, ``(B, C, H, W)`` or ``(B, C, D, H, W)``.
        known: true where a value was measured, in a shape that broadcasts to y; None: everywhere.
    """
    seen = torch.ones_like(y) if known is None else known.expand_as(y).to(y)
    worst = 0.0
    low, high = y.flatten(1).amin(1), y.flatten(1).amax(1)
    inner = ((y > column(low, y)) & (y < column(high, y))).to(y)
    # few values within the range: a halftone, a code, a pattern
    grey = image_sum(inner * seen) > GREY * image_sum(seen)
    for end in (low, high):
        share, cut = cut_off((y == column(end, y)).to(y), seen, image_sum)
        worst = max(worst, float((share * (cut & grey)).amax()))
    if worst == 0:
        return []
    return [
        f"noise is cut off at the end of the range, in {100 * worst:.0f} % of the values: flat "
        "parts there are off, and so is the noise level; keep negative values, in float32"
    ]


def _missed(problem: Problem, result: Result) -> float:
    """The largest ratio of the misfit to its expectation where only this stops the iterations.

    0 for others: with a weight, with a prior that bounds the fit, and where the solver ended by its
    own schedule.
    """
    ran = [status in ("converged", "budget") for status in result.status]
    if not stops_at_noise(problem, result.plan.solver.traits_for()) or problem.prior.traits.informs:
        return 0.0
    expected = problem.noise.expected(problem.y, known_count(problem)).clamp_min(1e-30)
    ratio = problem.data.value(result.unknown) / expected
    return max((float(r) for r, on in zip(ratio, ran, strict=True) if on), default=0.0)


def _fitted(problem: Problem, result: Result) -> bool:
    """True if noise of a known level is fitted: the data term is far below its expectation.

    Not asked where the data hardly determine the image, so that any image fits them.
    """
    told = problem.noise.level is not None and not problem.estimated
    if problem.hard or not told or problem.code is not None:
        return False
    count = known_count(problem)
    if float(count.amin()) < 0.5 * result.x[0].numel():
        return False
    expected = problem.noise.expected(problem.y, count)
    ratio = problem.data.value(result.unknown) / expected.clamp_min(1e-30)
    noisy = expected / count > 5e-7  # a standard deviation above 0.001
    return bool(((ratio < FITTED) & noisy).any())
