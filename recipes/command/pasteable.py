"""Commands that a program prints for what to do next: they can be pasted where it was started."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def pasteable(*words: str | Path, recipe: str | None = None) -> str:
    """`words` for the program that runs, or for the file `recipe` beside it, as it was called and quoted for a shell:
    python recipes/sindiffusion.py resume 'runs/my photo'."""
    program = Path(sys.argv[0])
    return shlex.join(map(str, (sys.orig_argv[0], program.with_name(recipe) if recipe else program, *words)))
