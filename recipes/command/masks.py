"""Masks as image files: white where something is to be made anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def read_mask(path: Path, picture: Tensor, file: Path | None) -> Tensor:
    """The mask (1, H, W) of a picture (C, H, W) that was read from `file`: 1 where the mask's file is bright, and painted.

    Raises ValueError if it has neither the picture's size nor that of its file, or nothing in it is bright.
    """
    from restore.data.decoding import image_size
    from restore.data.images import load_image

    mask = load_image(path, channels=1, behind="black")
    sizes = {tuple(picture.shape[-2:]), *([image_size(file)] if file else [])}
    if tuple(mask.shape[-2:]) not in sizes:
        expected = " or ".join(f"{h}x{w}" for h, w in sorted(sizes))
        raise ValueError(f"{path} is {mask.shape[1]}x{mask.shape[2]}, the picture {expected}: give a mask of the same size.")
    small = torch.nn.functional.interpolate((mask[None] > 0).float(), picture.shape[-2:], mode="area")[0]
    if not bool((small > 0).any()):
        raise ValueError(f"{path} is dark all over: paint white what is to be made anew.")
    return (small > 0).float()
