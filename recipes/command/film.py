"""A film of a walk back, from noise to images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from samplers import Step, enlarge

if TYPE_CHECKING:
    from torch import Tensor

FRAMES = 30
"""Of a film, at most; the last one stays for as long as LAST of them."""
LAST = 15


@dataclass(frozen=True)
class Film:
    """Records x of the first walk, in pixels, as its `on_step`; images are shown side by side at `size`, beside `picture`.

    path: a .gif or .webp. Raises ImageError for another.
    """

    picture: Tensor
    size: tuple[int, int]
    path: Path
    steps: list[Tensor] = field(default_factory=list)
    places: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        from restore.data.images import animation_format

        animation_format(self.path)

    def __call__(self, step: Step) -> None:
        self.places.append((step.x.shape[-1], -step.s))
        if self.places == sorted(self.places):  # sizes grow and severities fall until another walk begins
            self.steps.append(step.x.detach().cpu().half())

    def save(self) -> Path:
        """Writes it to `path`."""
        from restore.data.images import grid, save_animation
        from restore.machine.provenance import provenance

        count = len(self.steps)
        chosen = [self.steps[round(i * (count - 1) / (FRAMES - 1))] for i in range(FRAMES)] if count > FRAMES else self.steps
        frames = [grid([self.picture, *enlarge(x.float(), self.size)], 1 + len(x)) for x in chosen]
        return save_animation([*frames, *frames[-1:] * LAST], self.path, text=provenance())
