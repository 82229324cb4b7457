"""Without what POSIX systems have and others lack, every module is imported and a run saved: simulated in a child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = """
import fcntl, importlib, os, pkgutil, signal, sys, types
from pathlib import Path

import torch  # which has its own build for Windows, as others have
try:
    import gradio
except ImportError:
    pass

descriptor_flags, open_, fsync = fcntl.fcntl, os.open, os.fsync

def no_folders(path, *args, **kwargs):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied")
    return open_(path, *args, **kwargs)

def writable_alone(handle):
    if descriptor_flags(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(9, "Bad file descriptor")
    fsync(handle)

read_text = Path.read_text
def no_proc(path, *args, **kwargs):
    if str(path).startswith(("/proc", "/sys")):
        raise FileNotFoundError(2, "No such file")
    return read_text(path, *args, **kwargs)

os.open, os.fsync, Path.read_text = no_folders, writable_alone, no_proc
for name in ("sysconf", "fork", "mkfifo", "getuid", "getpgid", "killpg", "sched_getaffinity", "O_NOFOLLOW", "O_DIRECTORY"):
    delattr(os, name)
for name in ("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "setitimer", "pause"):
    delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
memory = types.SimpleNamespace(available=2**33, peak_wset=2**28)
process = types.SimpleNamespace(memory_info=lambda: memory)
sys.modules["psutil"] = types.SimpleNamespace(virtual_memory=lambda: memory, Process=lambda: process)
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *_: None)
sys.platform = "win32"

for package in ("degrade", "models", "samplers", "restore", "recipes"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)

from degrade.files import atomic_write
from restore.machine.memory import free_memory, used_memory
from restore.machine.processes import ALONE
from restore.machine.signals import until_signal
from restore.storage.checkpoint import open_checkpoint, save_checkpoint
from restore.storage.lock import locked

with locked(Path("run"), ALONE), until_signal():
    save_checkpoint(Path("run"), 1, {}, {"ema": {"w": torch.ones(3)}})
    save_checkpoint(Path("run"), 2, {}, {"ema": {"w": torch.ones(3)}})
with atomic_write(Path("run/samples.png")) as part:
    part.write_bytes(b"x")
open_checkpoint(Path("run")).verify()
assert (free_memory(), used_memory()) == (2**33, 2**28)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="is what is simulated")
def test_import_and_save(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", WINDOWS], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoints", "samples.png"}
    assert not list(tmp_path.rglob("*.part"))
