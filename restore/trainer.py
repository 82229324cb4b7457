"""The one training loop, for any degradation, network and objective."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from degrade.protocols import Degradation
from degrade.random import seeded, uniform
from restore.checkpoint import Checkpoint, CheckpointError, save_checkpoint
from restore.data import Batches
from restore.ema import Ema
from restore.objectives import Objective
from restore.parametrisation import Prediction
from restore.restorer import Restorer
from restore.training import Training


class TrainingError(ValueError):
    """Training that cannot go on; the message says why and what to do."""


class Trainer:
    """Trains `network` to restore: x0 from the source, t and the latent drawn, the objective, AdamW, EMA.

    Everything random derives from (seed, rank, step), so a resumed run repeats the uninterrupted one.
    """

    def __init__(
        self,
        network: nn.Module,
        degradation: Degradation,
        prediction: Prediction,
        objective: Objective,
        settings: Training,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.device = torch.device(device)
        self.network = network.to(self.device, memory_format=settings.memory_format).train()  # type: ignore[call-overload]
        self.restorer = Restorer(self.network, degradation, prediction, settings.precision)
        self.parameters = dict(self.network.named_parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=settings.rate,
            weight_decay=settings.weight_decay,
            fused=self.device.type == "cuda" or None,
        )
        self.ema = Ema(self.parameters.values(), settings.ema, settings.ema_warmup)
        self.step = 0

    def train_step(self, batches: Batches) -> tuple[Tensor, Tensor]:
        """One update of the weights. Returns the loss and the norm of the gradient, on the device."""
        settings = self.settings
        rate = settings.rate_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = torch.zeros((), device=self.device)
        for part in range(settings.accumulate):
            loss = self.loss(batches, part) / settings.accumulate
            loss.backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), settings.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.parameters.values())
        self.step += 1
        return total, norm

    def loss(self, batches: Batches, part: int = 0) -> Tensor:
        """The mean loss of batch `part` of this step."""
        settings = self.settings
        x0 = batches.draw(settings.batch, seeded(settings.seed, 0, self.step, part))
        generator = seeded(settings.seed, 0, self.step, part, 1, device=self.device)
        u = uniform((len(x0),), generator)
        t = ((u * settings.levels).floor() + 1) / settings.levels if settings.levels else 1 - u
        if batches.others is None:
            latent = self.restorer.degradation.draw(x0, generator)
        else:
            latent = (batches.others(len(x0), seeded(settings.seed, 0, self.step, part, 2)),)
        return self.objective(self.restorer, x0, t, latent).mean()

    def run(
        self,
        batches: Batches,
        folder: Path,
        specification: dict[str, Any],
        prior: dict[str, Tensor] | None = None,
        on_preview: Callable[[Trainer], None] | None = None,
    ) -> bool:
        """Trains up to `settings.steps`, with metrics, previews and checkpoints in `folder`; True when it got there.

        SIGINT and SIGTERM save and return False; a second one stops at once.
        """
        settings = self.settings
        folder.mkdir(parents=True, exist_ok=True)
        trim(folder / "metrics.jsonl", self.step)
        losses: list[Tensor] = []
        norms: list[Tensor] = []
        since = time.perf_counter()
        bar = tqdm(total=settings.steps, initial=self.step, desc="training", unit="step", dynamic_ncols=True)
        with bar, open(folder / "metrics.jsonl", "a", encoding="utf-8") as metrics, until_signal() as stopped:
            while self.step < settings.steps:
                loss, norm = self.train_step(batches)
                losses.append(loss)
                norms.append(norm)
                bar.update()
                done = self.step == settings.steps
                if self.step % settings.log_every == 0 or done or stopped():
                    seconds = time.perf_counter() - since
                    line = {
                        "step": self.step,
                        "loss": float(torch.stack(losses).mean()),
                        "gradient_norm": float(torch.stack(norms).mean()),
                        "rate": settings.rate_at(self.step - 1),
                        "images_per_second": round(len(losses) * settings.batch * settings.accumulate / seconds, 2),
                    }
                    if not math.isfinite(line["loss"]):
                        raise TrainingError(
                            f"the loss is {line['loss']} at step {self.step}: the run diverged. The last checkpoint is kept; "
                            "lower the rate, or clip the gradient (clip=1)."
                        )
                    metrics.write(json.dumps(line) + "\n")
                    metrics.flush()
                    bar.set_postfix(loss=f"{line['loss']:.4f}")
                    losses, norms, since = [], [], time.perf_counter()
                if self.step % settings.save_every == 0 or done or stopped():
                    self.save(folder, specification, prior or {})
                if on_preview and (self.step % settings.preview_every == 0 or done) and not stopped():
                    pause = time.perf_counter()
                    on_preview(self)
                    since += time.perf_counter() - pause
                if stopped():
                    return done
        return True

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

    def save(self, folder: Path, specification: dict[str, Any], prior: dict[str, Tensor]) -> Path:
        """Writes a checkpoint of everything that `load` needs."""
        training = {f"network.{name}": p for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            training |= {f"optimizer.{key}.{name}": value for key, value in self.optimizer.state[p].items()}
        groups = {"ema": self.averaged(), "training": training, "prior": prior}
        return save_checkpoint(folder, self.step, specification, groups, self.settings.keep)

    def load(self, checkpoint: Checkpoint) -> None:
        """Takes up the state of a checkpoint. Raises CheckpointError if it is not one of this network."""
        averaged, training = checkpoint.tensors("ema"), checkpoint.tensors("training")
        check_weights(averaged, self.parameters, checkpoint.folder)
        raw = {key.removeprefix("network."): value for key, value in training.items() if key.startswith("network.")}
        check_weights(raw, self.parameters, checkpoint.folder)
        self.step = self.ema.updates = checkpoint.step
        self._copy(raw)
        for name, average in zip(self.parameters, self.ema.average, strict=True):
            average.copy_(averaged[name])
        state = {}
        for index, name in enumerate(self.parameters):
            keys = [key for key in ("step", "exp_avg", "exp_avg_sq") if f"optimizer.{key}.{name}" in training]
            state[index] = {key: training[f"optimizer.{key}.{name}"] for key in keys}
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})


def check_weights(weights: dict[str, Tensor], parameters: dict[str, nn.Parameter], folder: Path) -> None:
    """Raises CheckpointError unless `weights` are those of a network with `parameters`."""
    wrong = sorted(set(weights) ^ set(parameters))
    wrong += [name for name in weights if name in parameters and weights[name].shape != parameters[name].shape]
    if wrong:
        raise CheckpointError(
            f"{folder} does not hold the weights of its own network: {len(wrong)} entries differ {wrong[:3]}."
        )


def trim(metrics: Path, step: int) -> None:
    """Drops the lines after `step`, written by a run that went on past its last checkpoint."""
    if not metrics.exists():
        return
    kept = [
        line
        for line in metrics.read_text(encoding="utf-8").splitlines()
        if line.endswith("}") and json.loads(line)["step"] <= step
    ]
    metrics.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


@contextmanager
def until_signal() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGINT or SIGTERM has come; a second one does what it always did."""
    came: list[int] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        signal.signal(number, before[number])

    with suppress(ValueError):  # outside the main thread, where signals cannot be handled
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
