"""What opening damaged and hostile files came to.

python -m tests.damaged_checkpoints 500 FOLDER      prints a JSON object: outcomes, peak memory, whether code ran
python -m tests.damaged_images 200 FOLDER
python -m tests.crafted_runs 200 FOLDER
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from restore.machine.memory import used_memory


class Evil:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def outcome(use: Callable[[], object], expected: tuple[type[Exception], ...]) -> tuple[str, str]:
    """("refused", its message) | ("accepted", "") | ("traceback", what it was)."""
    try:
        use()
    except expected as error:
        return ("refused" if "\n" not in str(error) and 20 < len(str(error)) < 700 else "unclear"), str(error)
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "accepted", ""


def report(outcomes: list, mark: Path) -> dict:
    return {"outcomes": outcomes, "peak": used_memory(), "code_was_run": mark.exists()}


def main(opened: Callable[[int, Path], dict]) -> None:
    count, folder = sys.argv[1:]
    print(json.dumps(opened(int(count), Path(folder))))
