"""A stack restored picture by picture, with one noise level and one weight for all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.errors import InputError, UsageError
from ipx.files.images import Picture
from ipx.jobs.reporter import Reporter
from ipx.jobs.restored import Restored, restored
from ipx.numerics.memory import memory_errors
from ipx.numerics.tensors import spread
from ipx.parts.noise import Noise
from ipx.planning.request import Request
from ipx.planning.tree import AUTO, tree
from ipx.solving.choose_lam import Weighed
from ipx.solving.observers import AnyObserver
from ipx.solving.pipeline import weights
from ipx.solving.prepare import Asked, Ready, changed_settings, prepare
from ipx.solving.restore import Restoration
from ipx.solving.rivals import by_data

TRIED = 5
"""Pictures, evenly spaced, from which the noise level and the weight of a stack are found."""

WORST = ("diverged", "doubtful", "budget", "done", "converged")
"""The status of a stack is the first of these that a picture has."""


def restored_stack(
    request: Request,
    picture: Picture,
    clean: Picture | None,
    reporter: Reporter,
    observers: Sequence[AnyObserver] = (),
) -> Restored:
    """Restore each picture of a stack, and compute the mean metrics if there is a truth.

    Args:
        request: the restoration. With the setting ``planes`` ``alike`` a noise level that is not
            told, and a weight of ``auto``, are the medians of those of `TRIED` pictures.
        picture: the stack.
        clean: the truth, such a stack or one picture for all.
        reporter: receives reports.
        observers: see `ipx.solve`.

    Returns:
        The result of all: outputs have a picture for each of the stack.

    Raises:
        UsageError: draws from a posterior are asked for.
        InputError: the truth has another number of pictures.
        IpxError: see `ipx.solve`.
    """
    if request.settings.sampled:
        raise UsageError(
            "draws from the posterior are of one picture or volume, not of a stack; save its "
            "pictures as files of their own"
        )
    if clean is not None and clean.stacked and len(clean) != len(picture):
        raise InputError(
            f"{clean.path}: the truth has {len(clean)} pictures, the data {len(picture)}"
        )
    y = torch.from_numpy(picture.pixels)
    one = replace(picture, axes=picture.axes[1:], pixels=picture.pixels[0])
    unit = _unit(request, y, picture)
    alike = request.settings.planes == "alike"
    common = _common(request, y, picture, unit) if alike else Common(request)
    found = []
    for i, plane in enumerate(y):
        reporter.enter(f"picture {i + 1} of {len(y)}")
        truth = None if clean is None else _picture_of(clean, i)
        now = replace(one, pixels=picture.pixels[i])
        each = restored(common.request, plane, truth, reporter, observers, now, unit=unit)
        found.append(each)
    return _together(found, picture, request, common)


def _picture_of(clean: Picture, index: int) -> Picture:
    if not clean.stacked:
        return clean
    return replace(clean, axes=clean.axes[1:], pixels=clean.pixels[index])


def _unit(request: Request, y: Tensor, picture: Picture) -> float:
    """The unit of all pictures: that of the brightest, so that one weight is right for all."""
    brightest = y[int(y.abs().flatten(1).amax(1).argmax())]
    with memory_errors():
        return float(prepare(_asked(request, brightest, picture, None)).units.by[0])


@dataclass(frozen=True)
class Common:
    """What all pictures of a stack have in common.

    Attributes:
        request: with what was found from some pictures.
        rule: how the weight was found, in words; empty where it was given.
        remarks: sentences for the user.
        trace: the trials of the weight on the first picture, see `ipx.Restoration`.
        outputs: images that tell what was found, such as the PSF.
    """

    request: Request
    rule: str = ""
    remarks: tuple[str, ...] = ()
    trace: list[dict[str, Any]] = field(default_factory=list)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)


def _common(request: Request, y: Tensor, picture: Picture, unit: float) -> Common:
    """The noise level, the weight and the unknowns of the operator, from some pictures."""
    told, weighed = request.tree("noise").told, request.lam != AUTO
    if told and weighed:
        return Common(request)
    one, tried = request, list[tuple[Ready, Weighed]]()
    for i in spread(len(y), TRIED):
        tried.append(_tried(_asked(one, y[i], picture, unit)))
        if one.prior["name"] == AUTO:  # the data of the first decide for all
            ready, solver = tried[0][0], request.solver
            if request.tree("solver").auto:
                solver = tree("solver", ready.prepared.plan.solver.id).to_mapping()
            one = replace(request, prior=ready.prior.to_mapping(), solver=solver)
    changed: dict[str, Any] = {}
    if not told:
        models = [ready.units.level(ready.prepared.problem.noise) for ready, _ in tried]
        changed["noise"] = {**request.noise, **_levels(request, models)}
    lams = [found.lam for _, found in tried]
    if not weighed and lams[0] is not None:
        changed["lam"] = _median([_weight(lam) for lam in lams if lam is not None])
    ready, weight = tried[0]
    if request.tree("op").unknown:
        changed["op"] = tree("operator", ready.found.op).to_mapping()
    changed |= {"prior": one.prior, "solver": one.solver}
    remarks = [*ready.found.remarks]
    for each, found in tried:
        remarks += [*each.prepared.problem.noise.remarks, *found.remarks]
    return Common(
        request=replace(request, **changed),
        rule="" if weighed else weight.rule,
        remarks=tuple(dict.fromkeys(remarks)),
        trace=weight.trace,
        outputs=ready.found.outputs,
    )


def _asked(request: Request, y: Tensor, picture: Picture, unit: float | None) -> Asked:
    """What is asked for of one picture."""
    return Asked(
        image=y, op=request.op, noise=request.noise, prior=request.prior, solver=request.solver,
        lam=request.lam, tuner=request.tuner, truth=None, sampler=request.sampler,
        image_shape=None, x0=None, storage=picture.storage, observers=(), unit=unit,
        settings=changed_settings(request.settings, {"axes": picture.axes[1:]}),
    )  # fmt: skip


def _tried(asked: Asked) -> tuple[Ready, Weighed]:
    """The noise level and the weight of one picture, which is not restored."""
    with memory_errors():
        ready = by_data(asked)[0].ready
        return ready, weights(ready.prepared)


def _weight(lam: list[Any]) -> Any:
    """The weight of one picture; of a sum of priors a list."""
    return [each[0] for each in lam] if isinstance(lam[0], list) else lam[0]


def _listed(weight: Any) -> list[Any]:
    """A weight as a `Restoration` has it: a list of one picture, of a sum one for each prior."""
    return [[each] for each in weight] if isinstance(weight, list) else [weight]


def _median(values: list[Any]) -> Any:
    if isinstance(values[0], list):
        return [statistics.median(each) for each in zip(*values, strict=True)]
    return statistics.median(values)


def _levels(request: Request, models: list[Noise[Any]]) -> dict[str, float]:
    """The options of the noise model that hold what was estimated."""
    described = request.tree("noise")
    assert described.spec is not None
    options, found = described.spec.options.infos(), {}
    for name in models[0].per_image:
        option = described.facts.traits.level if name == "level" else name
        known = [getattr(model, name, None) for model in models]
        if option in options and all(v is not None for v in known):
            found[option] = statistics.median(float(torch.as_tensor(v).mean()) for v in known)
    return found


def _together(
    found: list[Restored], picture: Picture, request: Request, common: Common
) -> Restored:
    """The result of all pictures, with what was found for them."""
    first = found[0]
    hows = [each.how for each in found]
    lams = [how.lam for how in hows if how.lam is not None]
    worst = min(hows, key=lambda how: WORST.index(_status(how)))
    how = replace(
        worst,
        outputs={
            **{n: torch.cat([h.outputs[n] for h in hows]) for n in hows[0].outputs},
            **common.outputs,
        },
        before=torch.cat([h.before for h in hows]),
        seconds=sum(h.seconds for h in hows),
        level=[statistics.median(h.level[0] for h in hows)],
        lam=_listed(_median([_weight(lam) for lam in lams])) if lams else None,
        rule=common.rule or worst.rule,
        trace=common.trace or worst.trace,
    )
    metrics = {
        name: None if value is None else _mean([each.metrics[name] for each in found])
        for name, value in first.metrics.items()
    }
    warnings = dict.fromkeys([*common.remarks, *(w for each in found for w in each.warnings)])
    return Restored(request, how, picture.pixels, metrics, [*warnings], first.history, stacked=True)


def _status(how: Restoration) -> str:
    return "doubtful" if how.wrong[0] and how.status[0] != "diverged" else how.status[0]


def _mean(values: list[Any]) -> Any:
    return np.mean(values, axis=0).tolist()
