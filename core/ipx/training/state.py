"""Checkpoints of training runs: safetensors files with plain values as JSON in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ipx.errors import InputError, UsageError
from ipx.files.atomic import one_line, write_atomic
from ipx.files.record import dumps


@dataclass
class TrainingProgress:
    """The progress of a run: plain values.

    Attributes:
        step: steps done.
        skipped: steps skipped because the gradient was not finite.
        best: best score so far; None before the first validation.
        best_step: the step of the best score.
        worse: validations since the best score.
        seconds: time of training, including that before interruptions.
        history: one entry per validation: ``step``, ``loss_now`` and the mean scores; one with
            ``finished`` if `Model.finish` improved them.
    """

    step: int = 0
    skipped: int = 0
    best: float | None = None
    best_step: int = 0
    worse: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class TrainingState:
    """The tensors of a run."""

    net: nn.Module
    shadow: nn.Module  # the averaged weights
    optimisers: dict[str, torch.optim.Optimizer]
    best: dict[str, Tensor]
    progress: TrainingProgress

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write a checkpoint; ``identity`` has to be the same when it is resumed."""
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"shadow.{k}": v for k, v in self.shadow.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for part, optimiser in self.optimisers.items():
            for i, values in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{part}.{i}.{k}": v for k, v in values.items()}
        kept = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        told = dumps({"progress": asdict(self.progress), "identity": identity})
        write_atomic(path, safetensors.torch.save(kept, {"ipx": told}))

    def load(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Load a checkpoint.

        Raises:
            InputError: it cannot be read, or is not a checkpoint.
            UsageError: it belongs to another run; says what differs.
        """
        try:
            with safetensors.safe_open(path, "pt") as file:
                told = json.loads((file.metadata() or {})["ipx"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, KeyError, ValueError, safetensors.SafetensorError) as e:
            raise InputError(f"{path}: is not a checkpoint of ipx: {one_line(e)}") from e
        was, now = told["identity"], json.loads(dumps(identity))
        for key in sorted(was.keys() | now.keys()):
            if was.get(key) != now.get(key):
                raise UsageError(
                    f"{path}: is of another run: {key} was {was.get(key)}, is {now.get(key)}"
                )
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            head, _, rest = name.partition(".")
            groups.setdefault(head, {})[rest] = tensor
        self.net.load_state_dict(groups["net"])
        self.shadow.load_state_dict(groups["shadow"])
        self.best = groups.get("best", {})
        for part, optimiser in self.optimisers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in groups.get("optimiser", {}).items():
                where, i, key = name.split(".")
                if where == part:
                    state.setdefault(int(i), {})[key] = tensor
            whole = optimiser.state_dict()
            optimiser.load_state_dict({**whole, "state": state})
        self.progress = TrainingProgress(**told["progress"])
