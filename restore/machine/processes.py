"""The processes of one run, as torchrun starts them: who this one is, what it does of the work, what all agree on.

    torchrun --nproc-per-node 2 recipes/sindiffusion.py train photo.jpg

gloo joins processes on CPUs, nccl those on GPUs. A process that is started alone is the first of one, and joins nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class ProcessError(RuntimeError):
    """Processes that lost each other; the message says what is safe and what to do."""


@dataclass(frozen=True)
class Processes:
    """Who this process is among those of the run."""

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this one speaks, and writes, for all."""
        return self.rank == 0

    def shard(self, images: int, part: int = 0, parts: int = 1) -> slice:
        """Which of a step's `images` this process takes up, in piece `part` of `parts`."""
        size, rest = divmod(images, self.count * parts)
        if rest:
            raise ValueError(
                f"a batch of {images} cannot be shared out evenly over {self.count} process(es) in {parts} piece(s): "
                f"choose a multiple of {self.count * parts}."
            )
        first = (self.rank * parts + part) * size
        return slice(first, first + size)

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            torch.distributed.barrier()

    def broadcast(self, make: Callable[[], Any]) -> Any:
        """What the first process makes; the others get a copy."""
        if self.count == 1:
            return make()
        box = [make() if self.is_main else None]
        torch.distributed.broadcast_object_list(box)
        return box[0]

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes, elementwise."""
        if self.count == 1:
            return values
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total / self.count

    def any(self, asked: Callable[[], bool]) -> Callable[[], bool]:
        """Whether any of them is asked: all get the same answer. The question goes out now, the answer is waited for when the
        returned function is called, so that work fits in between."""
        if self.count == 1:
            return asked
        flag = torch.tensor(float(asked()))
        work = torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, async_op=True)

        def answer() -> bool:
            work.wait()
            return bool(flag)

        return answer


ALONE = Processes()


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def here() -> Processes:
    """Who this process is, without joining the others: for work that is shared out and needs no talk."""
    return Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if under_torchrun() else ALONE


def best_device() -> str:
    """The GPU of this process if there is one ("cuda", or "cuda:N" under torchrun), else "cpu"."""
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if under_torchrun() else "cuda"


def usable_device(name: str | None) -> str:
    """`name`, if it is a device of this machine; by default the best one. Raises ValueError in one line."""
    if name is None:
        return best_device()
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:100]
        raise ValueError(f"{name!r} is no device of this machine ({reason}): expected cpu, cuda, cuda:1 or the like.") from None
    return name


@contextmanager
def process_group(timeout: float = 50.0, device: str | None = None) -> Iterator[Processes]:
    """The processes of this run, on `device` or on a GPU each where there is one, connected for as long as the context lasts.

    Whoever waits longer than `timeout` seconds for another gives up, so that a machine that is gone stops the others within
    a minute; ProcessError says so. Inside another such context it is the same group. ValueError for a device that is none.
    """
    if not under_torchrun():
        yield ALONE
        return
    distributed = torch.distributed
    if distributed.is_initialized():
        yield here()
        return
    where = torch.device(usable_device(device))
    if where.type == "cuda":
        if (where.index or 0) >= torch.cuda.device_count():
            raise ProcessError(
                f"there are {torch.cuda.device_count()} GPUs for {(where.index or 0) + 1} or more processes: lower "
                "--nproc-per-node."
            )
        torch.cuda.set_device(where)
    backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(seconds=timeout))
    try:
        yield here()
    except RuntimeError as error:
        if not lost(error):
            raise
        raise ProcessError(
            "another process of this run is gone, or did not answer in time: this one stops too. Nothing that was saved is "
            f"lost; resume the run. ({str(error).splitlines()[0][:200]})"
        ) from None
    finally:
        distributed.destroy_process_group()


def lost(error: RuntimeError) -> bool:
    """Whether `error` is that of a group of processes that lost one."""
    kinds = (torch.distributed.DistBackendError, torch.distributed.DistNetworkError, torch.distributed.DistStoreError)
    words = ("gloo", "connection closed", "connection reset", "timed out", "timeout", "nccl")
    return isinstance(error, kinds) or any(word in str(error).lower() for word in words)
