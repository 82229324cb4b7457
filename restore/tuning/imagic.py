"""Imagic: a picture changed as words say, its own look and pose kept.

Kawar et al. 2022, "Imagic: Text-Based Real Image Editing with Diffusion Models", arXiv 2210.09276, section 3: the words'
embedding is moved until the frozen network restores the picture best; the network is trained until it does with that
embedding; images are made of what lies between it and the words' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from degrade.checks import bounded
from degrade.files import atomic_write
from degrade.lazy import torch
from models import Condition
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.published import Published
from restore.storage.reading import CheckpointError, opened

if TYPE_CHECKING:
    from torch import Tensor

FILE = "imagic.safetensors"
EMBEDDING = "embedding"
"""Folder of the first stage's losses."""
PARTS = ("tokens", "mask", "pooled")


@dataclass(frozen=True)
class ImagicSettings:
    """How both stages are trained, with Adam; the defaults are those of diffusers' pipeline for Stable Diffusion."""

    embedding_steps: int = 500
    """Of the embedding, the network being frozen."""
    embedding_rate: float = 1e-3
    """Learning rate of it."""
    tuning_steps: int = 1000
    """Of the network, the embedding being fixed."""
    tuning_rate: float = 2e-6
    """Learning rate of it."""
    batch: int = 1
    """Severities and noises of the picture in a step."""
    seed: int = 0
    """Of all that is random in the training."""

    def __post_init__(self) -> None:
        bounded(self, embedding_steps=(1, 10**6), tuning_steps=(1, 10**6), batch=(1, 4096), seed=(0, 2**63 - 1))
        bounded(self, embedding_rate=(1e-9, 10), tuning_rate=(1e-9, 10))


def suited(pipeline: NetworkPipeline) -> ImagicSettings:
    """The published settings for a published model; fewer steps at higher rates for a small network of one's own."""
    if isinstance(pipeline, Published):
        return ImagicSettings()
    return ImagicSettings(embedding_steps=100, embedding_rate=1e-2, tuning_steps=100, tuning_rate=3e-4, batch=8)


class Imagic(NamedTuple):
    """A picture that was learned, and the words that it is to become."""

    pipeline: NetworkPipeline
    """With the network of the second stage."""
    caption: str
    target: Condition
    """e_tgt, the words' embedding."""
    optimised: Condition
    """e_opt, the picture's."""
    size: tuple[int, int]
    """Of the picture."""

    def condition(self, eta: float) -> Condition:
        """eta e_tgt + (1 - eta) e_opt (eq. 3): 0 is the picture, 1 the words."""
        changed = {
            name: torch.lerp(old, getattr(self.target, name), eta)
            for name in PARTS
            if (old := getattr(self.optimised, name)) is not None and old.is_floating_point()
        }
        return self.target._replace(**changed)

    def edited(self, eta: float, count: int = 1, seed: int = 0, progress: bool = True) -> Tensor:
        """Images (count, C, H, W) in [-1, 1], made from noise."""
        return self.pipeline.generate(self.size, count, seed, condition=self.condition(eta), progress=progress)


def imagic(
    pipeline: NetworkPipeline,
    picture: Tensor,
    caption: str,
    folder: str | Path,
    settings: ImagicSettings | None = None,
    images: Path | None = None,
) -> Imagic:
    """Learns `picture` (C, H, W) in [-1, 1], to be changed to `caption`, and leaves what was learned in `folder`, new or empty;
    nothing where it is stopped or fails.

    settings: by default those that suit the pipeline. images: the picture's file. The pipeline itself stays as it was. Raises
    ValueError in one line for a pipeline that reads no words, an empty caption, or a picture that does not fit.
    """
    from restore.tuning.tuned import begun, cells, fitted, repeated, short_training, tuned

    settings = settings or suited(pipeline)
    if not caption.strip():
        raise ValueError("imagic needs words that say what the picture is to become: give a prompt.")
    if picture.ndim != 3 or not bool(picture.isfinite().all()):
        raise ValueError(f"imagic changes one picture (C, H, W) of finite numbers, got {tuple(picture.shape)}.")
    target = pipeline.embedded(caption)
    x0 = cells(pipeline, picture[None])
    first = short_training(pipeline, settings.embedding_steps, settings.embedding_rate, settings.batch, settings.seed)
    second = short_training(pipeline, settings.tuning_steps, settings.tuning_rate, settings.batch, settings.seed)
    with begun(folder, EMBEDDING) as home:
        optimised = fitted(pipeline, repeated(x0), target, first, home / EMBEDDING)
        learned = tuned(pipeline, repeated(x0, optimised), second, home, images)
        made = Imagic(learned, caption, target, optimised, (picture.shape[1], picture.shape[2]))
        _save(made, home / FILE)
        return made


def open_imagic(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> Imagic:
    """What `imagic` left in `folder`; types: as for `open_run`. Raises ValueError in one line where it holds none."""
    from restore.run import open_run

    pipeline, path = open_run(folder, device, types), Path(folder) / FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no picture that imagic learned ({FILE} is missing): make it by imagic.py edit.")
    with opened(path) as file:
        names, described = set(file.keys()), file.metadata() or {}
        found = [
            Condition(**{p: file.get_tensor(f"{kind}.{p}").to(pipeline.device) for p in PARTS if f"{kind}.{p}" in names})
            for kind in ("target", "optimised")
        ]
    try:
        for condition in found:
            condition.check()
        target, optimised = found
        height, width = (int(side) for side in described["size"].split("x"))
        like = pipeline.embedded(described["caption"])
        if any(_widths(one) != _widths(like) for one in found):
            raise ValueError("its embeddings are none of this network's")
        if not 0 < min(height, width) <= max(height, width) <= 2**16:
            raise ValueError(f"a picture of {height} x {width}")
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is broken: {error}") from None
    return Imagic(pipeline, described["caption"], target, optimised, (height, width))


def _widths(condition: Condition) -> list[int]:
    return [part.shape[-1] for part in (condition.tokens, condition.pooled) if part is not None]


def _save(made: Imagic, path: Path) -> None:
    from safetensors.torch import save_file

    kinds = {"target": made.target, "optimised": made.optimised}
    tensors = {
        f"{kind}.{p}": z.cpu().clone() for kind, one in kinds.items() for p in PARTS if (z := getattr(one, p)) is not None
    }
    with atomic_write(path) as part:
        save_file(tensors, part, {"caption": made.caption, "size": f"{made.size[0]}x{made.size[1]}"})
