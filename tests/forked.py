"""Programs in processes of their own, without the seconds that each would take to load torch: a server loads the libraries
once, and forks the processes of every program, which run its file as `python file.py` and torchrun do.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

ON_A_CPU = {"CUDA_VISIBLE_DEVICES": ""}
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *("kornia", "matplotlib.figure", "safetensors.torch", "tyro", "typeguard", "torch._dynamo", "torch.nn.parallel"),
        *("torch.distributed.checkpoint", "torch.distributed.fsdp"),
    ]
)


@dataclass(frozen=True)
class Program:
    """One that was started, in one process or in several."""

    line: list[str]
    processes: list[BaseProcess]
    log: tempfile.TemporaryDirectory[str]
    store: torch.distributed.TCPStore | None
    """Where the processes find each other."""

    @property
    def runs(self) -> bool:
        return any(process.exitcode is None for process in self.processes)

    def printed(self, stream: str) -> str:
        """By all of its processes until now, to "out" or "err"."""
        return Path(self.log.name, stream).read_text(encoding="utf-8")

    def finish(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Waits for its end; the code is of the first process that failed."""
        for process in self.processes:
            process.join(timeout)
        assert not self.runs, f"{self.line} goes on after {timeout} s: {self.printed('err')}"
        code = next((process.exitcode for process in self.processes if process.exitcode), 0)
        return subprocess.CompletedProcess(self.line, code, self.printed("out"), self.printed("err"))


def start(line: list[str], cwd: Path, processes: int = 1) -> Program:
    """Starts the Python file that comes first in `line`, with its arguments."""
    log = tempfile.TemporaryDirectory()
    store, ranks = None, [{}]
    if processes > 1:
        store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        joined = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
        joined |= {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": str(processes)}
        ranks = [joined | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    for stream in ("out", "err"):
        Path(log.name, stream).touch()
    forked = [SERVER.Process(target=_run, args=(line, cwd, rank, log.name)) for rank in ranks]
    for process in forked:
        process.start()
    return Program(line, forked, log, store)


def _run(line: list[str], cwd: Path, environment: dict[str, str], log: str) -> None:
    for descriptor, stream in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{log}/{stream}", os.O_WRONLY | os.O_APPEND), descriptor)
    torch.set_num_threads(1)
    os.environ.update(ON_A_CPU | environment)
    os.chdir(cwd)
    sys.argv = line
    runpy.run_path(line[0], run_name="__main__")
