"""What restores and generates images, whatever it was made from: a trained run, a photograph, a published model."""

from __future__ import annotations

from dataclasses import dataclass

from restore.pipelines.restoration import Restoration
from restore.pipelines.solving import Solving


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline(Solving, Restoration):
    """A restorer with everything it takes to use it."""
