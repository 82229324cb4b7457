"""Posterior sampling: images that a measurement may be of, under a prior that was learned for something else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, Self

from degrade import Degradation, seeds
from degrade.checks import check_latent
from degrade.lazy import torch
from degrade.transfer import moved
from degrade.tree import tree_leaves, tree_map
from models import Condition
from restore.pipelines.conditioning import Asked, of_images
from restore.pipelines.generation import Generation
from samplers import Measurement, Method, Step, clip, likelihood
from samplers.guides.likelihood import RATIO, finite
from samplers.guides.measurement import Forward

if TYPE_CHECKING:
    from torch import Tensor


class Solution(NamedTuple):
    """Images that a measurement may be of."""

    samples: Tensor
    """(count, C, H, W), or (count, B, C, H, W) of a batch of measurements."""
    mean: Tensor
    """Of the samples."""
    deviation: Tensor
    """Of the samples, pixel by pixel: where they agree it is small. 0 for one sample."""


class Solving(Generation):
    """What a pipeline makes of a measurement by any operator."""

    def solve(
        self,
        measurement: Tensor,
        operator: Degradation | Forward,
        severity: float | None = None,
        latent: tuple | None = None,
        *,
        noise: float = 0.0,
        method: Method = "diffpir",
        ratio: float | None = None,
        count: int = 4,
        size: tuple[int, int] | None = None,
        seed: int = 0,
        condition: Asked = "",
        batch: int = 16,
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Solution:
        """`count` images x0 with y = A(x0) + noise n, n standard normal, drawn under the prior that this pipeline holds.

        measurement: y, of one image (C', h, w) or of several (B, C', h, w). operator: A. Of a degradation it takes `severity`,
        in (0, 1], and its latent where it has one: of one image, or of each. Any other callable is taken as it is; see
        `on_unit_images` for one whose images are in [0, 1]. noise: a standard deviation, in the unit of [-1, 1]. method: see
        samplers/guides/likelihood.py; ddnm, pigdm and moments are for linear operators. ratio: how much the prior counts in
        diffpir (default: what serves this pipeline). size: height and width of the images, where y has another. condition:
        of all, or of each measurement. Image b's sample i has the seed `seed + b count + i`. In a space that is not made of
        pixels A acts on what is decoded, and is not linear then: diffpir and dps serve it, by the decoder's gradient. Raises
        ValueError in one line.
        """
        if not isinstance(measurement, torch.Tensor):
            raise ValueError(f"a measurement is a tensor, as `load_image` gives it; got a {type(measurement).__name__}.")
        y = measurement if measurement.ndim == 4 else measurement[None]
        if y.ndim != 4 or not y.numel() or not y.is_floating_point():
            raise ValueError(
                f"a measurement holds floating point numbers (C, H, W) or (B, C, H, W), got {tuple(measurement.shape)}."
            )
        if not (isinstance(count, int) and isinstance(batch, int) and count > 0 and batch > 0):
            raise ValueError(f"count and batch are whole numbers of at least 1, got {count} and {batch}.")
        if isinstance(operator, Degradation) and float(y.abs().max()) > LOUD:
            raise ValueError(
                f"the measurement holds numbers up to {float(y.abs().max()):.3g}, images lie in [-1, 1]: bring it there "
                "(load_image does; x / 127.5 - 1 of bytes)."
            )
        if isinstance(noise, bool) or not isinstance(noise, int | float):
            raise ValueError(f"noise is a number, the standard deviation, got {noise!r}.")
        if size is not None and not (len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
            raise ValueError(f"size is a height and a width of at least 1 pixel, got {size}.")
        size, total = size or (y.shape[-2], y.shape[-1]), len(y) * count
        forward = _forward(operator, severity, latent, (len(y), self.size[0], *size))
        ratio = self.ratio if ratio is None else ratio
        each, limits = of_images(condition, slice(0, len(y)), len(y)), self.space.limits if self.sampling.clip else None
        Measurement(
            y, forward(torch.arange(len(y))), noise, (len(y), self.size[0], *size)
        )  # what does not fit is said here, once
        pipeline, padded, made = self.solving().using(clip=False), self.padded(size), []
        for first in range(0, total, batch):
            numbers = range(first, min(first + batch, total))
            which = torch.tensor([number // count for number in numbers])
            asked = each.map(partial(_rows, which)) if isinstance(each, Condition) else each
            scales = pipeline.scales(padded, 1.0, range(seed + first, seed + numbers.stop), asked)
            for place, scale in enumerate(scales):
                seen = self._seen(forward(which), size, None if scale.size == padded else padded)
                shape = (len(numbers), self.space.channels(self.size[0]), *scale.size)
                measured = Measurement(y[which].to(self.device, torch.float32), seen, noise, shape, tried=True)
                guided = likelihood(scale.restore, measured, self.degradation, method, ratio=ratio)
                scales[place] = scale._replace(restore=clip(guided, *limits) if limits else guided)
            generators = seeds(seed + first, len(numbers))
            x = pipeline.walk(pipeline.start(size, scales, None, generators), scales, generators, progress, on_step)
            made.append(finite(pipeline.decoded(x, size), method))
        samples = torch.cat(made).unflatten(0, (len(y), count)).transpose(0, 1)
        samples = samples if measurement.ndim == 4 else samples[:, 0]
        return Solution(samples, samples.mean(0), samples.std(0, correction=min(1, count - 1)))

    def _seen(self, forward: Forward, size: tuple[int, int], padded: tuple[int, int] | None) -> Forward:
        """What A of images shows of x, which is decoded, brought to `padded` first where it has another size, and cut to
        `size`."""

        def seen(x: Tensor) -> Tensor:
            images = self.space.decode(x)
            if padded is not None:  # as `enlarge`, without its bounds: it stays linear
                target = [side * self.space.stride for side in padded]
                images = torch.nn.functional.interpolate(images, target, mode="bicubic", align_corners=False)
            return forward(images[..., : size[0], : size[1]])

        return seen

    @property
    def ratio(self) -> float:
        """How much the prior counts in diffpir, against a measurement."""
        return RATIO

    def solving(self) -> Self:
        """The same as it serves measurements best: the prior is that of another picture, whose layout says nothing."""
        return self


LOUD = 8.0
"""Numbers in a measurement of images in [-1, 1], beyond which it is in another unit."""


def _rows(which: Tensor, z: Tensor) -> Tensor:
    return z[which.to(z.device)]


def reduced_to(size: tuple[int, int]) -> Forward:
    """A: images made smaller, each pixel a weighted mean of those it stands for (bicubic, antialiased), as photographs are."""
    return lambda x: torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)


def on_unit_images(operator: Forward) -> Forward:
    """A for images in [-1, 1] of one that takes and makes images in [0, 1], whose noise counts twice as much in [-1, 1]."""
    return lambda x: 2 * operator((x + 1) / 2) - 1


def _forward(
    operator: Degradation | Forward, severity: float | None, latent: tuple | None, shape: tuple[int, ...]
) -> Callable[[Tensor], Forward]:
    """A for some images (b,), by their numbers, of `shape` (B, C, H, W). ValueError for what does not fit the operator."""
    if isinstance(operator, type) or not callable(operator):
        raise ValueError(f"an operator is a degradation, such as GaussianBlur(), or a function; got {operator!r}.")
    if not isinstance(operator, Degradation):
        if severity is not None or latent is not None:
            raise ValueError("severity and latent are a degradation's; a callable is taken as it is: leave them out.")
        return lambda which: operator
    name = type(operator).__name__
    if severity is None or not 0 < severity <= 1:
        raise ValueError(f"severity of {name} lies in (0, 1], got {severity}.")
    own = operator.draw(torch.zeros(1, *shape[1:]), seeds(0, 1))
    if latent is None:
        latent = own
        if list(tree_leaves(own)):
            names = ", ".join(getattr(own, "_fields", ()))
            raise ValueError(
                f"{name} has a latent{f' ({names})' * bool(names)}, without which it is not known what was done: give it."
            )
    else:
        check_latent(latent, own, name)
    many = {len(z) for z in tree_leaves(latent)} - {1}
    if many - {shape[0]}:
        raise ValueError(f"the latent is for {sorted(many)[0]} images, the measurement of {shape[0]}.")

    def forward(which: Tensor) -> Forward:
        z = tree_map(lambda z: z.expand(shape[0], *z.shape[1:])[which.to(z.device)], latent)
        t = torch.full((len(which),), severity)

        @cache
        def on(device: torch.device) -> tuple[Tensor, tuple]:
            return moved(t, device), tree_map(lambda z: moved(z, device), z)

        return lambda x: operator(x, *on(x.device))

    return forward
