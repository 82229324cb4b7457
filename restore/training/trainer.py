"""One training step, for any degradation, network and objective, on one process or several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from degrade.couplings import Coupling, Independent, partners
from degrade.protocols import Degradation
from degrade.random import Counters, Stream, counters, seeded, uniform
from degrade.transfer import moved
from models.condition import Condition
from restore.data.batch import Batches
from restore.machine.capture import Captured
from restore.machine.processes import ALONE, Processes
from restore.parametrisation import Prediction
from restore.restorer import Restorer
from restore.storage.checkpoint import Checkpoint, save_checkpoint
from restore.storage.reading import CheckpointError
from restore.training.dropout import Dropout, drops_out
from restore.training.ema import Ema
from restore.training.muon import Muon, is_matrix
from restore.training.objectives import Objective, Staged
from restore.training.settings import Training


class TrainingError(ValueError):
    """Training that cannot go on; the message says why and what to do."""


class Drawn(NamedTuple):
    """What a training step draws."""

    x0: Tensor
    """Clean images (B, C, *space)."""
    t: Tensor
    """Severities (B,)."""
    latent: tuple
    """What they are degraded with."""
    condition: Condition
    """What they are conditioned on."""
    weight: Tensor | None = None
    """Of each image's loss (B,); None for 1."""


class Trainer:
    """Trains `network` to restore: x0 from the source, t and the latent drawn, the objective, the optimizer, EMA.

    Images are (B, C, *space), of any rank that the degradation and the network serve. Everything random about image i of a step
    derives from (seed, step, i), so a resumed run repeats the uninterrupted one, and the images of a step are the same whatever
    the number of processes, or of pieces, that they are sharded over.
    """

    def __init__(
        self,
        network: nn.Module,
        degradation: Degradation,
        prediction: Prediction,
        objective: Objective | Staged,
        settings: Training,
        device: torch.device | str = "cpu",
        processes: Processes = ALONE,
        coupling: Coupling = Independent(),  # noqa: B008
    ) -> None:
        processes.shard(settings.batch, 0, settings.accumulate)  # refuses a batch that cannot be sharded
        if settings.captured:
            _check_captured(network, objective, settings, processes)
        self.settings = settings
        self.objective = objective
        self.processes = processes
        self.coupling = coupling
        self.device = torch.device(device)
        sharded = settings.shard and processes.count > 1
        self.network = network.train()
        self.network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.replica = _sharded(network) if sharded else _replicated(network, self.device, processes)
        self.restorer = Restorer(self.network, degradation, prediction, settings.computes)
        self.learner = replace(self.restorer, network=self.replica)
        self.drops_out = drops_out(network)
        self.parameters = dict(self.network.named_parameters())
        kind = Muon if settings.optimizer == "muon" else torch.optim.AdamW
        self.optimizer = kind(
            self.parameters.values(),
            lr=settings.rate,
            weight_decay=settings.weight_decay,
            fused=True,
            capturable=settings.captured and self.device.type == "cuda",
        )
        self.captured = Captured(self.whole_step) if settings.captured else None
        for p in self.parameters.values():  # as at its first step; so that a checkpoint is always complete
            names = ("momentum",) if kind is Muon and is_matrix(p) else ("exp_avg", "exp_avg_sq")
            moments = {name: torch.zeros_like(p, memory_format=torch.preserve_format) for name in names}
            self.optimizer.state[p] = {"step": torch.zeros((), device=self.device), **moments}
        self.ema = Ema(self.parameters.values(), settings.ema, settings.ema_warmup)
        self.step = 0
        self.rate = 0.0  # of the last step
        self.place: float = 0  # on the plan of `settings`, that of the step unless the clock moves it

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of the settings, where the network has it: channels-last is one of whole weights of 4 dimensions."""
        flat = all(x.ndim < 5 for x in (*self.network.parameters(), *self.network.buffers()))
        sharded = self.settings.shard and self.processes.count > 1
        return self.settings.memory_format if flat and not sharded else torch.contiguous_format

    def train_step(self, batches: Batches, advance: float = 1) -> tuple[Tensor, Tensor]:
        """One update of the weights, which goes `advance` along the plan; skipped where the gradient is not finite.

        Returns the mean loss of this process's images and the norm of the whole gradient, on the device.
        """
        self.rate, weight = self.settings.rate_at(self.place, advance), self.ema.next_weight(advance)
        if self.captured is not None:
            numbers = moved(torch.tensor([self.rate, weight]), self.device)
            found = self.captured(self.drawn(batches), *numbers)
        else:
            parts, losses = self.settings.accumulate, []
            for part in range(parts):
                with self.synchronised(part == parts - 1):
                    loss = self.loss(batches, self.processes.shard(self.settings.batch, part, parts)) / parts
                    loss.backward()
                losses.append(loss.detach())
            found = sum(losses), self.update(self.rate, weight)
        self.step += 1
        self.place += advance
        return found

    def whole_step(self, drawn: Drawn, rate: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """One update from what was drawn for it: loss and norm of the gradient. It looks at no value, so it can be captured."""
        losses: Tensor = self.objective(self.learner, drawn.x0, drawn.t, drawn.latent)  # type: ignore[operator]
        loss = _mean(losses, drawn.weight)
        loss.backward()
        return loss.detach(), self.update(rate, weight)

    def update(self, rate: float | Tensor, weight: float | Tensor) -> Tensor:
        """Moves the weights by their gradients, and the average by `weight` towards them; the norm of the whole gradient."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = clipped([p.grad for p in self.parameters.values() if p.grad is not None], settings.clip)
        # fused AdamW and Muon leave everything as it is where found_inf is 1, without a look at it from the host
        self.optimizer.found_inf = 1.0 - norm.isfinite().float()  # type: ignore[attr-defined]
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.move(self.parameters.values(), weight)
        return norm.full_tensor() if hasattr(norm, "full_tensor") else norm

    def loss(self, batches: Batches, shard: slice = slice(None)) -> Tensor:
        """The mean loss of the images `shard` of this step, each times its weight."""
        x0, t, latent, condition, weight = self.drawn(batches, shard)
        learner = replace(self.restorer.given(condition), network=self.replica) if condition.parts else self.learner
        with Dropout(self.generators(Stream.DROPOUT, shard)) if self.drops_out else nullcontext():
            return _mean(self.criterion(shard)(learner, x0, t, latent), weight)

    def drawn(self, batches: Batches, shard: slice = slice(None)) -> Drawn:
        """What the images `shard` of this step are, and how they are degraded."""
        settings, degradation = self.settings, self.restorer.degradation
        seed, step, count = settings.seed, self.step, settings.batch
        batch = batches.at(seed, step, count, shard, partners(degradation), self.device)
        latent = self.coupling.couple(batch, degradation, self.generators(Stream.LATENT, shard))
        u = moved(severities(settings, step)[shard], self.device)
        condition = settings.condition_dropout(batch.condition, seed, step, count, shard)
        return Drawn(batch.x0, settings.times.severities(u), latent, condition, batch.weight)

    def criterion(self, shard: slice) -> Callable[..., Tensor]:
        """The objective, as it is for the images `shard` of this step."""
        if not isinstance(self.objective, Staged):
            return self.objective
        return self.objective.at(self.place / self.settings.steps, partial(self.generators, Stream.POSTERIOR, shard))

    def generators(self, stream: Stream, shard: slice) -> Counters:
        """A stream for each of the images `shard` of this step."""
        images = range(self.settings.batch)[shard]
        return counters(self.settings.seed, stream, [(self.step, image) for image in images], self.device)

    def synchronised(self, now: bool) -> AbstractContextManager:
        """Whether the backward pass inside adds up the gradients of all processes."""
        if self.settings.shard and self.processes.count > 1:
            self.network.set_requires_gradient_sync(now)  # type: ignore[operator]
        elif self.processes.count > 1 and not now:
            return self.replica.no_sync()  # type: ignore[operator]
        return nullcontext()

    def averaged(self) -> dict[str, Tensor]:
        """The EMA weights by name."""
        return dict(zip(self.parameters, self.ema.average, strict=True))

    @contextmanager
    def averaged_weights(self) -> Iterator[Restorer]:
        """The restorer with the EMA weights in the network, for as long as the context lasts."""
        raw = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.network.eval()
        try:
            self._copy(self.averaged())
            yield self.restorer
        finally:
            self._copy(raw)
            self.network.train()

    @torch.no_grad()
    def _copy(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Everything that `load` needs beside the step, by the file that it goes to: the live tensors, not copies."""
        training = {f"network.{name}": p.detach() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            training |= {f"optimizer.{key}.{name}": v for key, v in self.optimizer.state[p].items() if key != "step"}
        updates = max(state["step"] for state in self.optimizer.state.values()).reshape(1).clone()  # the same for all AdamW's
        return {"ema": self.averaged(), "training": {**training, "optimizer.step": updates}}

    def save(self, folder: Path, specification: dict[str, Any], prior: dict[str, Tensor]) -> Path:
        """Writes a checkpoint of everything that `load` needs."""
        groups = {**self.state(), "prior": prior}
        return save_checkpoint(folder, self.step, specification, groups, self.settings.keep, self.processes)

    def begin_with(self, checkpoint: Checkpoint) -> None:
        """Takes the averaged weights of a checkpoint as those to begin with; input channels beyond its own, such as those of a
        picture that is told, begin at 0. Raises CheckpointError for another network's."""
        known, into = checkpoint.shapes("ema"), {}
        for name, p in self.parameters.items():
            found, into[name] = known.get(name, ()), p.detach()
            if len(found) == p.ndim > 1 and found[1] < p.shape[1] and found == (len(p), found[1], *p.shape[2:]):
                into[name][:, found[1] :].zero_()
                into[name] = into[name][:, : found[1]]
        if other := {name for name, p in into.items() if known.get(name) != tuple(p.shape)} | known.keys() - into.keys():
            raise CheckpointError(
                f"{checkpoint.folder} has another network than the one that is to begin with it ({len(other)} entries differ, "
                f"such as {min(other)[:60]}): give that the other's --data.size and --network."
            )
        checkpoint.load("ema", into)
        self.ema.average = [p.detach().float().clone() for p in self.parameters.values()]

    def load(self, checkpoint: Checkpoint) -> None:
        """Takes up the state of a checkpoint. Raises CheckpointError if it is not one of this network."""
        state = self.state()
        for group, tensors in state.items():
            checkpoint.check(group, tensors)
        for group, tensors in state.items():
            checkpoint.load(group, tensors)
        for p in self.parameters.values():
            self.optimizer.state[p]["step"].copy_(state["training"]["optimizer.step"][0])
        self.step = self.place = self.ema.updates = checkpoint.step


def clipped(gradients: list[Tensor], longest: float) -> Tensor:
    """The norm of all gradients as one vector, which is shortened, in place, to `longest` (0: any length).

    As nn.utils.clip_grad_norm_, which twice sorts them by device and type first: a hundredth or two of a small network's step.
    """
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if longest:
        torch._foreach_mul_(gradients, (longest / (norm + 1e-6)).clamp(max=1.0))
    return norm


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    return losses.mean() if weight is None else (weight * losses).mean()


def _check_captured(network: nn.Module, objective: object, settings: Training, processes: Processes) -> None:
    """Raises ValueError for what a captured step does not hold."""
    reasons = {
        "several processes": processes.count > 1,
        "accumulate": settings.accumulate > 1,
        "dropout": drops_out(network),
        "conditions": bool(getattr(network, "accepts", ())),
        "an objective with stages": isinstance(objective, Staged),
    }
    if any(reasons.values()):
        raise ValueError(
            f"a captured step goes without {', '.join(name for name, there in reasons.items() if there)}: leave out captured."
        )


def severities(settings: Training, step: int) -> Tensor:
    """u (batch,) in [0, 1) for the images of a step: evenly spread over the batch, and over the steps that follow each other.

    Image n = batch step + i of the run gets frac(u0 + n / golden ratio): every u is uniform over the seeds, and any stretch of
    images covers [0, 1) almost as evenly as a grid, so that the loss of a stretch varies less than with independent draws
    (the additive recurrence, the one-dimensional low-discrepancy sequence of least discrepancy; cf. Kingma et al. 2021,
    arXiv 2107.00630, app. I.1).
    """
    first = uniform((1,), seeded(settings.seed, Stream.SEVERITY)).double()
    numbers = settings.batch * step + torch.arange(settings.batch, dtype=torch.float64)
    return ((first + numbers * ((5**0.5 - 1) / 2)) % 1).float().clamp(max=1 - 2**-24)


def _replicated(network: nn.Module, device: torch.device, processes: Processes) -> nn.Module:
    """The network, whose backward pass averages the gradients over the processes, each of which holds all of it."""
    if processes.count == 1:
        return network
    return nn.parallel.DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


def _sharded(network: nn.Module) -> nn.Module:
    """The same network, its weights sharded over the processes, and gathered block by block when they are needed."""
    from torch.distributed.fsdp import fully_shard

    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")  # nothing writes to it
    lists = [m for m in network.modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
    blocks = [child for m in lists for child in m if child not in lists and any(True for _ in child.parameters())]
    inner = {part for block in blocks for part in block.modules() if part is not block}
    for block in blocks:
        if block not in inner:
            fully_shard(block)
    fully_shard(network)
    return network
