"""Settings of the trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from degrade.checks import bounded
from degrade.lazy import torch
from restore.own_types import setting
from restore.restorer import Precision
from restore.training.condition_dropout import ConditionDropout
from restore.training.metrics_log import Track
from restore.training.times import TIMES, TimeSampling, UniformTimes

MOST = 10**8
"""Steps, of a plan or anything that is counted in them."""


@dataclass(frozen=True)
class Training:
    """How a network is trained: one batch a step, on one process or as many as torchrun starts."""

    steps: int = 50_000
    """Updates of the weights."""
    batch: int = 1
    """Images a step, over all processes; the result does not depend on how many there are."""
    accumulate: int = 1
    """Parts that a process computes its images in, in turn (gradient accumulation): less memory, the same result."""
    shard: bool = False
    """Whether the processes share the weights (FSDP2), for a network that does not fit; else each holds all (DDP)."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW, or Muon for the convolutions (restore/training/muon.py), which gets further in a short training."""
    rate: float = 5e-4
    """Learning rate."""
    warmup: int = 0
    """Steps over which the rate rises linearly from 0."""
    decay: Literal["constant", "cosine"] = "constant"
    """What the rate does after that: stay, or fall along a half cosine to 0 at the end."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    clip: float = 0.0
    """Largest norm of the gradient; 0 for no bound."""
    ema: float = 0.9999
    """Decay of the averaged weights, which are the ones sampled with."""
    ema_warmup: bool = True
    """Whether short runs average over fewer steps: decay of update n at most (1 + n)/(10 + n)."""
    condition_dropout: ConditionDropout = field(default_factory=ConditionDropout)
    """Probability of dropping each part of the condition."""
    times: Annotated[TimeSampling, setting(TimeSampling, TIMES)] = field(default_factory=UniformTimes)
    """How often which severity is trained on."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the network computes in, auto: float32, or bfloat16 where a trial finds it clearly faster. Weights stay float32."""
    layout: Literal["auto", "channels-last", "contiguous"] = "auto"
    """Memory layout of the network, auto: channels-last, or contiguous where a trial finds it faster."""
    captured: bool = False
    """Whether a step is recorded once as a CUDA graph and replayed, on one GPU: for small networks, and images of one size."""
    seed: int = 0
    """Everything random in training derives from it."""
    log_every: int = 50
    """Steps between lines of metrics.jsonl."""
    save_every: int = 500
    """Steps between checkpoints."""
    preview_every: int = 500
    """Steps between previews."""
    keep: int = 2
    """Checkpoints kept."""
    track: Track | None = None
    """Where metrics go beside metrics.jsonl (extras of the same names)."""
    timeout: float = 50.0
    """Seconds that a process waits for the others before it gives up."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.accumulate, self.log_every, self.save_every, self.preview_every, self.keep) < 1:
            raise ValueError("steps, batch, accumulate, log_every, save_every, preview_every and keep are all at least 1.")
        if min(self.warmup, self.clip, self.weight_decay) < 0 or not self.rate > 0:
            raise ValueError("rate is > 0; warmup, clip and weight_decay are >= 0.")
        if self.batch % self.accumulate or not self.timeout > 0:
            raise ValueError(
                f"batch is a multiple of accumulate, and timeout > 0; got {self.batch}, {self.accumulate} and {self.timeout}."
            )
        if self.optimizer == "muon" and self.shard:
            raise ValueError("muon needs whole weight matrices, which shard gives to no process: use optimizer='adamw'.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a decay in [0, 1), got {self.ema}.")
        counts = ("steps", "warmup", "log_every", "save_every", "preview_every")
        bounded(self, **dict.fromkeys(counts, (0, MOST)), batch=(1, 2**20), keep=(1, 10**6))
        bounded(self, rate=(0, 1000), weight_decay=(0, 1000), clip=(0, 1e9), timeout=(0, 1e6), seed=(0, 2**63 - 1))

    def stretched(self, steps: int) -> Training:
        """The same plan over `steps` >= 1 steps: warm-up, average, checkpoints and previews keep their shares of it."""
        share = steps / self.steps

        def scaled(count: int, least: int = 1) -> int:
            return min(MOST, max(least, round(share * count)))

        return replace(
            self,
            steps=steps,
            warmup=scaled(self.warmup, 0),
            ema=max(0.0, 1 - (1 - self.ema) / share),
            save_every=scaled(self.save_every),
            preview_every=scaled(self.preview_every),
        )

    @property
    def decided(self) -> Training:
        """The same with what is used where nothing was tried (restore/training/trial.py) in place of auto."""
        precision = "float32" if self.precision == "auto" else self.precision
        return replace(self, precision=precision, layout="channels-last" if self.layout == "auto" else self.layout)

    @property
    def computes(self) -> Precision:
        """What `precision` stands for."""
        return "bfloat16" if self.precision == "bfloat16" else "float32"

    @property
    def memory_format(self) -> torch.memory_format:
        """What `layout` stands for."""
        return torch.contiguous_format if self.layout == "contiguous" else torch.channels_last

    def rate_at(self, place: float, advance: float = 1) -> float:
        """The learning rate of the step from `place` on the plan (0 to `steps`) to `place` + `advance`."""
        if place < self.warmup:
            return self.rate * min(self.warmup, place + advance) / self.warmup
        if self.decay == "constant":
            return self.rate
        done = (place - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
