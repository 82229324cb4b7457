"""Pairs of pictures of two captions, alike but for what these say differently: the data of InstructPix2Pix (Brooks et al. 2022,
arXiv 2211.09800, section 3.1.2), by Prompt-to-Prompt (Hertz et al. 2022, arXiv 2208.01626)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from degrade import seeds
from degrade.lazy import torch
from degrade.tree import tree_map
from models.sharing import shared_self_attention
from restore.pipelines.diffedit import check_text
from restore.pipelines.network import NetworkPipeline
from samplers import DDIM

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


class Pair(NamedTuple):
    before: Tensor
    """(C, H, W) in [-1, 1]."""
    after: Tensor


def paired(
    pipeline: NetworkPipeline,
    before: str,
    after: str,
    share: float = 0.5,
    *,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    progress: bool = True,
) -> Pair:
    """Two pictures from the noise of `seed`, of two captions, by DDIM: self-attention of the second is that of the first for
    severities above 1 - share, the first part of the walk. The paper draws the share from [.1, .9].

    Raises ValueError in one line for a share out of [0, 1], for a pipeline without words or without self-attention, and for
    captions that are empty or the same.
    """
    check_text(pipeline, [before, after])
    if not 0 <= share <= 1:
        raise ValueError(f"the share of the walk lies in [0, 1], got {share}.")
    if before == after:
        raise ValueError(f"both captions are {before!r}: a pair is of two.")
    whole = size or (pipeline.size[1], pipeline.size[2])
    cells = pipeline.padded(whole)
    pipeline = pipeline.using(captured=False)  # a graph knows nothing of hooks
    alone = pipeline.scale(cells, 1.0, range(2), [before, after])
    shape = (1, pipeline.space.channels(pipeline.size[0]), *cells)
    start = pipeline.prior.sample(shape, seeds(seed, 1))
    start = tree_map(lambda z: torch.cat([z, z]), start)
    shared = alone._replace(restore=_shared(alone.restore, pipeline, 1 - share), sampler=DDIM())
    x = pipeline.walk(start, [shared], seeds(seed, 2), progress)
    return Pair(*pipeline.decoded(x, whole))


def _shared(restore: Restore, pipeline: NetworkPipeline, until: float) -> Restore:
    def both(x_t: Tensor, t: Tensor) -> Tensor:
        if float(t.max()) <= until:
            return restore(x_t, t)
        with shared_self_attention(pipeline.restorer.network):
            return restore(x_t, t)

    return both
