"""Experts by severity: each of several networks restores what is as degraded as it was trained on.

Balaji et al. 2022, "eDiff-I: Text-to-Image Diffusion Models with an Ensemble of Expert Denoisers", arXiv 2211.01324, section 4:
at high severity words say what is to be there, at low severity the picture does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.lazy import torch
from restore.pipelines.network import NetworkPipeline

if TYPE_CHECKING:
    from torch import Tensor

    from models import Condition

EDGES = "experts.json"
"""Beside the folders 0, 1, ... of the experts' runs, from low severity to high: the severities between them."""


@dataclass(frozen=True, eq=False)
class Experts:
    """net(x, t, condition) = nets[k](x, t, condition) where edges[k - 1] < t <= edges[k], the first from 0, the last to 1."""

    nets: tuple
    edges: tuple[float, ...]

    @property
    def accepts(self) -> tuple[str, ...]:
        """The parts of a condition that they take."""
        return getattr(self.nets[0], "accepts", ())

    def __call__(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        which = torch.bucketize(t, torch.tensor(self.edges, device=t.device, dtype=t.dtype))
        out = torch.empty_like(x)
        for k in which.unique().tolist():
            own = which == k
            out[own] = self.nets[k](x[own], t[own], *(one.map(lambda part: part[own]) for one in condition)).to(out)  # noqa: B023
        return out

    def embedded(self, condition: Condition) -> Condition:
        """As the expert of high severity reads text."""
        return self.nets[-1].embedded(condition)


def check_edges(edges: Sequence[float]) -> tuple[float, ...]:
    """Severities that rise between 0 and 1. Raises ValueError in one line for others."""
    if not edges or any(not a < b for a, b in pairwise((0.0, *edges, 1.0))):
        raise ValueError(f"the severities between experts rise from above 0 to below 1, such as .5, got {tuple(edges)}.")
    return tuple(edges)


def experts(pipelines: Sequence[NetworkPipeline], edges: Sequence[float]) -> NetworkPipeline:
    """The pipelines as one, the first below edges[0], the last above edges[-1]; walk, words and prior are those of the last.

    Raises ValueError in one line where they are not one more than the edges, or do not undo the same in the same way.
    """
    edges, last = check_edges(edges), pipelines[-1]
    if len(pipelines) != len(edges) + 1:
        raise ValueError(f"{len(edges)} severities lie between {len(edges) + 1} experts, got {len(pipelines)}.")

    def way(one: NetworkPipeline) -> tuple:
        return (one.degradation, one.restorer.prediction, one.space, one.size, one.restorer.accepts)

    for one in pipelines:
        if way(one) != way(last):
            raise ValueError(f"{one.name} and {last.name} do not undo the same in the same way: experts come from one recipe.")
    network = Experts(tuple(one.restorer.network for one in pipelines), edges)
    stride = max(one.network_stride for one in pipelines)
    return replace(last, restorer=replace(last.restorer, network=network), network_stride=stride)


def stored_edges(folder: Path) -> tuple[float, ...]:
    """The severities between the experts in `folder`. Raises ValueError, in one line, where there are none."""
    from restore.storage.reading import CheckpointError, text

    if not (folder / EDGES).is_file():
        raise CheckpointError(f"{folder} holds no experts: there is no {EDGES} in it. Make them by experts.py train.")
    try:
        edges = json.loads(text(folder / EDGES))["edges"]
        if not isinstance(edges, list) or not all(isinstance(edge, float) for edge in edges) or len(edges) > 100:
            raise ValueError("edges are numbers")
        return check_edges(edges)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder} holds no experts ({EDGES}: {error}): make them by experts.py train.") from None


def open_experts(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> NetworkPipeline:
    """The experts that recipes/experts.py left in `folder`; types: as for `open_run`. Raises ValueError, in one line, where it
    holds none, or not all of them."""
    from restore.run import open_run
    from restore.storage.checkpoint import last_step
    from restore.storage.reading import CheckpointError

    folder = Path(folder)
    edges = stored_edges(folder)
    lacking = next((k for k in range(len(edges) + 1) if last_step(folder / str(k)) is None), None)
    if lacking is not None:
        raise CheckpointError(f"{folder} has no expert {lacking} yet: experts.py train with --out {folder} goes on with them.")
    return experts([open_run(folder / str(k), device, types) for k in range(len(edges) + 1)], edges)
