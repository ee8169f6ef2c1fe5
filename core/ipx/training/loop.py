"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ipx.errors import InputError, UsageError
from ipx.files.atomic import check_folder, write_atomic
from ipx.files.record import environment
from ipx.numerics.devices import no_denormals
from ipx.parts.model import LabelledModel, Model, fill
from ipx.parts.weights import save_weights
from ipx.training.curve import learning_curve
from ipx.training.data import Pictures, ahead
from ipx.training.distributed import World, joined
from ipx.training.muon import Muon
from ipx.training.reports import Tick, TrainReporter
from ipx.training.settings import Data, Training, checkpoint_path, rate
from ipx.training.state import TrainingProgress, TrainingState

HOPELESS = 100
"""The number of steps in a row without a finite gradient after which a run ends."""

LAST_LOOK = 4096
"""The number of training images passed to `Model.finish`."""


def train(
    model: Model[Any],
    name: str,
    data: Data,
    output: Path,
    training: Training | None = None,
    *,
    device: str = "cpu",
    resume: bool = False,
    init: Mapping[str, Tensor] | None = None,
    about: Mapping[str, str] | None = None,
    reporter: TrainReporter | None = None,
) -> dict[str, Any]:
    """Train a model and write its best weights with their card.

    Args:
        model: the model with its architecture options.
        name: id of the model, ``plugin/name``, for the card.
        data: the images.
        output: the weights, ``.safetensors``; ``output.json`` is the card, ``output.png`` the
            learning curve, ``output.state`` the checkpoint, removed after the last step.
        training: the settings.
        device: ``cpu``, ``cuda``; with torchrun each process takes its own GPU.
        resume: continue from the checkpoint if there is one, with the result of an uninterrupted
            run.
        init: initial weights.
        about: further entries of the card, such as the licence.
        reporter: receives ticks and notes.

    Returns:
        The card.

    Raises:
        UsageError: the settings do not fit the model, the data or the checkpoint.
        InputError: the data cannot be read, or the training diverged; the best weights until then
            are written.
    """
    training = training if training is not None else Training()
    check_folder(output)
    with joined(device) as world:
        run = _TrainingRun(model, name, data, output, training, world, reporter or TrainReporter())
        run.start(init, resume)
        with no_denormals():
            run.work()
        if run.diverged and not run.state.best:
            raise InputError(f"{run.diverged}: lower the learning rate")
        if world.first:
            run.finish()
        card = run.card(about or {})
        if world.first:
            save_weights(output, run.state.best, card, training.half)
            if not run.unfinished:
                run.checkpoint.unlink(missing_ok=True)
    if run.diverged:
        raise InputError(
            f"{run.diverged}: {output} has the best weights until then, of step "
            f"{run.state.progress.best_step}; go on from them with a lower learning rate"
        )
    return card


class _TrainingRun:
    """One run in one process."""

    def __init__(
        self,
        model: Model[Any],
        name: str,
        data: Data,
        output: Path,
        training: Training,
        world: World,
        reporter: TrainReporter,
    ) -> None:
        if training.batch % world.size:
            raise UsageError(f"a batch of {training.batch} does not split into {world.size} shares")
        self.model, self.name, self.training, self.world = model, name, training, world
        self.reporter = reporter
        self.began = time.perf_counter()
        self.unfinished = False  # ended by `Training.minutes`
        self.diverged = ""  # why no further step makes sense
        self.pictures = Pictures(
            data, model.colors, model.multiple, model.only_shape, model.pairing
        )
        if self.pictures.colourless:
            grey = ", or --model.colors 1" if "colors" in model.options.infos() else ""
            reporter.note(
                f"{data.data}: all images to train on are grey, so that a model of 3 channels "
                f"learns no colours: give images in colour{grey}"
            )
        if isinstance(model, LabelledModel) and len(self.pictures.classes) != model.classes:
            raise UsageError(
                f"this model has {model.classes} classes, {data.data} has "
                f"{len(self.pictures.classes)} sub-folders; each class is a sub-folder of images"
            )
        self.checkpoint = checkpoint_path(output)
        self.curve = output.with_name(output.name + ".png")
        shown = self.pictures.told
        settings = {k: v for k, v in training.to_mapping().items() if k != "minutes"}
        self.identity = {
            "model": name,
            **{f"model.{k}": v for k, v in model.options.to_mapping().items()},
            **{f"data.{k}": v for k, v in shown.items()},
            **settings,
            "validate_every": training.validation_steps,
            "pictures": self.pictures.digest,
            "processes": world.size,
        }
        self.rng = torch.Generator(world.device)

    def start(self, init: Mapping[str, Tensor] | None, resume: bool) -> None:
        """Make the network and its optimisers, and load the checkpoint when resuming."""
        t, device = self.training, self.world.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(t.seed)
            net = self.model.untrained()
        if init is not None:
            fill(net, init)
        # channels last is up to twice as fast, also on CPUs
        net = net.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # missing in its stubs
        self.net = net
        going_on = resume and self.checkpoint.exists()
        if not going_on and self.checkpoint.exists():
            raise UsageError(f"{self.checkpoint} exists: use --resume, or remove it")
        if not going_on and init is None:
            self._seed(0, self.world.rank)
            with torch.no_grad():
                self.model.initialise(net, self._batch(0))
            self.world.share(net.state_dict().values())
        self.parts = {part: list(ps) for part, ps in self.model.parts(net).items()}
        kind = Muon if t.optimiser == "muon" else torch.optim.AdamW
        optimisers: dict[str, torch.optim.Optimizer] = {
            part: kind(ps, lr=t.lr, betas=t.betas, weight_decay=t.weight_decay)
            for part, ps in self.parts.items()
        }
        shadow = copy.deepcopy(net).eval().requires_grad_(False)
        self.state = TrainingState(net, shadow, optimisers, {}, TrainingProgress())
        if going_on:
            self.state.load(self.checkpoint, self.identity)
            self.reporter.note(f"resumed at step {self.state.progress.step}")

    def work(self) -> None:
        """Take the remaining steps."""
        t, p = self.training, self.state.progress
        before, started = p.seconds, time.perf_counter()
        self.timed = p.step, started
        in_a_row = 0
        if t.patience and p.worse >= t.patience:  # stopped early before an interruption
            return
        for step, batch in self._batches(range(p.step, t.steps)):
            fine, loss = self._step(step, batch)
            in_a_row = 0 if fine else in_a_row + 1
            p.skipped += not fine
            if in_a_row == HOPELESS:
                self.diverged = f"diverged at step {step}: {HOPELESS} gradients in a row not finite"
                break
            p.step, p.seconds = step + 1, before + time.perf_counter() - started
            last = p.step == t.steps
            late = self._late() and not last
            stop, due = False, last or p.step % t.validation_steps == 0
            if due:
                if self.world.first:
                    stop = self._validate(loss)
                stop = self.world.agree(stop)
            if self.world.first:
                score = p.history[-1][self.model.score] if p.history else None
                self.reporter.tick(Tick(p.step, t.steps, p.seconds, loss, score))
                if last or stop or late or p.step % t.save_every == 0:
                    self.state.save(self.checkpoint, self.identity)
            if stop:
                break
            if late:
                self._leave(loss, validated=due)
                break

    def _late(self) -> bool:
        """True for all processes if the time of the run is over."""
        limit = 60 * self.training.minutes
        return bool(limit) and self.world.agree(time.perf_counter() - self.began >= limit)

    def _leave(self, loss: float, validated: bool) -> None:
        """End before the last step; the checkpoint leaves this validation out, as a whole run."""
        self.unfinished = True
        if not self.world.first:
            return
        if not validated:
            self._validate(loss)
        p, t = self.state.progress, self.training
        self.reporter.note(
            f"{t.minutes:g} min are over at step {p.step} of {t.steps}; --resume goes on"
        )

    @torch.no_grad()
    def finish(self) -> None:
        """Call `Model.finish` on the best weights; keep the result if its score is better."""
        model, p, device = self.model, self.state.progress, self.world.device
        if not self.state.best:
            raise InputError("the score was never finite: there are no weights to save")
        net = model.trained(self.state.best).to(device)
        batch = self.training.batch
        steps = range(-(-LAST_LOOK // batch))
        shown = (self._placed(self.pictures.batch(self.training.seed, i, batch)) for i in steps)
        if not model.finish(net, shown):
            return
        scores = self._scores(net)
        if self._better(scores[model.score]):
            p.best = scores[model.score]
            self.state.best = {k: v.cpu().clone() for k, v in net.state_dict().items()}
            p.history.append({"step": p.best_step, "finished": True, **scores})
            self.reporter.note(f"finished: {_told(scores)}")

    def card(self, about: Mapping[str, str]) -> dict[str, Any]:
        """The card of the weights."""
        t, p = self.training, self.state.progress
        device = self.world.device
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        return {
            "model": self.name,
            "options": self.model.options.to_mapping(),
            **about,
            "score": {"name": self.model.score, "held_out": p.best, "step": p.best_step},
            "steps": p.step,
            "skipped": p.skipped,
            "images_seen": p.step * t.batch,
            "seconds": round(p.seconds, 1),
            "hardware": f"{self.world.size} x {where}, {torch.get_num_threads()} thread(s)",
            "parameters": sum(v.numel() for v in self.net.parameters()),
            "training": t.to_mapping(),
            "data_settings": {
                **self.pictures.told,
                "train": len(self.pictures.train),
                "held_out": len(self.pictures.held),
            },
            "history": p.history,
            **({"classes": self.pictures.classes} if self.pictures.classes else {}),
            "environment": environment(),
        }

    def _step(self, step: int, batch: Tensor) -> tuple[bool, float]:
        """One step of each part; False if it was skipped, and the first loss."""
        t, first = self.training, math.nan
        for number, (part, parameters) in enumerate(self.parts.items()):
            self._seed(step, self.world.rank, number)
            kind, on = self.world.device.type, t.bf16
            with torch.autocast(kind, torch.bfloat16, enabled=on):
                value = self._loss(part, step, batch)
            loss = self.model.minimised(value)
            found = torch.autograd.grad(loss.float(), parameters, allow_unused=True)
            grads = [
                torch.zeros_like(p) if g is None else g
                for p, g in zip(parameters, found, strict=True)
            ]
            grads = self.world.average(grads)
            norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in grads]))
            first = float(loss.detach()) if math.isnan(first) else first
            if not bool(norm.isfinite()):
                return False, first
            if t.clip:
                factor = (t.clip / (norm + 1e-12)).clamp(max=1.0)
                grads = [g * factor for g in grads]
            for p, g in zip(parameters, grads, strict=True):
                p.grad = g
            optimiser = self.state.optimisers[part]
            for group in optimiser.param_groups:
                group["lr"] = t.lr * rate(t, step)
            optimiser.step()
            optimiser.zero_grad()
        self._average(step)
        return True, first

    def _loss(self, part: str, step: int, batch: Tensor) -> Tensor | Mapping[str, Tensor]:
        """The loss of one part, of a labelled model with the labels of the batch."""
        t, w = self.training, self.world
        if not isinstance(self.model, LabelledModel):
            return self.model.part_loss(part, self.net, batch, self.rng)
        labels = self.pictures.labels(t.seed, step, t.batch, w.rank, w.size).to(w.device)
        return self.model.labelled_loss(self.net, batch, labels, self.rng)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Update the averaged weights, with a shorter memory in the first steps."""
        keep = min(self.training.ema, (1 + step) / (10 + step))
        slow, fast = self.state.shadow, self.net
        for a, b in zip(slow.parameters(), fast.parameters(), strict=True):
            a.lerp_(b, 1 - keep)
        for kept, new in zip(slow.buffers(), fast.buffers(), strict=True):
            kept.copy_(new)

    def _validate(self, loss: float) -> bool:
        """Score the averaged weights; True if the run is to stop."""
        p, t, model = self.state.progress, self.training, self.model
        first, since = self.timed
        crops = (p.step - first) * t.batch / max(time.perf_counter() - since, 1e-9)
        with torch.no_grad():
            scores = self._scores(self.state.shadow)
        score = scores[model.score]
        better = self._better(score)
        p.worse = 0 if better else p.worse + 1
        if better or score == p.best:  # of equal ones the last, which has learned longer
            p.best, p.best_step = score, p.step
            state = self.state.shadow.state_dict()
            self.state.best = {k: v.detach().cpu().clone() for k, v in state.items()}
        p.history.append({"step": p.step, "loss_now": loss, **scores})
        told = f"step {p.step}/{t.steps}, {p.seconds:.0f} s, {crops:.3g} crops/s: {_told(scores)}"
        told += "" if better else " (not better)"
        told += f", {p.skipped} steps skipped" if p.skipped else ""
        self.reporter.note(told)
        write_atomic(self.curve, learning_curve(p.history, model.score, p.best_step))
        self.timed = p.step, time.perf_counter()
        return bool(t.patience and p.worse >= t.patience)

    def _better(self, score: float) -> bool:
        """True if a score is better than all scores so far."""
        best, up = self.state.progress.best, self.model.higher_is_better
        return math.isfinite(score) and (best is None or (score > best if up else score < best))

    def _scores(self, net: nn.Module) -> dict[str, float]:
        """Mean scores of the held-out images, with the same noise each time."""
        self.rng.manual_seed(self.training.seed)
        found: dict[str, list[Tensor]] = {}
        seen = 0
        for batch in self.pictures.validation(self.training.batch):
            for name, values in self._validated(net, self._placed(batch), seen).items():
                found.setdefault(name, []).append(values.detach().double().cpu())
            seen += len(batch)
        return {name: float(torch.cat(values).mean()) for name, values in found.items()}

    def _validated(self, net: nn.Module, batch: Tensor, seen: int) -> Mapping[str, Tensor]:
        """Scores of a batch of held-out images, ``seen`` of which came before."""
        if not isinstance(self.model, LabelledModel):
            return self.model.validate(net, batch, self.rng)
        labels = self.pictures.held_labels()[seen : seen + len(batch)].to(batch.device)
        return self.model.labelled_scores(net, batch, labels, self.rng)

    def _seed(self, *numbers: int) -> None:
        """Seed the generator by its use, so that its state need not be saved."""
        word = np.random.SeedSequence([self.training.seed, *numbers]).generate_state(1, np.uint64)
        self.rng.manual_seed(int(word[0]) >> 1)

    def _cut(self, step: int) -> Tensor:
        t, w = self.training, self.world
        return self.pictures.batch(t.seed, step, t.batch, w.rank, w.size)

    def _batch(self, step: int) -> Tensor:
        return self._placed(self._cut(step))

    def _batches(self, steps: range) -> Iterator[tuple[int, Tensor]]:
        for step, batch in zip(steps, ahead(self._cut, steps), strict=True):
            yield step, self._placed(batch)

    def _placed(self, batch: Tensor) -> Tensor:
        """uint8 as floats in [0, 1], on the device of the network."""
        on = batch.to(self.world.device, non_blocking=True)
        return on.float().div_(255).contiguous(memory_format=torch.channels_last)


def _told(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{k} {v:.4g}" for k, v in scores.items())
