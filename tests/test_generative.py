"""Generative priors: the formulations, their solvers, where they begin, what goes wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

import ipx
from ipx.files.images import bundled
from ipx.parts.weights import save_weights
from ipx.solving.attach import attach, plan_for
from ipx.solving.codes import Decoded, OnCodes
from ipx.solving.loop import iterate
from ipx.solving.problem import Problem

SIZE = 16


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Small models with random weights: what is tested holds for any."""
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name, plugin, options in (
        ("glow", "flow", {"steps": 2, "levels": 2, "width": 8}),
        ("additive", "flow", {"steps": 2, "levels": 2, "width": 8, "coupling": "additive"}),
        ("vae", "vae", {"size": SIZE, "latent": 6, "width": 4}),
    ):
        torch.manual_seed(5)
        kind = "glow" if plugin == "flow" else name
        model = ipx.model(kind, **options)
        net = model.network()
        with torch.no_grad():
            model.initialise(net, pictures(4))
            for p in net.parameters():
                p.add_(0.02 * torch.randn_like(p))
        path = folder / f"{name}.safetensors"
        card = {"model": f"{plugin}/{kind}", "options": model.options.to_mapping()}
        save_weights(path, net.state_dict(), card)
        made[name] = str(path)
    return made


def pictures(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Smooth random pictures."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, channels, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(small, size=(SIZE, SIZE), mode="bicubic").clamp(0, 1)


def face() -> Tensor:
    """The bundled face, ``(1, 3, 64, 64)``."""
    return torch.from_numpy(bundled("face").pixels)[None].float()


def prior(name: str, weights: dict[str, str], **options: Any) -> ipx.Prior[Any]:
    return ipx.prior(name, weights=weights[name.split("-")[0]], **options)


def problem(regulariser: ipx.Prior[Any], x: Tensor, lam: float = 1e-3, **more: Any) -> Problem:
    operator = ipx.operator("blur", tuple(x.shape[1:]))
    noise = ipx.noise("gaussian", sigma=0.02)
    y = noise.sample(operator(x), torch.Generator().manual_seed(1))
    return Problem(y, operator, noise, regulariser, lam, **more)


# ---------------------------------------------------------------- formulations


def test_synthesis_and_analysis_of_a_flow_are_one_function(weights: dict[str, str]) -> None:
    """At x = D(z) both objectives are 1/2 |A x - y|^2 + lam |z|^2 (an identity of flows)."""
    x = pictures(2).double()
    analysis, synthesis = (prior(f"glow-{f}", weights) for f in ("analysis", "synthesis"))
    one = problem(analysis, x)
    two = attach(problem(synthesis, x), plan_for(problem(synthesis, x), ipx.solver("adam")))
    assert isinstance(two.operator, Decoded)
    assert isinstance(two.prior, OnCodes)
    z = analysis.encode(x)  # type: ignore[attr-defined]  # it has a code
    assert torch.allclose(one.objective(x), two.objective(z), rtol=1e-9)
    assert torch.allclose(two.picture(z), x, atol=1e-9)


def test_map_is_analysis_and_the_determinant(weights: dict[str, str]) -> None:
    x = pictures(2).double()
    free = prior("glow-map", weights, smoothing=False)
    code = (prior("glow-analysis", weights).encode(x) ** 2).sum(1)  # type: ignore[attr-defined]
    made = prior("glow-map", weights)
    model, net = made.generator, made.net(x)  # type: ignore[attr-defined]
    determinant = net(x)[1]
    n = x[0].numel()
    wanted = code / 2 - determinant + n * math.log(2 * math.pi) / 2
    assert torch.allclose(free.value(x), wanted, rtol=1e-9)  # type: ignore[attr-defined]
    assert torch.allclose(model.log_prob(net, x), -wanted, rtol=1e-9)
    drawn = [made.grad_draw(x, k) for k in (1, 1, 2)]  # type: ignore[attr-defined]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_map_and_analysis_of_an_additive_flow_are_one_function(weights: dict[str, str]) -> None:
    """-log p is |E(x)|^2 / 2 up to a constant: smooth, without noise, for quasi-Newton steps."""
    x = pictures(3).double()
    files = {"weights": weights["additive"]}
    density: Any = ipx.prior("glow-map", **files)
    code: Any = ipx.prior("glow-analysis", **files)
    apart = density.value(x) - code.value(x) / 2
    assert torch.allclose(apart, apart[0].expand(3), rtol=0, atol=1e-9 * float(code.value(x)[0]))
    assert torch.allclose(density.grad(x), code.grad(x) / 2, rtol=1e-9)
    assert not ipx.has(density, ipx.StochasticGrad)
    # the same weight of |E(x)|^2: both are the maximum a posteriori
    assert density.traits.lam_per_variance == 2 * code.traits.lam_per_variance == 1
    free: Any = "auto"
    for made in (density, code):
        assert plan_for(problem(made, x), free).solver.name == "lbfgs"
    affine = prior("glow-map", weights)  # whose gradient is random
    assert plan_for(problem(affine, x), free).solver.name == "adam"


def test_analysis_of_a_gaussian_flow_is_the_posterior_mean(tmp_path: Path) -> None:
    """A fresh additive flow is N(1/2, I), for which the MAP has a closed form."""
    x, variance = pictures(2).double(), 0.3
    y = x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).double()
    model = ipx.model("glow", steps=2, levels=2, width=8, coupling="additive")
    card = {"model": "flow/glow", "options": model.options.to_mapping()}
    save_weights(tmp_path / "fresh.safetensors", model.network().state_dict(), card)
    made = ipx.prior("glow-analysis", weights=str(tmp_path / "fresh.safetensors"))
    begun = Problem(y, ipx.operator("identity", (3, SIZE, SIZE)),
                    ipx.noise("gaussian", sigma=variance**0.5), made, variance / 2)  # fmt: skip
    found = iterate(begun, ipx.solver("lbfgs"), tol=1e-8).x
    wanted = (y + variance * 0.5) / (1 + variance)
    assert float((found - wanted).abs().max()) < 1e-5


def test_weight_follows_from_the_noise(weights: dict[str, str]) -> None:
    y = problem(prior("glow-map", weights), pictures(1)).y
    table = {"glow-map": 1.0, "glow-analysis": 0.5, "glow-synthesis": 0.5}
    for name, share in table.items():
        how = ipx.solve(
            y, op="blur", noise={"name": "gaussian", "sigma": 0.03}, prior=prior(name, weights),
            iterations=2,
        )  # fmt: skip
        assert how.lam == pytest.approx([share * 0.03**2])
    warm = prior("glow-map", weights, temperature=0.25)
    how = ipx.solve(
        y, op="blur", noise={"name": "gaussian", "sigma": 0.03}, prior=warm, iterations=2
    )
    assert how.lam == pytest.approx([0.25 * 0.03**2])


def test_sparse_deviation_keeps_any_picture(weights: dict[str, str]) -> None:
    made = prior("vae-sparse-deviation", weights)
    x = pictures(2, seed=3)
    z = made.encode(x)  # type: ignore[attr-defined]
    assert z.shape == (2, 6 + 3 * SIZE**2)
    assert torch.allclose(made.decode(z, (3, SIZE, SIZE)), x, atol=1e-5)  # type: ignore[attr-defined]
    with pytest.raises(ipx.UsageError, match="vae and gan"):
        ipx.prior("vae-sparse-deviation", model="glow", weights=weights["glow"]).code_value(z)  # type: ignore[attr-defined]


def test_joint_ends_in_the_range(weights: dict[str, str]) -> None:
    made = prior("vae-joint", weights)
    torch.manual_seed(0)
    truth = made.decode(torch.randn(1, 6), (3, SIZE, SIZE))  # type: ignore[attr-defined]
    how = ipx.solve(
        problem(made, truth).y, op="blur", noise={"name": "gaussian", "sigma": 0.02}, prior=made,
        iterations=6,
    )  # fmt: skip
    assert how.plan.solver.name == "jpmap"
    state: Any = how.result.state
    apart = (how.x - made.decode(state.z, (3, SIZE, SIZE))).square().mean().sqrt()  # type: ignore[attr-defined]
    start = state.beta.new_tensor(0.1 / made.deviation() ** 2)  # type: ignore[attr-defined]
    assert float(apart) < 2 / 255 or bool((state.beta > start).all())
    assert float(ipx.psnr(how.x, truth).mean()) > float(ipx.psnr(how.before, truth).mean())


@settings(max_examples=8, deadline=None)
@given(
    height=st.integers(5, 21),
    width=st.integers(5, 21),
    channels=st.sampled_from([1, 3]),
    name=st.sampled_from(["glow-analysis", "glow-map", "glow-patches"]),
)
def test_any_size_grey_or_colour(
    weights: dict[str, str], height: int, width: int, channels: int, name: str
) -> None:
    made: Any = prior(name, weights)
    x = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(height))
    value, slope = made.value(x), made.grad(x)
    assert value.shape == (2,)
    assert slope.shape == x.shape
    assert bool(slope.isfinite().all())
    assert torch.allclose(made.value(x[1:]), value[1:], rtol=1e-4)
    z = made.encode(x)
    assert z.shape == (2, made.code_size(tuple(x.shape[1:])))
    assert torch.allclose(made.decode(z, tuple(x.shape[1:])), x, atol=1e-3)


def test_a_model_of_one_size_says_which(weights: dict[str, str]) -> None:
    with pytest.raises(ipx.ShapeError, match=f"{SIZE}"):
        ipx.solve(torch.rand(3, 20, 20), op="blur", prior=prior("vae-analysis", weights))


# ---------------------------------------------------------------- solving


EVERY = [
    "glow-analysis", "glow-synthesis", "glow-map", "glow-hqs", "glow-patches",
    "vae-analysis", "vae-synthesis", "vae-map", "vae-joint", "vae-sparse-deviation",
]  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_a_batch_gives_what_its_images_give(weights: dict[str, str], name: str) -> None:
    made = prior(name, weights)
    y = problem(made, pictures(16)).y
    how: Any = {
        "op": "blur", "noise": {"name": "gaussian", "sigma": 0.02}, "prior": made, "iterations": 3,
        "start": "preview",
    }  # fmt: skip
    if name in ("glow-analysis", "glow-synthesis", "glow-map"):
        how["solver"] = "adam"  # long steps, which blow up what is rounded otherwise
    if name in ("glow-hqs", "vae-joint"):
        how["iterations"] = 1  # of dozens of steps
    whole = ipx.solve(y, **how).x
    alone = ipx.solve(y[7:8], **how).x
    assert float((whole[7:8] - alone).abs().max()) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glow-map", "vae-joint", "gan-analysis"])
def test_a_batch_of_faces_gives_what_its_faces_give(name: str) -> None:
    """With the shipped weights, as `ipx solve` would."""
    x = torch.cat([face().roll(i, 3) for i in range(6)])
    noise = {"name": "gaussian", "sigma": 0.02}
    y = ipx.degrade(x, op="blur", noise=noise, seed=1)
    how: Any = {
        "op": "blur", "noise": noise, "iterations": 1 if name == "vae-joint" else 5,
        "prior": ipx.prior(name, weights="faces"),
    }  # fmt: skip
    whole = ipx.solve(y, **how).x
    for i in (0, 5):
        alone = ipx.solve(y[i : i + 1], **how).x
        assert float((whole[i : i + 1] - alone).abs().max()) < 1e-4


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gradient"])
@pytest.mark.parametrize(
    "name", ["glow-analysis", "glow-synthesis", "vae-synthesis", "vae-analysis"]
)
def test_the_objective_falls(weights: dict[str, str], name: str, solver: str) -> None:
    made = prior(name, weights)
    begun = problem(made, pictures(2))
    algorithm = ipx.solver(solver)
    begun = attach(begun, plan_for(begun, algorithm))
    before = begun.objective(begun.start())
    result = iterate(begun, algorithm, iterations=5, tol=0.0, observers=[ipx.BestSoFar()])
    assert result.x.shape == (2, 3, SIZE, SIZE)
    assert bool((result.objective < before).all())


def test_known_pixels_are_kept_when_there_is_no_noise(weights: dict[str, str]) -> None:
    x = pictures(2)
    op = {"name": "inpaint", "missing": 0.5}
    free = {"name": "gaussian", "sigma": 0.0}
    y = ipx.degrade(x, op=op, noise=free)
    for name in ("glow-map", "glow-synthesis"):
        how = ipx.solve(y, op=op, noise=free, prior=prior(name, weights), iterations=5)
        seen = ipx.operator("inpaint", (3, SIZE, SIZE), missing=0.5).known(y)
        assert seen is not None
        seen = seen.expand_as(y)
        assert torch.equal(how.x[seen], y[seen])


def test_best_iterate_is_no_worse_than_the_last(weights: dict[str, str]) -> None:
    begun = problem(prior("glow-analysis", weights), pictures(2))
    wild = ipx.solver("adam", step=0.2)
    last = iterate(begun, wild, iterations=12, tol=0.0)
    best = iterate(begun, wild, iterations=12, tol=0.0, observers=[ipx.BestSoFar()])
    assert bool((best.objective <= last.objective).all())
    assert torch.allclose(begun.objective(best.x), best.objective)


# ---------------------------------------------------------------- starts


def test_starts(weights: dict[str, str]) -> None:
    made = prior("glow-analysis", weights)
    y = problem(made, pictures(2)).y.clamp(0, 1)
    how: Any = {"op": "blur", "noise": {"name": "gaussian", "sigma": 0.02}, "prior": made}
    mean = ipx.solve(y, **how, start="mean", iterations=1, solver="adam").x
    wanted = made.decode(torch.zeros(2, 3 * SIZE**2), (3, SIZE, SIZE))  # type: ignore[attr-defined]
    assert float((mean - wanted).abs().max()) < 0.03  # one step of 0.02 away from D(0)
    one, two, three = (
        ipx.solve(y, **how, start="random", seed=s, iterations=1, solver="adam").x
        for s in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    smooth = ipx.solve(y, op="blur", noise=how["noise"], prior="smooth").x
    begun = ipx.solve(y, **how, start="smooth", iterations=1, solver="adam").x
    assert float((begun - smooth).abs().max()) < 0.03


@pytest.mark.slow
def test_random_starts_end_at_one_picture() -> None:
    """Map, from three random codes: it forgets where it began."""
    x, shape = face(), (3, 64, 64)
    made: Any = ipx.prior("glow-map", weights="faces")
    operator, noise = ipx.operator("blur", shape), ipx.noise("gaussian", sigma=0.02)
    y = noise.sample(operator(x), torch.Generator().manual_seed(1)).expand(3, -1, -1, -1)
    z = torch.randn(3, made.code_size(shape), generator=torch.Generator().manual_seed(2))
    begun = Problem(y, operator, noise, made, 0.5 * 0.02**2, x0=made.decode(0.7 * z, shape))
    one, *others = begun.start()
    assert min(float((one - other).square().mean().sqrt()) for other in others) > 0.1
    ended = iterate(begun, ipx.solver("lbfgs")).x
    scores = ipx.psnr(ended, x.expand_as(ended))
    assert float(scores.max() - scores.min()) < 0.3


def test_restarts_keep_the_lowest_objective(weights: dict[str, str]) -> None:
    made = prior("vae-synthesis", weights)
    y = problem(made, pictures(2)).y
    how: Any = {
        "op": "blur", "noise": {"name": "gaussian", "sigma": 0.02}, "prior": made,
        "start": "random", "iterations": 4, "solver": "adam",
    }  # fmt: skip
    each = torch.stack([ipx.solve(y, **how, seed=s).result.objective for s in (3, 4, 5)])
    best = ipx.solve(y, **how, seed=3, restarts=3).result
    assert torch.allclose(best.objective, each.min(0).values)


def test_restarts_compare_objectives_at_one_weight(weights: dict[str, str]) -> None:
    """Each start chose its own, and the record told that of the last."""
    made = prior("vae-synthesis", weights)
    made.traits = replace(made.traits, lam_per_variance=None)  # so that a tuner chooses it
    y = problem(made, pictures(1)).y
    how: Any = {
        "op": "blur", "noise": {"name": "gaussian", "sigma": 0.02}, "prior": made,
        "tuner": {"name": "discrepancy", "evaluations": 2}, "start": "random", "iterations": 3,
    }  # fmt: skip
    first = ipx.solve(y, **how, seed=3)
    best = ipx.solve(y, **how, seed=3, restarts=2)
    assert best.lam == first.lam
    assert best.trace == first.trace
    assert best.trace != ipx.solve(y, **how, seed=4).trace  # that of the last start


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"start": "mean"}, "priors with a decoder"),
        ({"start": "smoth"}, "did you mean smooth"),
        ({"restarts": 3}, "goes with start random"),
        ({"restarts": 0, "start": "random"}, ">= 1 and <= 1000, not 0"),
    ],
)
def test_starts_that_make_no_sense(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ipx.OptionError, match=says):
        ipx.solve(torch.rand(8, 8), op="blur", prior="tv", lam=0.01, **values)


# ---------------------------------------------------------------- nothing that is not finite


class Cliff(ipx.Prior[ipx.NoOptions]):
    """|x|^2 / 2, with no gradient beyond a value; ``fatal``: nowhere at all."""

    def __init__(self, fatal: bool) -> None:
        super().__init__()
        self.fatal = fatal

    def value(self, x: Tensor) -> Tensor:
        return (x * x).flatten(1).sum(1) / 2

    def grad(self, x: Tensor) -> Tensor:
        over = self.fatal | (x > 0.9).flatten(1).any(1)
        return torch.where(over.view(-1, 1, 1, 1), torch.nan, x)


def test_a_step_without_gradient_is_halved_and_retried() -> None:
    y = torch.full((2, 1, 8, 8), 0.899)
    y[1] = 0.5
    y[0, 0, 0, 0] = 1.2  # pulls the first picture over the cliff
    found = Problem(y, ipx.operator("identity", (1, 8, 8)), ipx.noise("gaussian", sigma=0.1),
                    Cliff(False), 1e-3, torch.full_like(y, 0.85))  # fmt: skip
    result = iterate(found, ipx.solver("adam", step=0.1), iterations=60)
    assert bool(result.x.isfinite().all())
    assert result.status[0] != "diverged"
    alone = Problem(y[1:], found.operator, found.noise, found.prior, 1e-3, found.start()[1:])
    assert torch.equal(iterate(alone, ipx.solver("adam", step=0.1), iterations=60).x, result.x[1:])


def test_without_any_gradient_it_has_diverged() -> None:
    y = torch.full((1, 1, 8, 8), 0.5)
    found = Problem(y, ipx.operator("identity", (1, 8, 8)), ipx.noise("gaussian", sigma=0.1),
                    Cliff(True), 1e-3)  # fmt: skip
    result = iterate(found, ipx.solver("adam"), iterations=60)
    assert result.status == ["diverged"]
    assert torch.equal(result.x, y)  # the last good one: the start


@pytest.mark.slow
def test_digits_of_the_flow_against_total_variation() -> None:
    """The digits are what another model draws."""
    gan = ipx.prior("gan-synthesis", weights="digits")
    z = torch.randn(2, gan.code_size((1, 32, 32)), generator=torch.Generator().manual_seed(5))
    x = gan.decode(z, (1, 32, 32))
    noise = {"name": "gaussian", "sigma": 0.1}
    op = {"name": "inpaint", "missing": 0.6}
    y = ipx.degrade(x, op=op, noise=noise, seed=0)
    digits = ipx.prior("glow-map", weights="digits")
    flow = ipx.solve(y, op=op, noise=noise, prior=digits).x
    edges = ipx.solve(y, op=op, noise=noise, prior="tv").x
    assert float((ipx.psnr(flow, x) - ipx.psnr(edges, x)).mean()) > 1
