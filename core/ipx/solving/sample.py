"""Running samplers: chains, warm-up, thinning, what is kept of the draws, and what they tell."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Value, has
from ipx.errors import OptionError, UsageError
from ipx.numerics.histogram import Histogram
from ipx.numerics.mixing import ess, rhat
from ipx.numerics.tensors import column
from ipx.numerics.welford import Moments
from ipx.parts.component import Component
from ipx.planning.plan import Plan
from ipx.solving.draws import Chain, Tally, merged, pixel_ess, pixel_rhat
from ipx.solving.loop import attached, frozen
from ipx.solving.observers import AnyObserver, Observer
from ipx.solving.posterior import Lengths, Posterior, Statistic
from ipx.solving.problem import Problem, known_count, noise_deviation
from ipx.solving.progress import Progress
from ipx.solving.sampler import Random, Sampler, temperature
from ipx.solving.states import load_state, save_state

GRID = 4
"""The mean of each of GRID x GRID parts of the picture is watched."""

CHECKPOINT = 60.0
"""Seconds between two checkpoints."""

_PREDICTED, _DISPERSED = 1 << 40, 1 << 41
"""Offsets of the number of a chain, for random numbers that are not those of its steps."""

SAMPLES = ".samples"
"""What the folder of draws that are kept whole adds to the name of the checkpoint."""

Watch = Callable[[Tensor], Tensor]
"""A number of a picture: ``(B, C, H, W)`` to ``(B,)``."""


def sample(
    problem: Problem,
    sampler: Sampler[Any, Any],
    *,
    start: Tensor | None = None,
    draws: int | None = None,
    chains: int | None = None,
    thin: int | None = None,
    warmup: int | None = None,
    interval: float | None = None,
    keep: int = 0,
    watch: Mapping[str, Watch] | None = None,
    seed: int = 0,
    plan: Plan | None = None,
    observers: Sequence[AnyObserver] = (),
    checkpoint: str | os.PathLike[str] | None = None,
) -> Posterior:
    """Draw from the posterior exp(-(f + lam R) / T), T from the noise level.

    Args:
        problem: the problem with its weight; a plan for the sampler is attached if it has none.
        sampler: the Markov chain.
        start: the picture from which the chains start, ``(B, C, H, W)``; by default that of the
            problem. All but the first chain start at a distance of twice the noise from it.
        draws: draws kept of all chains together; by default `Sampler.draws`.
        chains: number of chains, by default 2; 1 for independent draws.
        thin: steps between two draws that are kept; by default that of the sampler.
        warmup: steps of each chain before the first draw, in which steps are adapted.
        interval: percentage of the posterior between ``lower`` and ``upper``; None for no bounds.
        keep: number of draws kept whole, evenly over the run.
        watch: further numbers of a picture that are watched, by name; without a hidden border.
        seed: seed of the random numbers.
        plan: the bridges to use; made here when None.
        observers: called with an `ipx.Progress` after each draw.
        checkpoint: a file written every minute; a run that finds its own there goes on from it to
            the same bits as without the interruption. It is left in place. Draws that are kept
            whole are then written one by one to files in the folder CHECKPOINT.samples, of which
            `Posterior.samples` are maps: memory does not grow with their number.

    Returns:
        The moments, quantiles and statistics of the draws, and whether the chains have mixed.

    Raises:
        PlanError: sampler and problem do not fit, or the data are free of noise.
        OptionError: an argument is out of range.
    """
    began = time.perf_counter()
    lengths = _lengths(sampler, draws, chains, thin, warmup)
    _check(lengths, interval, keep)
    problem = attached(problem, sampler, plan)
    run = _Run(problem, sampler, lengths, seed, keep, dict(watch or {}), checkpoint)
    with torch.no_grad():
        tally = run.ended(start, observers, began)
        return run.result(tally, interval, time.perf_counter() - began)


def kept_in(checkpoint: str | os.PathLike[str]) -> Path:
    """The folder of the draws that are kept whole."""
    return Path(f"{os.fspath(checkpoint)}{SAMPLES}")


def _lengths(
    sampler: Sampler[Any, Any],
    draws: int | None,
    chains: int | None,
    thin: int | None,
    warmup: int | None,
) -> Lengths:
    """Those asked for; None leaves one to the sampler. ``draws`` are those of all chains."""
    alone = sampler.independent
    chains = (1 if alone else 2) if chains is None else chains
    total = sampler.draws if draws is None else draws
    thin = sampler.thin if thin is None else thin
    each = max(math.ceil(total / max(chains, 1)), 1)
    usual = each * thin // 2 if sampler.warmup is None else sampler.warmup
    return Lengths(chains, each, thin, (0 if alone else usual) if warmup is None else warmup)


def _check(lengths: Lengths, interval: float | None, keep: int) -> None:
    """Refuse what is out of range."""
    if min(lengths.chains, lengths.draws, lengths.thin) < 1 or lengths.warmup < 0:
        raise OptionError("draws, chains and thin must be at least 1, warmup at least 0")
    if interval is not None and not 0 < interval < 100:
        raise OptionError(f"interval must be between 0 and 100 percent, not {interval:g}")
    if not 0 <= keep <= lengths.total:
        raise UsageError(f"{keep} draws cannot be kept of {lengths.total}")


class _Run:
    """What stays the same during a run."""

    def __init__(
        self,
        problem: Problem,
        sampler: Sampler[Any, Any],
        lengths: Lengths,
        seed: int,
        keep: int,
        watch: dict[str, Watch],
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.problem, self.sampler, self.lengths, self.seed = problem, sampler, lengths, seed
        self.watch, self.checkpoint, self.saved = watch, checkpoint, time.perf_counter()
        self.temperature = temperature(problem)
        total = lengths.total
        self.keep = [round((i + 0.5) * total / keep - 0.5) for i in range(keep)]
        self.names: list[str] = []

    # ------------------------------------------------------------ before the first step

    def begun(self, start: Tensor | None) -> Tally:
        """The tally of a saved run of the same identity, or a new one."""
        problem = self.problem if start is None else self.problem.changed(x0=start)
        first = problem.start()
        identity = self._identity(first)
        states = [self.sampler.init(problem, self._dispersed(first, c)) for c in self._numbers]
        pictures = [problem.picture(self.sampler.solution(problem, s)) for s in states]
        like = pictures[0]
        traces = like.new_full(
            (len(states), self.lengths.draws, *self._watched(states[0]).shape), math.nan
        )
        fresh = Tally(
            like, identity, 0, tuple(map(Chain.begun, states, pictures)), Moments.zero(like), None,
            traces, (), like.new_zeros(2, len(like)),
        )  # fmt: skip
        if self.checkpoint is not None and os.path.exists(self.checkpoint):
            saved = load_state(self.checkpoint, like.device)
            whole = not self.keep or kept_in(self.checkpoint).is_dir()
            if isinstance(saved, Tally) and saved.identity == identity and whole:
                return saved
        if self.checkpoint is not None and self.keep:
            kept_in(self.checkpoint).mkdir(exist_ok=True)
        return fresh

    @property
    def _numbers(self) -> range:
        return range(self.lengths.chains)

    def _dispersed(self, start: Tensor, chain: int) -> Tensor:
        """The start of a chain: that of the first, with noise for the others."""
        if chain == 0:
            return start
        spread = 0.1  # of a code, whose deviation is 1
        if self.problem.code is None:
            spread = column(2 * noise_deviation(self.problem), start)  # type: ignore[assignment]
        return start + spread * Random(self.seed, chain + _DISPERSED, 0).normal(start)

    def _identity(self, start: Tensor) -> str:
        """A hash of everything that determines the draws."""
        p = self.problem
        told = [self.lengths, self.seed, self.keep, sorted(self.watch)]
        parts = [p.operator, p.noise, *(term.prior for term in p.terms), self.sampler]
        told += [repr(x) if isinstance(x, Component) else type(x).__name__ for x in parts]
        found = hashlib.sha256(repr(told).encode())
        lams = [torch.as_tensor(term.lam) for term in p.terms]
        for tensor in (p.y, start, self.temperature, *lams):
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    # ------------------------------------------------------------ the steps

    def ended(self, start: Tensor | None, observers: Sequence[AnyObserver], began: float) -> Tally:
        """All steps, from the start or from the checkpoint on; ``began`` is a clock's time."""
        tally = self.begun(start)
        for observer in observers:
            if isinstance(observer, Observer):
                observer.begin(self.progress(tally, began))
        while tally.step < self.lengths.steps:
            tally = self.stepped(tally)
            for each in observers:
                each(self.progress(tally, began))
        self.save(tally)
        return tally

    def stepped(self, tally: Tally) -> Tally:
        """All chains go on by one draw, or by one step of the warm-up."""
        warm = tally.step < self.lengths.warmup
        steps = 1 if warm else self.lengths.thin
        chains = [self._moved(c, n, tally.step, steps, warm) for n, c in enumerate(tally.chains)]
        after = replace(tally, step=tally.step + steps, chains=tuple(chains))
        after = self._warmed(after) if warm else self._drawn(after)
        if self.checkpoint is not None and time.perf_counter() - self.saved > CHECKPOINT:
            self.save(after)
        return after

    def _moved(self, chain: Chain, number: int, step: int, steps: int, warm: bool) -> Chain:
        """A chain after some steps; images whose chain is not finite any more stay."""
        state, sound = chain.state, chain.sound
        for k in range(step, step + steps):
            fresh = self.sampler.step(self.problem, state, Random(self.seed, number, k))
            if warm:
                fresh = self.sampler.adapted(self.problem, fresh, k)
            sound = sound & fresh.x.isfinite().flatten(1).all(1)
            state = frozen(state, fresh, sound)
        return replace(chain, state=state, sound=sound)

    def _warmed(self, tally: Tally) -> Tally:
        """The spread of the pictures in the second half of the warm-up."""
        spread = tally.spread
        if tally.step > self.lengths.warmup // 2:
            for chain in tally.chains:
                spread = spread.add(self._picture(chain))
        return replace(tally, spread=spread)

    def _drawn(self, tally: Tally) -> Tally:
        """One draw of each chain goes into the tally."""
        number = (tally.step - self.lengths.warmup) // self.lengths.thin - 1
        pictures = [self._picture(chain) for chain in tally.chains]
        histogram = tally.histogram or self._histogram(tally.spread, pictures[0])
        traces, kept, replicated = tally.traces.clone(), list(tally.kept), tally.replicated
        chains = []
        for c, (chain, x) in enumerate(zip(tally.chains, pictures, strict=True)):
            finite = x.isfinite().flatten(1).all(1)  # a decoder may overflow at a finite code
            chain = replace(chain, sound=chain.sound & finite)
            chains.append(chain.add(x, number, self.lengths.draws))
            histogram = histogram.add(x)
            traces[c, number] = self._watched(chain.state)
            if number * len(pictures) + c in self.keep:
                kept += self._kept(x, self.keep.index(number * len(pictures) + c))
            replicated = replicated + self._replicated(x, c, tally.step)
        mean = merged([h for chain in chains for h in chain.halves]).mean
        return replace(
            tally, x=mean, chains=tuple(chains), histogram=histogram, traces=traces,
            kept=tuple(kept), replicated=replicated,
        )  # fmt: skip

    def _kept(self, x: Tensor, number: int) -> list[Tensor]:
        """A draw that stays in memory; none if it goes to its file."""
        if self.checkpoint is None:
            return [x]
        np.save(kept_in(self.checkpoint) / f"{number}.npy", x.cpu().numpy())
        return []

    def _samples(self, tally: Tally) -> tuple[Tensor, ...]:
        """The draws that are kept whole."""
        if self.checkpoint is None:
            return tally.kept
        files = (kept_in(self.checkpoint) / f"{k}.npy" for k in range(len(self.keep)))
        maps = (torch.from_numpy(np.load(file, mmap_mode="c")) for file in files)
        return tuple(x.to(tally.x.device) for x in maps)

    def _picture(self, chain: Chain) -> Tensor:
        return self.problem.picture(self.sampler.solution(self.problem, chain.state))

    def _histogram(self, spread: Moments, like: Tensor) -> Histogram:
        """Empty, around what the warm-up has seen; around the first draw without a warm-up."""
        if float(spread.count.min()) < 2:
            wide = column(noise_deviation(self.problem).clamp_min(0.02), like).expand_as(like)
            return Histogram.around(like, wide)
        return Histogram.around(spread.mean, spread.variance.sqrt())

    def _watched(self, state: Any) -> Tensor:
        """The watched numbers of a state, ``(B, K)``; fills ``names``."""
        unknown = self.sampler.solution(self.problem, state)
        x = self.problem.physical.view(self.problem.picture(unknown))  # without a hidden border
        energy = self.problem.objective(unknown) if has(self.problem.prior, Value) else None
        found = {} if energy is None else {"objective": energy / self.temperature}
        misfit = 2 * self.problem.data.value(unknown) / self.temperature
        found["misfit"] = misfit / known_count(self.problem).clamp_min(1)
        found["mean"] = x.flatten(1).mean(1)
        found["contrast"] = x.flatten(1).std(1)
        if x.ndim >= 4:
            blocks = torch.nn.functional.adaptive_avg_pool2d(x.mean(1), GRID).flatten(1)
            found |= {f"part {i + 1}": blocks[:, i] for i in range(blocks.shape[1])}
        found |= dict(self.sampler.statistics(self.problem, state))
        found |= {name: number(x).to(x) for name, number in self.watch.items()}
        self.names = list(found)
        return torch.stack(list(found.values()), 1)

    def _replicated(self, x: Tensor, chain: int, step: int) -> Tensor:
        """1 where data made from x fit it worse than y does, by misfit and by correlation."""
        p = self.problem
        physical = p.physical.forward(x)
        # each image from the same numbers, so that its check does not depend on the batch
        again = torch.cat([
            p.noise.taken([i]).sample(
                physical[i : i + 1], Random(self.seed, chain + _PREDICTED, step).generator()
            )
            for i in range(len(physical))
        ])  # fmt: skip
        known = p.physical.known(p.y)
        again = again if known is None else torch.where(known, again, torch.zeros_like(again))
        worse = p.noise.nll(physical, again) >= p.noise.nll(physical, p.y)
        like = _neighbours(physical - again) >= _neighbours(physical - p.y)
        return torch.stack([worse, like]).to(x)

    # ------------------------------------------------------------ afterwards

    def progress(self, tally: Tally, began: float) -> Progress:
        """The state of the run for observers."""
        sound = torch.stack([c.sound for c in tally.chains]).all(0)
        rest = tally.x.new_full((len(tally.x),), 1 - tally.step / max(self.lengths.steps, 1))
        unknown = self.sampler.solution(self.problem, tally.chains[0].state)
        seconds, budget = time.perf_counter() - began, self.lengths.steps
        return Progress(
            self.problem, tally.step, budget, unknown, rest, sound, seconds, phase="sampling"
        )

    def save(self, tally: Tally) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.checkpoint is not None:
            save_state(self.checkpoint, tally)
            self.saved = time.perf_counter()

    def result(self, tally: Tally, interval: float | None, seconds: float) -> Posterior:
        """What the draws tell."""
        every = merged([h for chain in tally.chains for h in chain.halves])
        assert tally.histogram is not None
        tail = 0.0 if interval is None else (1 - interval / 100) / 2
        sound = torch.stack([c.sound for c in tally.chains]).all(0)
        total = self.lengths.total
        rate = tally.replicated / total
        return Posterior(
            mean=every.mean,
            std=every.variance.sqrt(),
            median=tally.histogram.quantile(0.5),
            lower=tally.histogram.quantile(tail) if tail else None,
            upper=tally.histogram.quantile(1 - tail) if tail else None,
            samples=self._samples(tally),
            ess=pixel_ess(tally.chains, self.lengths.draws),
            rhat=pixel_rhat(tally.chains),
            statistics=self._statistics(tally.traces),
            predictive={"misfit": rate[0].tolist(), "correlation": rate[1].tolist()},
            sound=sound,
            independent=self.sampler.independent,
            lengths=self.lengths,
            sampler=self.problem.plan.solver.name if self.problem.plan else "",
            state=tally,
            seconds=seconds,
        )

    def _statistics(self, traces: Tensor) -> dict[str, Statistic]:
        """Mean, deviation, effective sample size and R-hat of each watched number."""
        size, mixing = ess(traces.cpu()), rhat(traces.cpu())  # (B, K)
        flat = traces.flatten(0, 1).to(torch.float64)
        mean, std = flat.mean(0), flat.var(0, correction=min(1, len(flat) - 1)).sqrt()
        return {
            name: Statistic(
                mean[:, k].tolist(), std[:, k].tolist(), size[:, k].tolist(),
                mixing[:, k].tolist(), traces[..., k],
            )
            for k, name in enumerate(self.names)
        }  # fmt: skip


def _neighbours(residual: Tensor) -> Tensor:
    """|correlation| of neighbouring residuals, ``(B,)``: near 0 for white noise."""
    r = residual.flatten(1) if residual.ndim < 4 else residual
    a, b = (r[..., 1:], r[..., :-1])
    return ((a * b).flatten(1).sum(1) / (r**2).flatten(1).sum(1).clamp_min(1e-30)).abs()
