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
    """Each batch is shared out among the tasks, each degraded by an operator of its own.

    The loss is the mean of log10 of the mean square error, the PSNR itself: so that a hard task
    does not outweigh an easy one.
    """

    score = "psnr"
    higher_is_better = True

    @property
    def multiple(self) -> int:
        """What prox and factors divide."""
        o = self.options
        factors = max(o.factors) if "super-resolution" in o.op else 1
        return max(multiple(o), factors)

    def network(self) -> nn.Module:
        """The classical algorithm, with a fresh prox."""
        return Stages(self.options)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """The prox from the weights of a denoiser, where they are named."""
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
        """PSNR of each task, its operator drawn anew for each batch; their mean counts."""
        found = {}
        for task in self.options.op:
            problem = simulated(task, batch, self.options, rng)
            found[task] = psnr(run(net, problem, self.options)[-1], batch)
        return {"psnr": torch.stack(list(found.values())).mean(0), **found}

    def _shared_out(self, batch: Tensor, rng: torch.Generator) -> list[tuple[str, Tensor]]:
        """Tasks with their parts of the batch, in turn, from a random one on."""
        tasks = self.options.op
        first = int(torch.randint(len(tasks), (), generator=rng, device=rng.device))
        order = tasks[first:] + tasks[:first]
        parts = ((t, batch[i :: len(tasks)]) for i, t in enumerate(order))
        return [(t, part.contiguous()) for t, part in parts if len(part)]


def run(net: nn.Module, problem: Problem, options: UnrolledOptions) -> list[Tensor]:
    """The pictures after each stage; for a fixed point that alone."""
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
