"""What images are asked to be conditioned on: a class by its name, a caption, or any condition."""

from __future__ import annotations

from collections.abc import Sequence

from models import Condition

Asked = str | Sequence[str] | Condition | None
"""The name of a class or a caption, or one for each image, "" for nothing; a `Condition` of one image or of each of them; None
for what suits the restorer: each class in turn where it knows classes, captions in turn where it reads them."""


def of_images(condition: Asked, part: slice, count: int) -> Asked:
    """What the images `part` of `count` are conditioned on. ValueError for a condition of another number of images."""
    if isinstance(condition, str) or not isinstance(condition, Condition | Sequence):
        return condition
    if not isinstance(condition, Condition):
        if len(condition) != count:
            raise ValueError(f"{len(condition)} captions for {count} images: give one, or one for each.")
        return condition[part]
    condition.check()
    if condition.batch not in (None, 1, count):
        raise ValueError(f"the condition is of {condition.batch} images, {count} are asked for: give 1 entry, or {count}.")
    size = len(range(count)[part])
    return condition.map(lambda z: z.expand(size, *z.shape[1:]) if len(z) == 1 else z[part])
