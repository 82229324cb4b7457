"""What is said at the end of a training: where the results are, and which commands come next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.command.pasteable import pasteable
from restore.data import bundled
from restore.storage.checkpoint import last_step

if TYPE_CHECKING:
    from restore.run import Run


SHOWN = {
    "samples": "a training image, then samples",
    "restorations": "clean, degraded, direct, restored",
    "reconstructions": "images, and their reconstructions below",
    "enlargements": "images, what was told of them, and what became of that",
    "instructions": "before, what was made of it, after",
}
"""What is seen in the picture that a training ends with."""


def say_what_next(run: Run) -> None:
    """Where the results are, or how to go on with a run that was interrupted."""
    if run.step < run.recipe.training.steps:
        again = pasteable("resume", run.folder)
        print(f"stopped and saved at step {run.step} of {run.recipe.training.steps}; go on with: {again}")
        return
    show = run.recipe.show
    curve = "curve.png, " if (run.folder / "curve.png").exists() else ""
    print(f"results in {run.folder}: {show}.png ({SHOWN[show]}), {curve}checkpoints/, previews/, metrics.jsonl")
    if show == "samples":
        size = f"{run.size[1]}x{3 * run.size[2]}"
        print(f"more, at any size: {pasteable('sample', run.folder, '--size', size, '--count', '4')}")
        return
    if show == "enlargements":
        print(f"a small picture, enlarged: {pasteable('enlarge', run.folder, 'small.png', recipe='cascade.py')}")
        return
    if show == "instructions":
        asked = ("edit", run.folder, "yours.png", "--instruction", run.captions[0])
        print(f"a picture of yours: {pasteable(*asked, recipe='instruct.py')}")
        return
    if show == "reconstructions":
        words = ("train", run.recipe.images, "--autoencoder", run.folder)
        print(f"diffusion in its latents: {pasteable(*words, recipe='latent_diffusion.py')}")
        return
    print(f"a picture that is degraded: {pasteable('restore', run.folder, 'yours.jpg')}")
    if run.recipe.paired:
        return
    print(f"a clean one, degraded first (yours: --image): {pasteable('degrade-and-restore', run.folder, '--severity', '1')}")
    if bundled.test_images(run.recipe.images):
        print(f"a table, on other images: {pasteable('restoration', run.folder, recipe='evaluate.py')}")


def say_how_to_go_on(run: Run) -> None:
    """Which commands train a run on that has ended."""
    steps = pasteable("resume", run.folder, "--steps", str(2 * run.step))
    minutes = pasteable("resume", run.folder, "--minutes", "5")
    print(f"{run.folder} has ended, at step {run.step}; this trains it on: {steps}, and so does {minutes}")


def say_what_is_saved(folder: Path) -> None:
    """What a training that Ctrl-C has ended at once leaves in `folder`."""
    step = last_step(folder)
    left = f"step {step} is saved; go on with: {pasteable('resume', folder)}" if step is not None else "nothing was saved"
    print(left, file=sys.stderr)
