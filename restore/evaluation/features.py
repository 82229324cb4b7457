"""How far two sets of images are apart: the Frechet distance between their features, and where features come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from degrade.random import Stream, globally_seeded, integers, seeded
from restore.data.images import image_files
from restore.data.sources import Source


class Features(NamedTuple):
    """A name to quote with every figure, and images (N, C, H, W) in [-1, 1] -> features (N, D)."""

    name: str
    extract: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor] | None = None
    """Images (N, C, H, W) -> numbers of classes (N,), in the order of their names."""


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of features (N, D) and (M, D) (Heusel et al. 2017, arXiv 1706.08500).

    With C = R^T R, the last trace is the sum of the singular values of R_a R_b^T. It is biased upwards for few images: compare
    sets of one size only. Raises ValueError for fewer than two images.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a Frechet distance needs at least two images in each set, got {len(a)} and {len(b)}.")
    a, b = a.double(), b.double()
    r_a, r_b = (torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode="r").R for x in (a, b))
    cross = torch.linalg.svdvals(r_a @ r_b.T).sum()
    return max(0.0, float((a.mean(0) - b.mean(0)).square().sum() + r_a.square().sum() + r_b.square().sum() - 2 * cross))


def of_network(network: nn.Module, name: str, device: torch.device | str = "cpu") -> Features:
    """What `network` makes of images (N, 3, H, W) in [-1, 1]: features (N, D), such as those of `models.inception`, for FID.

    Grey images are given to it as colour images.
    """
    network = network.to(device)

    @torch.no_grad()
    def extract(x: Tensor) -> Tensor:
        parts = tqdm(x.split(16), desc="extracting features", unit="batch", leave=False)
        return torch.cat([network(part.expand(-1, 3, -1, -1).to(device)).cpu() for part in parts])

    return Features(name, extract)


def of_patches(side: int = 8) -> Features:
    """How each pixel differs from its right and its lower neighbour, in patches next to each other: (N patches, 2 C side side).

    Natural images have about as much of each frequency in their gradients, so that what a JPEG, a dither or a blur does shows
    in the means and covariances of these, without a network; what a picture is of does not. Compare the same crops, restored.
    """

    def extract(x: Tensor) -> Tensor:
        here = x[..., :-1, :-1]
        gradients = torch.cat([x[..., :-1, 1:] - here, x[..., 1:, :-1] - here], 1)
        return F.unfold(gradients, side, stride=side).mT.flatten(0, 1)

    return Features(f"gradients in patches of {side} x {side}", extract)


def of_classifier(source: Source, training: Path, test: Path, steps: int = 600) -> Features:
    """The 64 activations before the last layer of a small classifier that is trained here, from a fixed seed.

    It tells the folders of `training` apart, where the images lie in two folders or more; else by how many quarter turns
    an image was rotated (Gidaris et al. 2018, arXiv 1803.07728). The name says so, with its accuracy on `test`.
    """
    labels = sorted({file.parent.name for file in image_files(training)})
    by_folder = len(labels) > 1
    draw = _by_folder(source, training, labels) if by_folder else _by_turn(source, training)
    classes = len(labels) if by_folder else 4
    with globally_seeded(0, Stream.WEIGHTS):
        network = _Classifier(draw(1, seeded(0, Stream.DATA))[0].shape[1], classes)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for step in tqdm(range(steps), desc="training a classifier for its features", unit="step", leave=False):
        x, y = draw(64, seeded(0, Stream.DATA, step))
        F.cross_entropy(network(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    network.eval()
    x, y = (_by_folder(source, test, labels) if by_folder else _by_turn(source, test))(256, seeded(0, Stream.TEST))

    @torch.no_grad()
    def extract(x: Tensor) -> Tensor:
        return torch.cat([network.features(part) for part in x.split(256)])

    @torch.no_grad()
    def classify(x: Tensor) -> Tensor:
        return torch.cat([network(part).argmax(1) for part in x.split(256)])

    right = float((classify(x) == y).float().mean())
    kind = f"{classes} classes" if by_folder else "4 rotations"
    name = f"64 features of a classifier of {kind} trained on these images (test accuracy {right:.1%})"
    return Features(name, extract, classify if by_folder else None)


class _Classifier(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels, 32), (32, 64), (64, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.ReLU())
        self.out = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x))


Labelled = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


def _by_folder(source: Source, folder: Path, labels: list[str]) -> Labelled:
    """Draws images with the number of the folder that they lie in."""
    files = image_files(folder)
    images = torch.stack([source.middle(file) for file in files])
    numbers = torch.tensor([labels.index(file.parent.name) if file.parent.name in labels else -1 for file in files])

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        which = integers(len(files), (count,), generator)
        return images[which], numbers[which]

    return draw


def _by_turn(source: Source, folder: Path) -> Labelled:
    """Draws images with the number of quarter turns that they were rotated by."""
    batches = source.open(folder)

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        turns = integers(4, (count,), generator)
        images = batches.draw(count, generator).x0
        return torch.stack([x.rot90(int(k), (-2, -1)) for x, k in zip(images, turns, strict=True)]), turns

    return draw


def squares(source: Source, folder: Path, count: int) -> Iterator[Tensor]:
    """`count` test images (C, size, size), from a fixed seed: the middles of files, or crops if there are fewer files."""
    files = image_files(folder)
    if len(files) >= count:
        order = torch.randperm(len(files), generator=seeded(0, Stream.TEST))[:count]
        yield from (source.middle(files[i]) for i in order.tolist())
    else:
        yield from source.open(folder).draw(count, seeded(0, Stream.TEST)).x0
