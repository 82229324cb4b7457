"""The folder of a training that begins: what may lie there, and what is left by one that does not get far."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from degrade.files import PART, discard
from restore.storage.checkpoint import last_step

OWN = {
    *("checkpoints", "previews", "tensorboard", "wandb", "metrics.jsonl", "curve.png", ".lock"),
    *("samples.png", "restorations.png", "reconstructions.png", "enlargements.png", "instructions.png"),
}
"""What a training leaves there that did not get to its first checkpoint, or whose checkpoints were removed."""


def why_not_new(folder: Path) -> str | None:
    """Why no training begins in `folder`, in one line, where it holds a run, or anything that no training has left there."""
    if last_step(folder) is not None:
        return f"{folder} holds a run already: resume it, or name another folder."
    others = sorted(name for name in _names(folder) - OWN if not PART.fullmatch(name))
    if not others:
        return None
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return f"{folder} holds {others[0][:80]!r}{more}, which is of no run: name a folder that is new or empty."


@contextmanager
def removed_at(failure: type[BaseException], folder: Path, names: Set[str] = frozenset(OWN)) -> Iterator[None]:
    """Where `failure` comes before the first checkpoint, what was made in `folder` since under these names is removed, and the
    folder if it is new. Nothing is where another run has locked it."""
    new, before = not folder.exists(), _names(folder)
    try:
        yield
    except failure:
        if last_step(folder) is None and not (folder / ".lock").exists():
            for name in names - before:
                discard(folder / name)
            if new:
                with suppress(OSError):
                    folder.rmdir()
        raise


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
