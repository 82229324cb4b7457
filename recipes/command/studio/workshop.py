"""What the pages share: the folder for pictures, the jobs, the training that runs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from recipes.command.outputs import plain_stem
from recipes.command.studio import inputs
from recipes.command.studio.jobs import Jobs
from recipes.command.studio.trainings import Trainings
from restore.storage.checkpoint import last_step


class Workshop:
    """Of one server; its pages come from many tabs."""

    def __init__(self, home: Path, device: str | None = None) -> None:
        self.home, self.device = home, device
        self.jobs = Jobs()
        self.trainings = Trainings(home / "training.log")

    @property
    def inputs(self) -> Path:
        """The folder of what was uploaded and painted."""
        return self.home / "inputs"

    def photograph(self, path: Path) -> Path:
        """`path`, as it is where it is no upload. ImageError in one line for what is no picture."""
        from restore.data.decoding import image_size

        image_size(path)
        return path

    def uploaded(self, path: str) -> Path:
        """An upload, checked and kept. ImageError in one line for what is no picture."""
        return inputs.keep(Path(path), self.inputs)

    def new_folder(self, picture: Path, page: str) -> Path:
        """An empty folder for results, of a name that no other tab gets."""
        name, number = f"{plain_stem(picture)[:60]}-{page}", 1
        while True:
            folder = self.home / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                number += 1

    def runs(self) -> list[str]:
        """Folders of runs in runs/, and of those made here, those trained last first."""
        homes = {Path("runs"), self.home}
        found = [path.parent for home in homes for path in home.glob("*/checkpoints") if last_step(path.parent) is not None]
        found.sort(key=lambda folder: (folder / "checkpoints").stat().st_mtime, reverse=True)
        return [str(folder) for folder in found]

    def leave(self, request: gr.Request) -> None:
        """A tab was closed: nobody waits for its jobs any more."""
        self.jobs.cancel(f"{request.session_hash} ")

    def close(self) -> None:
        """The server ends."""
        self.jobs.cancel("")
        self.trainings.close()
