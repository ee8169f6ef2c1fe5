"""Training of the unrolled solvers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ipx import (
    Model,
    Problem,
    attach,
    load_weights,
    log_error,
    plan_for,
    psnr,
)
from ipx_plugins.unrolled import (
    ADMMNetOptions,
    ADMMOptions,
    HQSOptions,
    LISTAOptions,
    UnrolledOptions,
)
from ipx_plugins.unrolled.equilibrium import equilibrium
from ipx_plugins.unrolled.network import Stages
from ipx_plugins.unrolled.prox import TOLD, multiple
from ipx_plugins.unrolled.simulate import simulated
from ipx_plugins.unrolled.solver import UnrolledADMM


class UnrolledModel(Model[UnrolledOptions]):
    """Training of an unrolled solver, with each batch divided among the operators.

    The loss is the mean log10 of the mean square error, that is minus the PSNR up to scale, so
    that hard tasks do not outweigh easy ones.
    """

    score = "psnr"
    higher_is_better = True

    @property
    def multiple(self) -> int:
        """Divisor of height and width, for the prox and the super-resolution factors."""
        o = self.options
        factors = max(o.factors) if "super-resolution" in o.op else 1
        return max(multiple(o), factors)

    def network(self) -> nn.Module:
        """The untrained network: the parameters of the classical algorithm, and the prox."""
        return Stages(self.options)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Load the prox from the denoiser weights that option ``start`` names."""
        o = self.options
        if o.start and o.prox in TOLD:
            assert isinstance(net, Stages)
            loaded = load_weights(o.start, o.prox)
            for prox in net.prox:
                prox.load_state_dict(loaded.tensors)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean log10 of the mean square error; with ``deep`` that of earlier stages too."""
        o, total = self.options, batch.new_zeros(())
        for task, clean in self._shared_out(batch, rng):
            problem = simulated(task, clean, o, rng)
            outputs = run(net, problem, o)
            values = [log_error(x, clean).sum() for x in outputs]
            total = total + values[-1]
            if o.deep:
                total = total + o.deep * torch.stack(values[:-1] or values).mean()
        return total / batch.shape[0]

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """PSNR of each task in dB, with a random operator per batch; the score is their mean."""
        found = {}
        for task in self.options.op:
            problem = simulated(task, batch, self.options, rng)
            found[task] = psnr(run(net, problem, self.options)[-1], batch)
        return {"psnr": torch.stack(list(found.values())).mean(0), **found}

    def _shared_out(self, batch: Tensor, rng: torch.Generator) -> list[tuple[str, Tensor]]:
        """Tasks in order, from a random one on, with their parts of the batch."""
        tasks = self.options.op
        first = int(torch.randint(len(tasks), (), generator=rng, device=rng.device))
        order = tasks[first:] + tasks[:first]
        parts = ((t, batch[i :: len(tasks)]) for i, t in enumerate(order))
        return [(t, part.contiguous()) for t, part in parts if len(part)]


def run(net: nn.Module, problem: Problem, options: UnrolledOptions) -> list[Tensor]:
    """The pictures after each stage; for a deep equilibrium only the fixed point."""
    solver = UnrolledADMM.over(net)
    problem = attach(problem, plan_for(problem, solver))
    if options.fixed_point:
        return [equilibrium(solver, problem)]
    state = solver.init(problem)
    outputs = []
    for _ in range(options.stages):
        if options.checkpoint and torch.is_grad_enabled():
            state = checkpoint(
                solver.step, problem, state, use_reentrant=False, preserve_rng_state=False
            )
        else:
            state = solver.step(problem, state)
        outputs.append(state.x)
    return outputs


class UnrolledADMMModel(UnrolledModel):
    """ADMM with a learned denoiser."""

    options_type = ADMMOptions


class UnrolledHQSModel(UnrolledModel):
    """Half-quadratic splitting with a learned denoiser."""

    options_type = HQSOptions


class ADMMNetModel(UnrolledModel):
    """ADMM with learned filters and curves."""

    options_type = ADMMNetOptions


class LISTAModel(UnrolledModel):
    """Proximal gradient with learned frames."""

    options_type = LISTAOptions
