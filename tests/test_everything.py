"""Operator x noise x prior x solver: it improves on the degraded picture, or is refused.

The product takes hours. One combination in three of blur with Gaussian noise is tried, one in 64 of
the others, and one in eight of the solvers, by the names. The components come from the registry,
third parties' included: no list is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from zlib import crc32

import pytest
import torch
from skimage import data, transform
from torch import Tensor

import ipx
from ipx.declare.registry import registry
from ipx.declare.traits import Subject
from ipx.files import images
from ipx.numerics.metrics import psnr
from ipx.solving.build import image_shape_of, operator_from

SIZE = 32
BUDGET = 50  # enough for every solver to be better than the degraded picture
# strengths at which a picture of this size is visibly spoilt; other noises use their own default
LEVELS = {
    "photograph": {
        "gaussian": {"sigma": 0.06},
        "poisson": {"peak": 60.0},
        "poisson-gaussian": {"peak": 100.0, "sigma": 0.03},
        "speckle": {"looks": 16.0},
    },
    "face": {"gaussian": {"sigma": 0.06}},
    "digit": {"gaussian": {"sigma": 0.3}},
    "sparse": {
        "gaussian": {"sigma": 0.01},
        "poisson": {"peak": 1000.0},
        "poisson-gaussian": {"peak": 1000.0, "sigma": 0.01},
    },
}


NETWORKS = ("face", "digit")
"""What networks that take seconds describe."""

COLOURED = ("luminance", "mosaic", "pansharpen", "spectral-fusion")
"""Operators of colour images only."""


SHORT = {
    ("spectral-fusion", "stripes", "l0"): "no weight is good: -4.4 dB",
    ("varying-blur", "stripes", "range"): "admm, with few iterations: -1.0 dB",
    ("identity", "quantisation", "wavelet"): "rounding errors are not white: hqs -0.01 dB",
    ("pansharpen", "quantisation", "l1"): "bright points in 16 levels: -4.5 dB",
    ("microscope", "jpeg", "hessian"): "what is left of noise after JPEG: -0.1 dB",
    ("microscope", "quantisation", "none"): "admm sharpens rounding errors: -2.1 dB",
    ("inpaint", "jpeg", "dictionary"): "no quality is found in pictures with holes: refused",
}
"""Combinations that are known to fail, and by how much: to be mended."""


def picture(suits: Subject) -> Tensor:
    """A small photograph, one of single bright points, a face, or a digit."""
    if suits == "face" or suits == "digit":
        return torch.from_numpy(images.bundled(suits).pixels)[None]
    if suits == "sparse":
        generator = torch.Generator().manual_seed(4)
        points = torch.rand(1, 1, SIZE, SIZE, generator=generator)
        return torch.where(points > 0.98, 0.5 + 0.5 * points, 0.0)
    face = transform.resize(
        data.camera()[20:260, 120:360] / 255.0, (SIZE, SIZE), anti_aliasing=True
    )
    return torch.as_tensor(face, dtype=torch.float32)[None, None]


def names(kind: str) -> list[str]:
    return registry().names(kind)


def classical() -> list[str]:
    """The solvers that are no trained networks."""
    return [s.name for s in registry().all("solver") if not s.traits_for().own_prior]


def combinations() -> Iterator[tuple[str, str, str]]:
    subjects = {prior.name: prior.traits_for().suits for prior in registry().all("prior")}
    for op in registry().all("operator"):
        if ipx.Adjoint not in op.capabilities():
            continue  # such data, edges for example, are for networks that learn from pairs
        facts = op.traits_for()
        for noise in names("noise"):
            images_only = registry().get("noise", noise).traits_for().images
            if images_only and (facts.signed or facts.absolute):
                continue  # there are no such data
            for prior, suits in subjects.items():
                # a network takes seconds where others take milliseconds: Gaussian noise, and data
                # like those that others see, only; blur, and one other operator in three
                plain = noise == "gaussian" and not facts.signed
                if op.name in COLOURED and suits == "digit":
                    continue  # grey
                slow = suits in NETWORKS
                tried = not slow or op.name == "blur" or chosen(3, op.name, prior)
                common = (op.name, noise) == ("blur", "gaussian")
                tried = tried and chosen(3 if common else 64, op.name, noise, prior)
                if tried and (plain or not slow):
                    yield op.name, noise, prior


def chosen(among: int, *words: str) -> bool:
    """One in so many, by the names."""
    return crc32(" ".join(words).encode()) % among == 0


@cache
def measured(op: str, noise: str, suits: Subject) -> tuple[Tensor, Tensor]:
    truth = picture(suits)
    if op in COLOURED and truth.shape[1] == 1:
        truth = truth * torch.tensor([0.9, 0.7, 0.5]).view(1, 3, 1, 1)
    model = {"name": noise, **LEVELS[suits].get(noise, {})}
    return truth, ipx.degrade(truth, op=op, noise=model, seed=3)


def plain(op: str, y: Tensor) -> Tensor:
    """The degraded picture at the size of the truth, each pixel as it was measured.

    For super-resolution this is not the bicubic interpolation, which is a restoration already.
    """
    operator = operator_from(op, image_shape_of(op, tuple(y.shape[1:])))
    return ipx.LinearOperator.preview(operator, y)


def quality(x: Tensor, truth: Tensor) -> float:
    return float(psnr(x, truth, clip=False))


@cache
def automatic(op: str, noise: str, prior: str) -> ipx.Restoration:
    spec = registry().get("prior", prior)
    suits = spec.traits_for().suits
    _, y = measured(op, noise, suits)
    model = {"name": noise, **LEVELS[suits].get(noise, {})}
    budget = BUDGET if suits in NETWORKS else 2 * BUDGET
    if ipx.Denoise in spec.capabilities():
        budget = None  # its schedule has a length of its own
    return ipx.solve(y, op=op, noise=model, prior=prior, iterations=budget)


@pytest.mark.slow
@pytest.mark.parametrize(("op", "noise", "prior"), list(combinations()))
def test_improves_or_is_refused(
    op: str, noise: str, prior: str, request: pytest.FixtureRequest
) -> None:
    if (op, noise, prior) in SHORT:
        request.applymarker(pytest.mark.xfail(reason=SHORT[op, noise, prior], strict=True))
    suits = registry().get("prior", prior).traits_for().suits
    truth, y = measured(op, noise, suits)
    model = {"name": noise, **LEVELS[suits].get(noise, {})}
    try:
        best = automatic(op, noise, prior)
    except ipx.MissingExtraError as e:
        # a network without weights yet; a prior is named after its network, MODEL-FORMULATION
        assert f"ipx train {prior.partition('-')[0]}" in str(e)
        return
    except ipx.PlanError as e:
        # nothing fits: then each solver must say no, and why
        assert "no solver fits" in str(e)
        for solver in classical():
            with pytest.raises(ipx.PlanError, match="does not fit"):
                ipx.solve(y, op=op, noise=model, prior=prior, solver=solver, lam=0.01)
        return
    before = quality(plain(op, y), truth)
    gains = {"auto": quality(best.x, truth) - before}
    for solver in () if suits in NETWORKS else names("solver"):  # theirs: test_generative
        if not chosen(8, op, noise, prior, solver):
            continue
        try:
            how = ipx.solve(
                y,
                op=op,
                noise=model,
                prior=prior,
                solver=solver,
                lam=best.lam if best.lam is not None else 1.0,
                iterations=BUDGET,
            )
        except ipx.PlanError as e:
            assert "solvers that fit" in str(e) or "was trained for" in str(e)
            continue
        except ipx.MissingExtraError as e:
            assert "ipx train" in str(e)
            continue
        assert how.status != ["diverged"], solver
        gains[solver] = quality(how.x, truth) - before
    model, _, formulation = prior.partition("-")
    if formulation and model in ("vae", "gan"):
        # with a model that knows little, x is not much nearer to the truth than the model is
        latent = ipx.prior(f"{model}-synthesis")
        assert ipx.has(latent, ipx.Latent)
        nearest = latent.decode(latent.encode(truth), tuple(truth.shape[1:]))
        assert quality(best.x, truth) > quality(nearest, truth) - 3
        return
    bad = {s: round(g, 2) for s, g in gains.items() if not g > 0}
    assert not bad, f"no better than the degraded picture: {bad}; all: {gains}"
