"""Options of the operator that are ``auto``: found from the data before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ipx.declare.specs import OperatorSpec
from ipx.errors import InputError
from ipx.parts.operator import Estimate
from ipx.planning.tree import Description, tree
from ipx.solving.build import check_known


@dataclass(frozen=True)
class Settled:
    """An operator without unknowns.

    Attributes:
        op: the operator.
        remarks: what was found, one line each.
        outputs: images that tell what was found, by name, ``(1, C, H, W)``.
    """

    op: Description
    remarks: tuple[str, ...] = ()
    outputs: Mapping[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def settled(op: Description, y: Tensor) -> Settled:
    """The operator with values found from the data ``(B, C, H, W)`` in place of ``auto``.

    Raises:
        UsageError: a part of a composed operator is unknown.
        InputError: there are several images, which may differ in what is unknown.
        IpxError: the data do not allow an estimate.
    """
    described = tree("operator", op)
    if not described.unknown:
        return Settled(op)
    spec, options = described.spec, described.options
    if not isinstance(spec, OperatorSpec) or options is None:
        check_known(described)
    assert isinstance(spec, OperatorSpec)
    assert options is not None
    if y.shape[0] != 1:
        raise InputError(
            f"option {described.unknown[0]} is auto: it is found for each image; restore the "
            f"{y.shape[0]} images one by one"
        )
    found: Estimate = spec.load_estimate()(y, options)
    known = type(options)(**{**options.to_mapping(), **found.options})
    return Settled(replace(described, options=known), found.remarks, found.outputs)
