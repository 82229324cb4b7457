"""Losses to steer by (`samplers.guides.loss`): images (B, C, H, W) in [-1, 1] to numbers (B,), to be lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def palette(colours: Sequence[Sequence[float]], softness: float = 0.1) -> Callable[[Tensor], Tensor]:
    """How far pixels are from the nearest of `colours` (each C numbers in [-1, 1]): the mean of a soft minimum of squares."""
    if not len(colours) or softness <= 0:
        raise ValueError("a palette has at least one colour, and a softness above 0.")
    points = torch.tensor(colours, dtype=torch.float32)

    def loss(x: Tensor) -> Tensor:
        if points.shape[1] != x.shape[1]:
            raise ValueError(f"the palette's colours have {points.shape[1]} channels, the images {x.shape[1]}.")
        squares = (x[:, None] - points.to(x)[None, :, :, None, None]).square().sum(2)  # (B, K, H, W)
        return -softness * torch.logsumexp(-squares / softness, 1).mean((1, 2))

    return loss


def style(reference: Tensor, scales: int = 4) -> Callable[[Tensor], Tensor]:
    """How far the statistics of an image are from those of `reference` (C, H, W): at each of `scales` halvings, means and
    covariances of colours and of their differences to the right and below (second moments, as Gram matrices are)."""
    if reference.ndim != 3 or min(reference.shape[-2:]) < 2**scales:
        raise ValueError(f"a style of {scales} scales needs an image (C, H, W) of at least {2**scales} pixels a side.")
    wanted = _statistics(reference[None].float(), scales)

    def loss(x: Tensor) -> Tensor:
        found = _statistics(x, scales)
        return torch.stack([(a - b.to(a)).square().flatten(1).sum(1) for a, b in zip(found, wanted, strict=True)]).sum(0)

    return loss


def _statistics(x: Tensor, scales: int) -> list[Tensor]:
    found = []
    for _ in range(scales):
        values = torch.cat([x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1], x[..., 1:, :-1] - x[..., :-1, :-1]], 1)
        flat = values.flatten(2)
        mean = flat.mean(2, keepdim=True)
        centred = flat - mean
        found += [mean, centred @ centred.mT / centred.shape[2]]
        x = torch.nn.functional.avg_pool2d(x, 2)
    return found


def text(words: str, model: str) -> Callable[[Tensor], Tensor]:
    """1 - the cosine of CLIP's embeddings of an image and of `words` (Radford et al. 2021, arXiv 2103.00020).

    `model`: a folder with a CLIP that `transformers` saved, or a name on its hub. Images are brought to CLIP's size. Needs the
    extra `text`. Raises ValueError with one clear line where the model cannot be read.
    """
    try:
        from transformers import AutoTokenizer, CLIPModel
    except ImportError:
        raise ValueError('text needs transformers: python -m pip install -c constraints.txt -e ".[text]"') from None
    try:
        clip = CLIPModel.from_pretrained(model).eval().requires_grad_(False)
        tokens = AutoTokenizer.from_pretrained(model)([words], padding=True, truncation=True, return_tensors="pt")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{model} is neither a folder with a CLIP nor one that can be had from the hub: {reason}") from None
    side = clip.config.vision_config.image_size
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (CLIP_MEAN, CLIP_DEVIATION))
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(_features(clip.get_text_features(**tokens)), dim=-1)

    def loss(x: Tensor) -> Tensor:
        clip.to(x.device)
        rgb = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
        y = torch.nn.functional.interpolate(rgb, (side, side), mode="bicubic", antialias=True, align_corners=False)
        pixels = ((y + 1) / 2 - mean.to(y)) / deviation.to(y)
        found = torch.nn.functional.normalize(_features(clip.get_image_features(pixel_values=pixels)), dim=-1)
        return 1 - (found * wanted.to(found)).sum(-1)

    return loss


CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def _features(output: Any) -> Tensor:
    """The embeddings, which newer versions of transformers wrap."""
    return getattr(output, "pooler_output", output)
