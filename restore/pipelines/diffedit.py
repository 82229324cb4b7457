"""DiffEdit: a picture changed by words where words disagree, and only there (Couairon et al. 2022, arXiv 2210.11427).

1. Where estimates of the noised picture differ between two texts, averaged over draws of the noise, is the mask.
2. The picture is inverted by DDIM to a severity, without text and without guidance.
3. It is walked back by the new text, held to the inversion's own trajectory outside the mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from degrade import State, Stream, seeded, seeds
from degrade.lazy import torch
from models import Condition
from restore.pipelines.conditioning import Asked, of_images
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.pipeline import Pipeline
from restore.space import Masking, Pixels, grown
from samplers import DDIM, Pinned, Step, invert

if TYPE_CHECKING:
    from torch import Tensor

SEVERITY = 0.8
"""To which pictures are inverted: more of it changes more."""
MASK_SEVERITY, NOISES, THRESHOLD = 0.5, 10, 1.5
"""Of the mask: the severity at which estimates are compared, draws of noise, and how often their mean difference counts."""


class Edited(NamedTuple):
    images: Tensor
    """(B, C, H, W) in [-1, 1]; outside the mask, the pictures' own pixels."""
    mask: Tensor
    """(B, 1, H, W), 1 where they may have changed."""


def disagreement(
    pipeline: NetworkPipeline,
    pictures: Tensor,
    target: Asked,
    source: Asked = "",
    *,
    severity: float = MASK_SEVERITY,
    noises: int = NOISES,
    seed: int = 0,
) -> Tensor:
    """How far `target` would change pictures (B, C, H, W) that `source` describes, place by place (B, 1, H, W):

        m = mean over noises and channels of |R(x_t, t, target) - R(x_t, t, source)|,    t = severity

    Differences of noise, which the paper has, and differences under guidance are the same but for a factor. Picture i draws its
    noise from the seed `seed + i`. Raises ValueError in one line, as `diffedit` does.
    """
    if not (0 < severity < 1 and noises >= 1):
        raise ValueError(f"the severity of a mask lies in (0, 1), noises is at least 1; got {severity} and {noises}.")
    check_text(pipeline, target)
    _check(pipeline, pictures)
    x0, free = _encoded(pipeline, pictures), pipeline.using(clip=False, guidance=1.0)
    size, copies, found = (x0.shape[-2], x0.shape[-1]), range(noises), []
    for number, x in enumerate(x0):
        x, t = x.expand(noises, *x.shape), torch.full((noises,), severity, device=x0.device)
        latent = pipeline.degradation.draw(x, [seeded(seed + number, Stream.SAMPLE, k) for k in copies])
        said = [_repeated(asked, number, len(x0), noises) for asked in (target, source)]
        with torch.no_grad():
            x_t = pipeline.degradation(x, t, latent)
            of_target, of_source = (free.scale(size, severity, copies, one).restore(x_t, t) for one in said)
        found.append((of_target - of_source).abs().mean((0, 1))[None])
    stride = pipeline.space.stride
    whole = torch.stack(found).repeat_interleave(stride, 2).repeat_interleave(stride, 3)
    return whole[..., : pictures.shape[-2], : pictures.shape[-1]].cpu()


def above(m: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """The mask (B, 1, H, W) of zeros and ones where m is more than `threshold` times its mean over the picture.

    Clamping m at 3 times its mean and cutting that at half, as was published, is a threshold of 1.5. Raises ValueError where
    nothing is left of a picture.
    """
    if not threshold > 0:
        raise ValueError(f"the threshold is above 0, got {threshold}.")
    mask = (m > threshold * m.mean((1, 2, 3), keepdim=True)).to(m)
    if not bool(mask.flatten(1).any(1).all()):
        raise ValueError(
            "nothing tells the two texts apart in the picture, so that the mask is empty: say more, lower the threshold, or "
            "give a mask."
        )
    return mask


def diffedit(
    pipeline: NetworkPipeline,
    pictures: Tensor,
    target: Asked,
    source: Asked = "",
    mask: Tensor | None = None,
    *,
    severity: float = SEVERITY,
    mask_severity: float = MASK_SEVERITY,
    noises: int = NOISES,
    threshold: float = THRESHOLD,
    iterations: int = 0,
    seed: int = 0,
    batch: int = 16,
    progress: bool = True,
) -> Edited:
    """Pictures (B, C, H, W) as `target` says, where that differs from `source`, what they show (""; a text, or one for each).

    mask: (1 or B, 1, H, W), 1 where they may change, in place of what `disagreement` and `above` find, to which mask_severity,
    noises, threshold and seed belong. severity: to which they are inverted. iterations: of the inversion (`samplers.invert`).
    batch: pictures at a time. The walk is DDIM's, under the pipeline's guidance, steps and grid. Raises ValueError in one line
    for a pipeline that knows neither words nor classes, for an empty target and for an empty mask.
    """
    if not 0 < severity <= 1:
        raise ValueError(f"severity lies in (0, 1], got {severity}.")
    check_text(pipeline, target)
    _check(pipeline, pictures)
    pictures = pictures.float().cpu()
    if mask is None:
        apart = disagreement(pipeline, pictures, target, source, severity=mask_severity, noises=noises, seed=seed)
        mask = above(apart, threshold)
    if mask.ndim != 4 or mask.shape[1] != 1 or mask.shape[-2:] != pictures.shape[-2:] or len(mask) not in (1, len(pictures)):
        raise ValueError(f"a mask of pictures {tuple(pictures.shape)} is (1 or B, 1, H, W), got {tuple(mask.shape)}.")
    if not bool(((mask >= 0) & (mask <= 1)).all()):
        raise ValueError("a mask lies in [0, 1]: 1 where a picture may change.")
    if not bool((mask > 0).flatten(1).any(1).all()):
        raise ValueError("the mask is empty: nothing would change. Paint 1, or white, where the picture may.")
    mask = mask.expand(len(pictures), -1, -1, -1).to(pictures)
    made = []
    for first in range(0, len(pictures), batch):
        part = slice(first, first + batch)
        asked = of_images(target, part, len(pictures))
        made.append(_decoded(pipeline, pictures[part], asked, mask[part], severity, iterations, progress))
    return Edited(torch.lerp(pictures, torch.cat(made), mask), mask)


def _decoded(
    pipeline: NetworkPipeline,
    pictures: Tensor,
    target: Asked,
    mask: Tensor,
    severity: float,
    iterations: int,
    progress: bool,
) -> Tensor:
    from tqdm import tqdm

    x0, numbers = _encoded(pipeline, pictures), range(len(pictures))
    size = (x0.shape[-2], x0.shape[-1])
    there = pipeline.using(guidance=1.0).scale(size, severity, numbers, "")
    rising = there.times.flip(0)
    known = {float(rising[0]): x0}
    with tqdm(total=len(rising) - 1, desc="inverting", unit="step", disable=not progress, dynamic_ncols=True) as bar:

        def kept(step: Step) -> None:
            known[step.s] = step.x
            bar.update()

        start = invert(there.restore, pipeline.degradation, x0, rising, iterations, kept)
    room = [side * pipeline.space.stride - edge for side, edge in zip(size, mask.shape[-2:], strict=True)]
    free = torch.nn.functional.pad(mask, (0, room[1], 0, room[0])).to(x0)
    if isinstance(pipeline.space, Masking):
        free = 1 - pipeline.space.masked(1 - free)
    back = pipeline.scale(size, severity, numbers, target)._replace(sampler=Pinned(DDIM(), known, free))
    x = pipeline.walk(State(start.x, start.latent), [back], seeds(0, len(x0)), progress)
    return pipeline.decoded(x, pictures.shape[-2:])


def check_text(pipeline: Pipeline, target: Asked) -> None:
    """Raises ValueError, in one line, where a pipeline reads no text, and where the text is empty."""
    if not isinstance(pipeline, NetworkPipeline) or (pipeline.words is None and not pipeline.classes):
        raise ValueError(
            f"{pipeline.identity} was not trained with words or classes: take a run of text_to_image.py, or a published model."
        )
    lines = [target] if isinstance(target, str) else [] if target is None or isinstance(target, Condition) else target
    if target is None or any(not line.strip() for line in lines):
        raise ValueError("say in words what the picture is to become: the text is empty.")


def _check(pipeline: NetworkPipeline, pictures: Tensor) -> None:
    if not isinstance(pipeline.space, Masking | Pixels):
        raise ValueError(f"masks act on pixels, and {type(pipeline.space).__name__} does not say what they are there.")
    if pictures.ndim != 4 or pictures.shape[1] != pipeline.size[0] or not bool(pictures.isfinite().all()):
        raise ValueError(
            f"pictures are finite numbers (B, {pipeline.size[0]}, H, W) in [-1, 1], got the shape {tuple(pictures.shape)}."
        )


def _encoded(pipeline: NetworkPipeline, pictures: Tensor) -> Tensor:
    """x of pictures, padded as the pipeline's network takes them."""
    size = (pictures.shape[-2], pictures.shape[-1])
    height, width = (side * pipeline.space.stride for side in pipeline.padded(size))
    with torch.no_grad():
        return pipeline.space.encode(grown(pictures.to(pipeline.device, torch.float32), (height, width)))


def _repeated(asked: Asked, number: int, pictures: int, copies: int) -> Asked:
    """What is said of picture `number` of so many, for copies of it."""
    one = of_images(asked, slice(number, number + 1), pictures)
    if one is None or isinstance(one, str):
        return one or ""
    return of_images(one, slice(0, copies), copies) if isinstance(one, Condition) else [*one] * copies
